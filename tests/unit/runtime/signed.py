"""A data folder with an audit chain and signed heads, made without a deck."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import VirtualClock
from quarterdeck.runtime.database import connect, create, load_sql
from quarterdeck.runtime.signing import Signer

SQL = load_sql()


@dataclass
class Desk:
    """The signer's journal: a connection on which everything is on disk at once."""

    connection: sqlite3.Connection
    number: int = 0

    async def committed(self, number: int) -> None:
        return None

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return work(self.connection)


@dataclass(frozen=True)
class Chained:
    """The folder's files."""

    folder: Path

    @property
    def core(self) -> Path:
        return self.folder / "core.db"

    @property
    def heads(self) -> Path:
        return self.folder / "audit.heads"

    def open(self) -> sqlite3.Connection:
        return connect(self.core)


def signer_of(
    folder: Path,
    connection: sqlite3.Connection,
    chain: AuditChain,
    clock: VirtualClock | None = None,
) -> Signer:
    desk = Desk(connection)
    return Signer(
        folder,
        sql=SQL,
        chain=chain,
        progress=desk,
        journal=desk,
        clock=clock or VirtualClock(start=Nanos(0)),
    )


def add_records(
    connection: sqlite3.Connection, chain: AuditChain, count: int, *, partition: str = "paper"
) -> None:
    """Append ``count`` records in one transaction."""
    first = chain.sequence(partition)
    connection.execute("BEGIN")
    connection.executemany(
        SQL.statements["runtime.audit_saved"],
        (
            chain.append(
                partition,
                step=n,
                at=n,
                kind="order",
                actor="trend",
                body={"n": n, "price": "101.5"},
            )
            for n in range(first + 1, first + count + 1)
        ),
    )
    connection.execute("COMMIT")


def chained_folder(folder: Path, *, records: int, every: int) -> Chained:
    """A folder with ``records`` records, a head signed after each ``every`` of them."""

    async def make() -> None:
        with closing(connect(folder / "core.db", synchronous="OFF")) as connection:
            create(connection, SQL)
            chain = AuditChain()
            async with signer_of(folder, connection, chain) as signer:
                for _ in range(records // every):
                    add_records(connection, chain, every)
                    await signer.drain()

    asyncio.run(make())
    return Chained(folder)
