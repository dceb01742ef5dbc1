"""Topics as shared rings: each row is encoded once, each client keeps only a position."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

import msgspec

from quarterdeck.runtime.policy import Permission, Topic
from quarterdeck.server.desk.model import Event, Point, Slice

TOPICS: tuple[Topic, ...] = (
    Topic(
        name="overview",
        summary="The deck at a glance, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="gate",
        summary="All that is open at the gate, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="market",
        summary="Slices of bars with the regimes in force.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=100,
    ),
    Topic(
        name="equity",
        summary="Equity and drawdown of every agent.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=100,
    ),
    Topic(
        name="rebalances",
        summary="Mandates and the last rebalances with how far they are, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="portfolio",
        summary="The present proposal of every objective, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="views",
        summary="Agents' signals as views and the returns expected with them, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="allocation",
        summary="How capital is shared out among agents and would be best, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="risk",
        summary="Levels, forecasts, what is held, credit lines and answers, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="work",
        summary="How work stands now, whole each time.",
        permission=Permission.READ,
        lossless=False,
        interval_ms=250,
    ),
    Topic(
        name="ready",
        summary="Capabilities for which work has become ready: a hint to claim, never a promise.",
        permission=Permission.WORK,
        lossless=False,
        interval_ms=100,
    ),
    Topic(
        name="events",
        summary="What happened; no event is ever left out.",
        permission=Permission.READ,
        lossless=True,
    ),
)

MARKET_ROWS = 300
EQUITY_POINTS = 600
EQUITY_ROWS = 600
EVENT_ROWS = 1_000
READY_ROWS = 500
EVENTS_SHOWN = 100
EVENTS_A_TURN = 100
"""Most events handed to one client before others have their turn."""


class Ring:
    """The last rows of a topic, encoded, at positions that only ever grow."""

    def __init__(self, rows: int, *, start: int = 0) -> None:
        self._rows: deque[bytes] = deque(maxlen=rows)
        self.end = start

    def append(self, row: bytes) -> None:
        """Add a row; the oldest leaves when the ring is full."""
        self._rows.append(row)
        self.end += 1

    def last(self, count: int) -> list[bytes]:
        """Return the last ``count`` rows, oldest first."""
        skip = max(0, len(self._rows) - count)
        return [row for index, row in enumerate(self._rows) if index >= skip]

    def since(self, position: int) -> list[bytes] | None:
        """Return the rows after ``position``, or ``None`` when some of them are gone."""
        missing = self.end - position
        if not 0 <= missing <= len(self._rows):
            return None
        return self.last(missing)


class Stream(Protocol):
    """One topic's data: a snapshot at any time, and what came after a position."""

    @property
    def end(self) -> int:
        """The position after the last row."""
        ...

    def snapshot(self) -> bytes | None:
        """Return the whole as JSON, or ``None`` while there is nothing to show yet."""
        ...

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return the deltas after ``position`` and the new position; ``None`` if they are gone."""
        ...


class LatestStream:
    """A topic of which only the latest state matters."""

    def __init__(self) -> None:
        self._latest: bytes | None = None
        self.end = 0

    def put(self, data: bytes) -> None:
        """Replace the state."""
        self._latest = data
        self.end += 1

    def snapshot(self) -> bytes | None:
        """Return the latest state."""
        return self._latest

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return the latest state if it is newer than ``position``."""
        if position == self.end or self._latest is None:
            return [], position
        return [self._latest], self.end


