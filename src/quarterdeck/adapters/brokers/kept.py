"""A remote paper venue that outlives the deck: every request is on its own disk before it is answered.

What it keeps is the requests, in order; since the venue draws on nothing else, doing them again gives
the same orders, fills and report numbers.
"""

from __future__ import annotations

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


class _Request(msgspec.Struct, omit_defaults=True):
    order: BrokerOrder | None = None
    cancel: str | None = None
    change: tuple[str, int, int | None] | None = None
    bars: tuple[int, dict[int, tuple[int, int, int, int, int | None]]] | None = None


class KeptPaperBroker:
    """A paper venue with a file of requests; ``slice`` is the last that it was shown, -1 before any."""

    def __init__(self, venue: PaperBroker, path: Path) -> None:
        self._venue = venue
        self._path = path
        self._file: BinaryIO | None = None
        self.slice = -1

    async def __aenter__(self) -> KeptPaperBroker:
        """Do again what was asked before; a last line that was cut short was never answered."""
        kept = self._path.read_bytes() if self._path.exists() else b""
        whole = kept.rfind(b"\n") + 1
        for line in kept[:whole].splitlines():
            await self._again(msgspec.json.decode(line, type=_Request))
        file = self._path.open("ab")
        if whole < len(kept):
            file.truncate(whole)
        self._file = file
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def submit(self, order: BrokerOrder) -> BrokerState:
        """Take an order; a known id is answered as it stands."""
        self._keep(_Request(order=order))
        return await self._venue.submit(order)

    async def cancel(self, client_id: str) -> BrokerState:
        """End what is left of an order."""
        self._keep(_Request(cancel=client_id))
        return await self._venue.cancel(client_id)

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        """Change quantity and limit of a working order."""
        self._keep(_Request(change=(client_id, quantity, limit)))
        return await self._venue.replace(client_id, quantity=quantity, limit=limit)

    async def find(self, client_id: str) -> BrokerState | None:
        """Return the order, ``None`` for one that was never taken."""
        return await self._venue.find(client_id)

    async def books(self) -> BrokerBooks:
        """Return working orders, positions and cash at one sequence number."""
        return await self._venue.books()

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        """Return the reports after ``after``."""
        return await self._venue.reports(after)

    def close(self, index: int, bars: Mapping[int, Bar]) -> None:
        """Let the venue see the bars of slice ``index``, once."""
        if index <= self.slice:
            return
        plain = {
            row: (bar.open, bar.high, bar.low, bar.close, bar.volume) for row, bar in bars.items()
        }
        self._keep(_Request(bars=(index, plain)))
        self._show(index, bars)

    def _show(self, index: int, bars: Mapping[int, Bar]) -> None:
        self.slice = index
        self._venue.close(bars)

    def _keep(self, request: _Request) -> None:
        if self._file is None:
            raise Unavailable("the venue is closed", code="UNCONNECTED")
        self._file.write(msgspec.json.encode(request) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    async def _again(self, request: _Request) -> None:
        try:
            if request.order is not None:
                await self._venue.submit(request.order)
            elif request.cancel is not None:
                await self._venue.cancel(request.cancel)
            elif request.change is not None:
                client_id, quantity, limit = request.change
                await self._venue.replace(client_id, quantity=quantity, limit=limit)
            elif request.bars is not None:
                index, plain = request.bars
                self._show(index, {row: Bar(*values) for row, values in plain.items()})
        except DomainError:
            # It was refused then as well.
            return
