"""A remote paper venue that outlives the deck: every request is on its own disk before it is answered.

What it keeps is the requests, in order; since the venue draws on nothing else, doing them again gives
the same orders, fills and report numbers.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.execution.core.venue import Bar
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerOrder,
    BrokerReport,
    BrokerState,
)
from quarterdeck.kernel.errors import DomainError, Unavailable
from quarterdeck.runtime.state import Reader


class _Plain(msgspec.Struct, array_like=True):
    open: int
    high: int
    low: int
    close: int
    volume: int | None = None
    spread: int | None = None
    trades: tuple[tuple[int, int], ...] | None = None


class _Request(msgspec.Struct, omit_defaults=True):
    order: BrokerOrder | None = None
    cancel: str | None = None
    change: tuple[str, int, int | None] | None = None
    exchange: tuple[str, BrokerOrder, int] | None = None

    @property
    def taken(self) -> BrokerOrder | None:
        """The order that it brings."""
        return self.order if self.exchange is None else self.exchange[1]

    bars: tuple[int, dict[int, _Plain]] | None = None


def known(requests: bytes, reader: Reader) -> bytes:
    """Return those of ``requests`` that followed from what the database of ``reader`` holds.

    A venue that was copied after its deck has been shown later bars and sent later orders: with them a
    deck that goes on from the copy would find orders that it never made.
    """
    last = max((row["slice"] for row in reader.rows("execution.session")), default=-1)
    sent = {row["order_id"] for row in reader.rows("execution.sent_orders")}
    kept = []
    whole = requests.rfind(b"\n") + 1
    for line in requests[:whole].splitlines(keepends=True):
        request = msgspec.json.decode(line, type=_Request)
        later = request.bars is not None and request.bars[0] > last
        foreign = request.taken is not None and request.taken.client_id not in sent
        if not later and not foreign:
            kept.append(line)
    return b"".join(kept)


class KeptPaperBroker:
    """A paper venue with a file of requests; ``slice`` is the last that it was shown, -1 before any.

    Several processes may reach it at once, as they may any broker: each takes in what the others
    asked before it asks, answers or tells anything itself.
    """

    def __init__(self, venue: PaperBroker, path: Path) -> None:
        self._venue = venue
        self._path = path
        self._file: BinaryIO | None = None
        self._read = 0
        self.slice = -1

    async def __aenter__(self) -> KeptPaperBroker:
        """Do again what was asked before."""
        self._file = self._path.open("a+b")
        await self._caught_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def submit(self, order: BrokerOrder) -> BrokerState:
        """Take an order; a known id is answered as it stands."""
        await self._keep(_Request(order=order))
        return await self._venue.submit(order)

    async def cancel(self, client_id: str) -> BrokerState:
        """End what is left of an order."""
        await self._keep(_Request(cancel=client_id))
        return await self._venue.cancel(client_id)

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        """Change quantity and limit of a working order."""
        await self._keep(_Request(change=(client_id, quantity, limit)))
        return await self._venue.replace(client_id, quantity=quantity, limit=limit)

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        """Put an order in the place of a working one."""
        await self._keep(_Request(exchange=(client_id, order, filled)))
        return await self._venue.exchange(client_id, order, filled=filled)

    async def find(self, client_id: str) -> BrokerState | None:
        """Return the order, ``None`` for one that was never taken."""
        await self._caught_up()
        return await self._venue.find(client_id)

    async def books(self) -> BrokerBooks:
        """Return working orders, positions and cash at one sequence number."""
        await self._caught_up()
        return await self._venue.books()

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        """Return the reports after ``after``."""
        await self._caught_up()
        return await self._venue.reports(after)

    async def close(self, index: int, bars: Mapping[int, Bar]) -> None:
        """Let the venue see the bars of slice ``index``, once."""
        if index <= self.slice:
            return
        plain = {
            row: _Plain(*bar[:6], None if bar.trades is None else tuple(bar.trades))
            for row, bar in bars.items()
        }
        await self._keep(_Request(bars=(index, plain)))
        self._show(index, bars)

    def _show(self, index: int, bars: Mapping[int, Bar]) -> None:
        self.slice = index
        self._venue.close(bars)

    async def _keep(self, request: _Request) -> None:
        """Write a request behind those of everybody else, on disk before it is done."""
        file = self._opened()
        line = msgspec.json.encode(request) + b"\n"
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            await self._take_in(file)
            # A last line that was cut short was never answered.
            file.truncate(self._read)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self._read += len(line)
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    async def _caught_up(self) -> None:
        file = self._opened()
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            await self._take_in(file)
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    async def _take_in(self, file: BinaryIO) -> None:
        """Do what others have asked since."""
        if os.fstat(file.fileno()).st_size == self._read:
            return
        file.seek(self._read)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        for line in tail[:whole].splitlines():
            await self._again(msgspec.json.decode(line, type=_Request))
        self._read += whole

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise Unavailable("the venue is closed", code="UNCONNECTED")
        return self._file

    async def _again(self, request: _Request) -> None:
        try:
            if request.order is not None:
                await self._venue.submit(request.order)
            elif request.cancel is not None:
                await self._venue.cancel(request.cancel)
            elif request.change is not None:
                client_id, quantity, limit = request.change
                await self._venue.replace(client_id, quantity=quantity, limit=limit)
            elif request.exchange is not None:
                client_id, order, filled = request.exchange
                await self._venue.exchange(client_id, order, filled=filled)
            elif request.bars is not None:
                index, plain = request.bars
                self._show(
                    index, {row: Bar(*msgspec.structs.astuple(one)) for row, one in plain.items()}
                )
        except DomainError:
            # It was refused then as well.
            return