class MarketStream:
    """Slices as they close."""

    def __init__(self, *, symbols: tuple[str, ...], timeframe: str) -> None:
        head = msgspec.json.encode({"symbols": symbols, "timeframe": timeframe})
        self._head = head[:-1] + b',"slices":['
        self._ring = Ring(MARKET_ROWS)
        self._last = -1

    @property
    def end(self) -> int:
        """The position after the last slice."""
        return self._ring.end

    def put(self, row: Slice) -> None:
        """Add a slice; one that is there already is left out."""
        if row.slice > self._last:
            self._last = row.slice
            self._ring.append(msgspec.json.encode(row))

    def snapshot(self) -> bytes | None:
        """Return the last slices."""
        return self._head + b",".join(self._ring.last(MARKET_ROWS)) + b"]}"

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return the new slices as one delta."""
        return _joined(self._ring, position, key=b'{"slices":[')


class EquityStream:
    """Equity curves: a thinned whole, and points as they come."""

    def __init__(self, *, agents: tuple[str, ...]) -> None:
        self._agents = agents
        self._ring = Ring(EQUITY_ROWS)
        self._kept: list[tuple[int, bytes]] = []
        self._stride = 1
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def end(self) -> int:
        """The position after the last point."""
        return self._ring.end

    def put(self, point: Point) -> None:
        """Add a point; one that is there already is left out."""
        if point.slice <= self._last[0]:
            return
        encoded = msgspec.json.encode(point)
        self._agents = tuple(dict.fromkeys((*self._agents, *point.equity)))
        self._ring.append(encoded)
        self._last = (point.slice, encoded)
        if not self._kept or point.slice - self._kept[-1][0] >= self._stride:
            self._kept.append(self._last)
        if len(self._kept) >= EQUITY_POINTS:
            self._kept = self._kept[::2]
            self._stride = max(self._stride * 2, self._kept[-1][0] - self._kept[-2][0])

    def snapshot(self) -> bytes | None:
        """Return evenly spaced points of the whole run, and the last one."""
        rows = [row for _, row in self._kept]
        if self._last[0] >= 0 and (not self._kept or self._kept[-1] != self._last):
            rows.append(self._last[1])
        head = msgspec.json.encode({"agents": self._agents})
        return head[:-1] + b',"points":[' + b",".join(rows) + b"]}"

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return the new points as one delta."""
        return _joined(self._ring, position, key=b'{"points":[')


class ReadyStream:
    """The capabilities for which work became ready lately, each once."""

    def __init__(self) -> None:
        self._ring = Ring(READY_ROWS)

    @property
    def end(self) -> int:
        """The position after the last row."""
        return self._ring.end

    def put(self, capability: str) -> None:
        """Say that there is work for ``capability``."""
        self._ring.append(msgspec.json.encode(capability))

    def snapshot(self) -> bytes | None:
        """Return the last capabilities: who has missed some is hinted at all of them."""
        return _capabilities(self._ring.last(READY_ROWS))

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return the capabilities since ``position`` as one delta."""
        rows = self._ring.since(position)
        if rows is None:
            return None
        return ([_capabilities(rows)] if rows else []), self._ring.end


def _capabilities(rows: Iterable[bytes]) -> bytes:
    return b'{"capabilities":[' + b",".join(dict.fromkeys(rows)) + b"]}"


class EventStream:
    """Events: one delta each, at positions that serve as their sequence numbers.

    ``start`` is above every position of an earlier process, so that a client that comes back after
    a restart cannot take another event for the one it has seen.
    """

    def __init__(self, *, start: int) -> None:
        self._ring = Ring(EVENT_ROWS, start=start)
        self._seen: deque[str] = deque(maxlen=EVENT_ROWS)

    @property
    def end(self) -> int:
        """The position after the last event."""
        return self._ring.end

    def put(self, event: Event) -> None:
        """Add an event; one that is there already is left out."""
        if event.id not in self._seen:
            self._seen.append(event.id)
            self._ring.append(msgspec.json.encode(event))

    def snapshot(self) -> bytes | None:
        """Return the last events."""
        return _events(self._ring.last(EVENTS_SHOWN))

    def deltas(self, position: int) -> tuple[list[bytes], int] | None:
        """Return some of the new events, each as its own delta."""
        rows = self._ring.since(position)
        if rows is None:
            return None
        turn = rows[:EVENTS_A_TURN]
        return [_events([row]) for row in turn], position + len(turn)


def _events(rows: Iterable[bytes]) -> bytes:
    return b'{"events":[' + b",".join(rows) + b"]}"


def _joined(ring: Ring, position: int, *, key: bytes) -> tuple[list[bytes], int] | None:
    rows = ring.since(position)
    if rows is None:
        return None
    return ([key + b",".join(rows) + b"]}"] if rows else []), ring.end
