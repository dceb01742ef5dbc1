"""Named SQL, schemas and connections; the only module that knows the driver.

Every capability keeps its SQL in ``store.sql``: blocks opened by a line ``-- name --``. The block
``schema`` holds its tables, each column with a trailing ``-- hashed`` or ``-- unhashed`` comment
that says whether it counts for ``state_hash``; the other blocks are statements with ``:name``
parameters, known to the program as ``capability.name``.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from operator import itemgetter
from pathlib import Path
from typing import Any

from quarterdeck.kernel.errors import Conflict

SCHEMA_VERSION = 2
"""What ``upgrades/`` leads to; a change of any table is another version."""
CAPABILITIES = (
    "runtime",
    "market",
    "regime",
    "risk",
    "portfolio",
    "agents",
    "execution",
    "performance",
    "alerts",
    "server",
)
CACHED_STATEMENTS = 512
"""Statements a connection keeps prepared: more than there are."""
Connect = Callable[[Path], sqlite3.Connection]
"""How the journal gets its connections; another one stands in for a failing disk."""
_BLOCK = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\)", re.DOTALL)
_COLUMN = re.compile(r"^\s*(\w+) (?:INTEGER|TEXT|REAL|BLOB)\b.*$", re.MULTILINE)
_MARK = re.compile(r"-- (hashed|unhashed)\s*$")
_PARAMETER = re.compile(r"('[^']*')|:([a-z_]\w*)")
"""A parameter; what stands in quotes is none."""

Placed = tuple[str, Callable[[Mapping[str, object]], tuple[object, ...]]]
"""A statement with numbered parameters, and what takes their values from those by name, in order."""


@dataclass(frozen=True, slots=True)
class Sql:
    """All schemas and named statements of one database file.

    ``placed`` are the same statements for the journal: by place a row is bound in half the time.
    """

    schema: tuple[str, ...]
    statements: Mapping[str, str]
    placed: Mapping[str, Placed]
    hashed: Mapping[str, tuple[str, ...]]


def blocks_of(text: str) -> dict[str, str]:
    """Return the named blocks of a ``store.sql``."""
    parts = _BLOCK.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def hashed_columns(schema: str) -> dict[str, tuple[str, ...]]:
    """Return the hashed columns of every table; a column marked neither way is refused."""
    tables: dict[str, tuple[str, ...]] = {}
    for table, body in _TABLE.findall(schema):
        kept = []
        for column in _COLUMN.finditer(body):
            mark = _MARK.search(column.group(0))
            if mark is None:
                raise ValueError(f"{table}.{column.group(1)} is marked neither hashed nor unhashed")
            if mark.group(1) == "hashed":
                kept.append(column.group(1))
        tables[table] = tuple(kept)
    return tables


def placed(statement: str) -> Placed:
    """Return ``statement`` with numbered parameters, and what takes their values.

    >>> text, take = placed("UPDATE t SET a = :a, b = :b WHERE a < :a")
    >>> text, take({"b": 2, "a": 1})
    ('UPDATE t SET a = ?1, b = ?2 WHERE a < ?1', (1, 2))
    """
    names = list(dict.fromkeys(name for _, name in _PARAMETER.findall(statement) if name))
    text = _PARAMETER.sub(lambda found: found[1] or f"?{names.index(found[2]) + 1}", statement)
    if len(names) > 1:
        return text, itemgetter(*names)
    return text, lambda values: tuple(values[name] for name in names)


def load_sql(block: str = "schema") -> Sql:
    """Read every capability's ``store.sql``; ``block`` names the schema block of the file wanted."""
    schemas: list[str] = []
    statements: dict[str, str] = {}
    hashed: dict[str, tuple[str, ...]] = {}
    for capability in CAPABILITIES:
        file = resources.files("quarterdeck").joinpath(capability, "store.sql")
        if not file.is_file():
            continue
        blocks = blocks_of(file.read_text("utf-8"))
        if block in blocks:
            schemas.append(blocks[block])
            hashed.update(hashed_columns(blocks[block]))
        for name, body in blocks.items():
            if name not in ("schema", "telemetry_schema"):
                statements[f"{capability}.{name}"] = body
    return Sql(
        schema=tuple(schemas),
        statements=statements,
        placed={name: placed(text) for name, text in statements.items()},
        hashed=hashed,
    )


