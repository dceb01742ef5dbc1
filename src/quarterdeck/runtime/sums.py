"""What the journaled state is known to be: sums over its rows, kept in the transactions that change them.

Every hashed table is cut into segments of its last key. A segment's sum is the sum of the digests of
its rows, so that it follows from a change alone: what a row was is taken off, what it is now is
added. SQLite itself says what changed, through triggers that belong to the writer's connection, so
that no statement can forget. A start adds the rows up again and compares.

Whoever can write the file can also write the sums: they find damage and faults of ours. Against a
person there is the audit chain.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from quarterdeck.kernel.errors import Conflict
from quarterdeck.runtime.database import Sql

SEGMENT_ROWS = 4_096
"""How many values of an integer key share a sum."""
TAIL = 4
"""How many of a table's newest segments a start adds up; the older ones no service loads."""
DIGEST_BYTES = 32
MODULUS = 1 << (8 * DIGEST_BYTES)
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table with hashed columns; ``segment`` is the SQL of a row's segment."""

    name: str
    columns: tuple[str, ...]
    key: str | None

    def segment(self, row: str = "") -> str:
        """Return the SQL of a row's segment; ``row`` is ``NEW.`` or ``OLD.`` in a trigger."""
        return "0" if self.key is None else f"{row}{self.key} / {SEGMENT_ROWS}"

    def values(self, row: str = "") -> str:
        """Return the SQL of the hashed columns of a row."""
        return ", ".join(f"{row}{column}" for column in self.columns)


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are not what was written: a table, and the keys of a segment of it."""

    table: str
    segment: int
    whole: bool

    @property
    def text(self) -> str:
        """The place in words."""
        if self.whole:
            return self.table
        first = self.segment * SEGMENT_ROWS
        return f"{self.table}, keys {first:,} to {first + SEGMENT_ROWS - 1:,}"


def tables_of(connection: sqlite3.Connection, sql: Sql) -> tuple[Table, ...]:
    """Return the tables that count for the state, by name."""
    found = []
    for name in sorted(sql.hashed):
        if not sql.hashed[name]:
            continue
        columns = [tuple(row) for row in connection.execute(f"PRAGMA table_info({name})")]
        keys = sorted((int(row[5]), str(row[1]), str(row[2])) for row in columns if row[5])
        last = keys[-1] if keys else (0, "", "")
        found.append(Table(name, sql.hashed[name], last[1] if last[2] == "INTEGER" else None))
    return tuple(found)


def digest_of(values: Sequence[object]) -> int:
    """Return a row's digest; a float counts as the shortest text that is it and no other."""
    text = repr(tuple(values)).encode("utf-8", "surrogatepass")
    return _number(blake2b(text, digest_size=DIGEST_BYTES).digest())


