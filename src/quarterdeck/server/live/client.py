"""One live client: what it watches, how far it has come, and what is due to it now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.policy import Topic
from quarterdeck.server.auth import Identity
from quarterdeck.server.live.streams import TOPICS, Stream

HIDDEN_S = 1.0
"""Interval for a client whose page nobody looks at."""
MAX_NOTES = 16
RESYNC = 4408
"""Close code: a lossless topic was missed; come back and subscribe anew."""


@dataclass(slots=True)
class Watch:
    """A client's place in one topic.

    ``fresh`` means that a snapshot is due; ``live`` that something was sent on this connection.
    """

    topic: Topic
    fresh: bool = True
    live: bool = False
    position: int = 0
    seq: int = 0
    due_at: float = 0.0


class LiveClient:
    """What one connection watches. It is filled by its reader and emptied by its writer."""

    def __init__(self, *, identity: Identity) -> None:
        self.identity = identity
        self.visible = True
        self.wake = asyncio.Event()
        self.close: tuple[int, str] | None = None
        self._watches: dict[str, Watch] = {}
        self._notes: deque[bytes] = deque(maxlen=MAX_NOTES)

    @property
    def topics(self) -> frozenset[str]:
        """The names of the topics watched."""
        return frozenset(self._watches)

    def note(self, code: str, detail: str) -> None:
        """Tell the client that something it asked for was refused."""
        self._notes.append(msgspec.json.encode({"type": "error", "code": code, "detail": detail}))
        self.wake.set()

    def subscribe(self, names: list[str], since: Mapping[str, object]) -> None:
        """Watch topics; ``since`` gives the last sequence seen of a topic that can resume."""
        known = {topic.name: topic for topic in TOPICS}
        for name in names:
            if name not in known:
                raise InvalidInput.of("topics", name, ", ".join(known))
            self.identity.caller.require(known[name].permission)
        for name in names:
            topic = known[name]
            seen = since.get(name)
            resumes = topic.lossless and isinstance(seen, int) and not isinstance(seen, bool)
            watch = Watch(topic=topic)
            if resumes and isinstance(seen, int):
                watch.fresh, watch.position, watch.seq = False, seen, seen
            self._watches[name] = watch
        self.wake.set()

    def unsubscribe(self, names: list[str]) -> None:
        """Stop watching topics."""
        for name in names:
            self._watches.pop(name, None)

    def show(self, *, visible: bool) -> None:
        """Remember whether anybody looks."""
        self.visible = visible
        for watch in self._watches.values():
            watch.due_at = 0.0
        self.wake.set()

    def end(self, code: int, reason: str) -> None:
        """Ask the writer to close the connection."""
        self.close = (code, reason)
        self.wake.set()

    def restart(self) -> None:
        """Messages were lost before they reached the topics: begin anew, or come back."""
        for watch in self._watches.values():
            watch.fresh = True
            if watch.topic.lossless:
                self.end(RESYNC, "events were missed: subscribe again")
        self.wake.set()

    def due(self, streams: Mapping[str, Stream], now: float) -> tuple[list[bytes], float | None]:
        """Return the frames due at ``now`` and the seconds until more are, if that is known."""
        frames = list(self._notes)
        self._notes.clear()
        wait: float | None = None
        for name, watch in list(self._watches.items()):
            stream = streams.get(name)
            if stream is None:
                continue
            if watch.due_at > now:
                if watch.fresh or watch.position != stream.end:
                    left = watch.due_at - now
                    wait = left if wait is None else min(wait, left)
                continue
            sent = self._advance(watch, stream)
            if sent:
                frames += sent
                watch.due_at = now + self._interval(watch.topic)
                if watch.position != stream.end:
                    wait = 0.0
        return frames, wait

    def _interval(self, topic: Topic) -> float:
        return topic.interval_ms / 1000 if self.visible else max(HIDDEN_S, topic.interval_ms / 1000)

    def _advance(self, watch: Watch, stream: Stream) -> list[bytes]:
        if not watch.fresh:
            found = stream.deltas(watch.position)
            if found is not None:
                rows, watch.position = found
                watch.live = True
                return [self._frame(watch, b"delta", row) for row in rows]
            if watch.topic.lossless and watch.live:
                # It fell behind while it watched: a snapshot would hide what it never saw.
                self.end(RESYNC, f"{watch.topic.name} was missed: subscribe again")
                return []
        data = stream.snapshot()
        if data is None:
            return []
        watch.fresh, watch.live, watch.position = False, True, stream.end
        if watch.topic.lossless:
            watch.seq = stream.end - 1
        return [self._frame(watch, b"snapshot", data)]

    def _frame(self, watch: Watch, kind: bytes, data: bytes) -> bytes:
        watch.seq += 1
        return (
            b'{"type":"%b","topic":"%b","seq":%d,"data":'
            % (kind, watch.topic.name.encode(), watch.seq)
            + data
            + b"}"
        )