def connect(
    path: Path, *, synchronous: str = "FULL", read_only: bool = False
) -> sqlite3.Connection:
    """Open ``path`` in WAL mode; connections may cross threads but are used by one at a time."""
    target = f"{path.resolve().as_uri()}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        target,
        uri=read_only,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
        cached_statements=CACHED_STATEMENTS,
    )
    connection.row_factory = sqlite3.Row
    if not read_only:
        prepare(connection, synchronous=synchronous)
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def prepare(connection: sqlite3.Connection, *, synchronous: str) -> None:
    """Set what decides how a writing connection commits."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint=0")


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the version of the tables, 0 if there are none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_other_schema(
    connection: sqlite3.Connection, path: Path, *, earlier: bool = False
) -> None:
    """Raise unless the tables are those of this program, or with ``earlier`` of an earlier one."""
    version = schema_version(connection)
    if version == SCHEMA_VERSION or (earlier and version < SCHEMA_VERSION):
        return
    mend = "start the deck on it once" if version < SCHEMA_VERSION else "use that version"
    raise Conflict(
        f"{path} has schema version {version}, which another version of this program made; "
        f"this one reads {SCHEMA_VERSION}: {mend}",
        code="OTHER_SCHEMA",
        field="data-dir",
        value=str(version),
        accepted=str(SCHEMA_VERSION),
    )


def create(connection: sqlite3.Connection, sql: Sql) -> bool:
    """Create the tables in an empty database; return whether they are those of this program now."""
    version = schema_version(connection)
    if version != 0:
        return version == SCHEMA_VERSION
    connection.execute("BEGIN IMMEDIATE")
    for schema in sql.schema:
        for statement in schema.split(";"):
            if statement.strip():
                connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")
    return True


class ConnectionReader:
    """Named reads on one connection, for the load at start."""

    def __init__(self, connection: sqlite3.Connection, sql: Sql) -> None:
        self._connection = connection
        self._sql = sql

    def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        """Return all rows of the named statement."""
        cursor = self._connection.execute(self._sql.statements[statement], values)
        return [dict(row) for row in cursor]

    def tuples(self, statement: str, /, **values: object) -> Sequence[Sequence[Any]]:
        """Return all rows of the named statement by position."""
        return self._connection.execute(self._sql.statements[statement], values).fetchall()


def state_digest(connection: sqlite3.Connection, sql: Sql) -> bytes:
    """Return SHA-256 over the hashed columns of every table in primary-key order.

    A float counts as its eight bytes, so two states are equal only bit for bit.
    """
    digest = hashlib.sha256()
    for table in sorted(sql.hashed):
        columns = sql.hashed[table]
        if not columns:
            continue
        digest.update(f"table {table}\n".encode())
        keys = [
            row["name"]
            for row in sorted(
                (r for r in connection.execute(f"PRAGMA table_info({table})") if r["pk"]),
                key=lambda r: int(r["pk"]),
            )
        ]
        # Table and column names come from our own schema files, never from a caller.
        statement = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(keys)}"  # noqa: S608
        for row in connection.execute(statement):
            digest.update(_canonical(row))
    return digest.digest()


def _canonical(row: sqlite3.Row) -> bytes:
    return b"".join([_WRITTEN[type(value)](value) for value in row]) + b"\n"


def _text(value: str) -> bytes:
    return _bytes(value.encode(), kind=b"s")


def _bytes(value: bytes, *, kind: bytes = b"b") -> bytes:
    return b"%b%d:%b" % (kind, len(value), value)


_WRITTEN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    int: b"i%d;".__mod__,
    float: lambda value: b"f" + struct.pack(">d", value),
    str: _text,
    bytes: _bytes,
}