class StateSums:
    """Follows one writing connection: what its open transaction changes, :meth:`settle` writes."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._names: tuple[str, ...] = ()
        self._changes: dict[tuple[int, int], list[int]] = {}
        self._known: dict[tuple[int, int], tuple[int, int]] = {}

    def follow(self, connection: sqlite3.Connection) -> None:
        """Let ``connection`` tell of every change to a row that counts."""
        tables = tables_of(connection, self._sql)
        self._names = tuple(table.name for table in tables)
        connection.execute("PRAGMA recursive_triggers=ON")
        connection.create_function("state_row", -1, self._changed)
        for place, table in enumerate(tables):
            for event, rows in EVENTS.items():
                calls = " ".join(
                    f"SELECT state_row({sign}, {place}, {table.segment(row)}, {table.values(row)});"
                    for row, sign in rows
                )
                connection.execute(
                    f"CREATE TEMP TRIGGER state_{place}_{event} AFTER {event} ON main.{table.name} "
                    f"BEGIN {calls} END"
                )

    def settle(self, execute: Callable[[str, Mapping[str, object]], sqlite3.Cursor]) -> None:
        """Write the sums of what the open transaction has changed, by its own ``execute``."""
        statements = self._sql.statements
        for at, (count, total) in self._changes.items():
            where = {"name": self._names[at[0]], "segment": at[1]}
            known = self._known.get(at)
            if known is None:
                found = execute(statements["runtime.sum"], where).fetchone()
                known = (0, 0) if found is None else (int(found[0]), _number(found[1]))
            rows, now = known[0] + count, (known[1] + total) % MODULUS
            self._known[at] = (rows, now)
            execute(statements["runtime.sum_saved"], {**where, "rows": rows, "total": _bytes(now)})
        self._changes.clear()

    def _changed(self, sign: int, table: int, segment: int, *values: object) -> None:
        change = self._changes.get((table, segment))
        if change is None:
            change = self._changes[table, segment] = [0, 0]
        change[0] += sign
        change[1] += sign * digest_of(values)


EVENTS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "INSERT": (("NEW.", 1),),
    "UPDATE": (("OLD.", -1), ("NEW.", 1)),
    "DELETE": (("OLD.", -1),),
}
"""By what happens to a row: which of its states is taken off the sum and which is added."""


def differences(
    connection: sqlite3.Connection, sql: Sql, *, tail: int | None = TAIL
) -> Iterator[Place]:
    """Yield every place whose rows do not add up; ``tail`` bounds the segments of a table looked at.

    ``connection`` must see one state of the database from the first read to the last.
    """
    for table in tables_of(connection, sql):
        stored = connection.execute(sql.statements["runtime.sums"], {"name": table.name})
        told = {int(row[0]): (int(row[1]), bytes(row[2])) for row in stored if row[1]}
        wanted = sorted(told, reverse=True)[:tail]
        least = min(wanted) if tail is not None and len(told) > len(wanted) else None
        found = _added_up(connection, table, least=least)
        for segment in sorted(set(wanted) | set(found)):
            if found.get(segment) != told.get(segment):
                yield Place(table.name, segment, whole=table.key is None)


def _added_up(
    connection: sqlite3.Connection, table: Table, *, least: int | None
) -> dict[int, tuple[int, bytes]]:
    where = "" if least is None else f" WHERE {table.key} >= {least * SEGMENT_ROWS}"
    # Names come from our own schema files and numbers from our own arithmetic, never from a caller.
    query = f"SELECT {table.segment()}, {table.values()} FROM {table.name}{where}"  # noqa: S608
    totals: dict[int, list[int]] = {}
    cursor = connection.execute(query)
    while page := cursor.fetchmany(PAGE):
        for row in page:
            segment, *values = row
            total = totals.setdefault(segment, [0, 0])
            total[0] += 1
            total[1] += digest_of(values)
    return {at: (count, _bytes(total % MODULUS)) for at, (count, total) in totals.items()}


def written_anew(connection: sqlite3.Connection, sql: Sql) -> None:
    """Take the rows as they are for what they must be; the caller holds the transaction."""
    connection.execute(sql.statements["runtime.sums_forgotten"])
    for table in tables_of(connection, sql):
        for segment, (rows, total) in _added_up(connection, table, least=None).items():
            values = {"name": table.name, "segment": segment, "rows": rows, "total": total}
            connection.execute(sql.statements["runtime.sum_saved"], values)


def refuse_differences(connection: sqlite3.Connection, sql: Sql) -> None:
    """Raise where the rows about to be loaded are not those that were written.

    Raises
    ------
    Conflict
        Naming the first such place and what to do.
    """
    for place in differences(connection, sql):
        raise Conflict(
            f"the journaled state is not what was written: {place.text}; see 'quarterdeck audit "
            "fold' for row and column, then restore a backup or begin anew with --fresh",
            code="STATE_DIFFERS",
            field="data-dir",
            value=place.table,
        )


def _bytes(total: int) -> bytes:
    return total.to_bytes(DIGEST_BYTES, "big")


def _number(total: bytes) -> int:
    return int.from_bytes(bytes(total), "big")
