"""Slices and steps for the services' own tests: real bars, real SQL, no deck around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from quarterdeck.adapters.feeds.replay import ReplayFeed, open_replay
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.ids import RunId
from quarterdeck.kernel.messages import Answer, Command, Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import SliceArrived
from quarterdeck.runtime.database import ConnectionReader, create, load_sql
from quarterdeck.runtime.policy import DECK_CALLER, Caller
from quarterdeck.runtime.sequencer import Step, StepKind

SQL = load_sql()


def embedded() -> ReplayFeed:
    """Return the embedded daily history."""
    return open_replay()


def arrived(feed: ReplayFeed, index: int, *, warm_up: int = 0) -> SliceArrived:
    """Return slice ``index`` as the feed's driver would deliver it."""
    raw = feed.slice(index)
    return SliceArrived(
        at=raw.at,
        index=index,
        rows=raw.rows,
        open=raw.open,
        high=raw.high,
        low=raw.low,
        close=raw.close,
        volume=raw.volume,
        warming_up=index < warm_up,
        last=index == len(feed) - 1,
    )


def nothing_nested(command: Command, caller: Caller, step: Step) -> Answer:
    """Refuse commands inside a step: these tests have nobody to carry them out."""
    raise DomainError("no command is carried here")


def step_at(
    index: int, at: Nanos, *, number: int | None = None, caller: Caller = DECK_CALLER
) -> Step:
    """Return an open step of slice ``index``."""
    return Step(
        run=RunId("test"),
        number=index + 1 if number is None else number,
        kind=StepKind.SLICE,
        slice_index=index,
        at=at,
        machine_at=Nanos(0),
        caller=caller,
        carry=nothing_nested,
    )


class Store:
    """An empty database in memory with the deck's schema."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        create(self.connection, SQL)

    def commit(self, step: Step) -> None:
        """Write the step's rows, as the journal would."""
        for statement, values in step.rows:
            self.connection.execute(SQL.statements[statement], values)

    def reader(self) -> ConnectionReader:
        """Return what a service loads from."""
        return ConnectionReader(self.connection, SQL)

    def all(self, table: str) -> list[dict[str, Any]]:
        """Return every row of ``table``."""
        return [dict(row) for row in self.connection.execute(f"SELECT * FROM {table}")]


class StoreHistory:
    """History reads on the store, without threads."""

    def __init__(self, store: Store) -> None:
        self._reader = store.reader()

    async def rows(self, statement: str, /, **values: object) -> Sequence[Any]:
        """Return the rows of the named statement."""
        return self._reader.rows(statement, **values)


def said(step: Step, kind: type[Message]) -> list[Message]:
    """Return what the step said of one kind."""
    return [message for message in step.messages if isinstance(message, kind)]
