"""A database of an older schema becomes one of the present: a copy first, then all of it or nothing.

``upgrades/NNNN.sql`` leads from the schema before it to schema ``NNNN``. All that are pending are one
transaction, which ends only when the tables are those of ``store.sql``, every index and reference
holds, and ``accept`` finds the run whole. Whatever ends it earlier leaves the database as it was, once
the connection is closed.

The copy is a data folder of its own: the program that made it goes on from it with ``--data-dir``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.database import (
    SCHEMA_VERSION,
    ConnectionReader,
    Sql,
    create,
    schema_version,
)
from quarterdeck.runtime.folder import BEFORE_UPGRADE
from quarterdeck.runtime.signing import sync_folder
from quarterdeck.runtime.state import Reader

BESIDE = ("audit.heads", "stop.flag", "venue.json", "venue.requests")
"""What belongs to a run besides its database."""

Accept = Callable[[Reader], None]
"""Raises unless the upgraded database may be used."""


def upgrade(connection: sqlite3.Connection, core: Path, sql: Sql, *, accept: Accept) -> None:
    """Bring the database at ``core`` to the present schema.

    Raises
    ------
    InvalidInput
        If a later program made it, the copy does not fit on the disk, or the result is not whole.
    """
    since = schema_version(connection)
    if since > SCHEMA_VERSION:
        raise InvalidInput(
            f"{core.name} has schema version {since}, which a later version of this program made; this "
            f"one knows {SCHEMA_VERSION}: start the later one, or name another --data-dir",
            code="LATER_SCHEMA",
            field="data-dir",
            value=str(since),
            accepted=f"schema version 1 to {SCHEMA_VERSION}",
        )
    kept, done = _keep(connection, core), False
    try:
        _apply(connection, core, sql, since=since, accept=accept)
        done = True
    finally:
        if not done:
            shutil.rmtree(kept, ignore_errors=True)


def statements(version: int) -> Iterator[str]:
    """Yield the statements that lead to schema ``version`` from the one before."""
    file = resources.files("quarterdeck").joinpath("runtime", "upgrades", f"{version:04}.sql")
    statement = ""
    for line in file.read_text("utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def structure(connection: sqlite3.Connection) -> dict[str, object]:
    """Return what every table and index is made of, however it came to be."""
    found: dict[str, object] = {}
    for _, name, kind, _, keyed, strict in connection.execute("PRAGMA table_list").fetchall():
        if kind == "table" and not str(name).startswith("sqlite_"):
            columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            # An added column is the last and has a default; no statement counts on either.
            parts = tuple(sorted((c[1], c[2], c[3], c[5]) for c in columns))
            found[str(name)] = (bool(keyed), bool(strict), parts)
    for name, text in connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall():
        found[str(name)] = " ".join(str(text).split())
    return found


def unlike(connection: sqlite3.Connection, sql: Sql) -> str | None:
    """Return the first table or index that is not as ``store.sql`` says; ``None`` if all are."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh.row_factory = sqlite3.Row
        create(fresh, sql)
        wanted = structure(fresh)
    found = structure(connection)
    return next(
        (name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)), None
    )


def _apply(
    connection: sqlite3.Connection, core: Path, sql: Sql, *, since: int, accept: Accept
) -> None:
    # References cannot be held while a table is made anew under its old name; they are checked below.
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("BEGIN IMMEDIATE")
    for version in range(since + 1, SCHEMA_VERSION + 1):
        for statement in statements(version):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    other = unlike(connection, sql)
    if other is not None:
        raise _refused(core, f"{other} is not what schema version {SCHEMA_VERSION} says")
    problem = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if problem != "ok":
        raise _refused(core, problem)
    for row in connection.execute("PRAGMA foreign_key_check").fetchall():
        raise _refused(core, f"{row[0]}: row {row[1]} refers to nothing")
    accept(ConnectionReader(connection, sql))
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys=ON")


def _refused(core: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        f"{core.name} cannot be brought to schema version {SCHEMA_VERSION}: {problem}; it is as it was",
        code="UPGRADE_FAILED",
        field="data-dir",
        value=core.name,
        accepted="a whole database of an earlier schema version",
    )


def _keep(connection: sqlite3.Connection, core: Path) -> Path:
    """Copy the run as it is to a folder beside it, whole and on disk, and return that folder."""
    folder = core.parent
    kept, making = folder / BEFORE_UPGRADE, folder / f"{BEFORE_UPGRADE}.partial"
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        connection.execute("VACUUM INTO ?", (str(making / "copy.db"),))
        (making / "copy.db").rename(making / core.name)
        for name in BESIDE:
            if (folder / name).exists():
                shutil.copyfile(folder / name, making / name)
        for file in making.iterdir():
            file.chmod(0o600)
            with file.open("rb") as content:
                os.fsync(content.fileno())
        sync_folder(making)
        # Until the upgrade is on disk an older copy is one of a state that is still there.
        shutil.rmtree(kept, ignore_errors=True)
        making.rename(kept)
        sync_folder(folder)
    except (OSError, sqlite3.OperationalError) as error:
        shutil.rmtree(making, ignore_errors=True)
        raise _refused(core, f"the copy before it failed: {error}") from None
    return kept
