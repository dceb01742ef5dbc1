"""A database that was changed while no deck ran is refused, and the row is named."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from quarterdeck.app.deck import Deck
from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.runtime.database import load_sql
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.seal import Checks, Seal, first_damage, read_seal
from tests.unit.app.decks import lived, plan_in

FLIPS = 120
SEED = 20261128


async def nothing(deck: Deck) -> None:
    """Live to the end of the feed and leave."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that ended in order."""
    path = tmp_path_factory.mktemp("closed") / "deck"
    lived(path, nothing)
    return path


def sealed(path: Path) -> Checks:
    seal = read_seal(path / "core.seal")
    assert seal is not None
    return seal


@contextmanager
def flipped(core: Path, offset: int, bit: int) -> Iterator[None]:
    """Turn one bit of the file over, and back."""

    def turn() -> None:
        with core.open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1 << bit]))

    turn()
    try:
        yield
    finally:
        turn()


def row_of(core: Path, table: str, key: str | None = None) -> object:
    """Return the row as SQLite reads it, or what it says instead; without ``key`` all rows."""
    with closing(sqlite3.connect(f"{core.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytearray
        try:
            if key is None:
                return _exactly(connection.execute(f"SELECT * FROM {table}"))
            names = connection.execute(f"PRAGMA table_info({table})").fetchall()
            keys = [str(n[1].decode()) for n in sorted(names, key=lambda n: n[5]) if n[5]]
            if len(keys) != len(_parts(key)):
                return []  # the key itself was changed into what no key can be
            # By looking at every row: a key changed into another row's is otherwise not seen.
            where = " AND ".join(
                f"+{name} = {part}" for name, part in zip(keys, _parts(key), strict=True)
            )
            return _exactly(connection.execute(f"SELECT * FROM {table} WHERE {where}"))
        except sqlite3.DatabaseError as error:
            return str(error)


def _exactly(rows: Iterable[object]) -> list[str]:
    """Return rows so that a text is another thing than the same bytes as a blob."""
    return [repr(row) for row in rows]


def _parts(key: str) -> list[str]:
    return re.findall(r"'[^']*'|-?\d+", key)


def place_of(core: Path, table: str, column: str) -> tuple[int, str]:
    """Return where in the file the middle row of ``table`` has ``column``, and the row's key."""
    with closing(sqlite3.connect(f"{core.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        names = connection.execute(f"PRAGMA table_info({table})").fetchall()
        keys = ", ".join(n[1] for n in sorted(names, key=lambda n: n[5]) if n[5])
        found = connection.execute(f"SELECT {column}, {keys} FROM {table}").fetchall()
    text, *parts = found[len(found) // 2]
    key = ", ".join(repr(part) for part in parts)
    wanted = (text.encode() if isinstance(text, str) else bytes(text))[:200]
    for match in re.finditer(re.escape(wanted), core.read_bytes()):
        # In the key's own last byte the row would get another key; elsewhere only its content.
        before = row_of(core, table, key)
        with flipped(core, match.start(), 0):
            # The same letters in the schema would take the whole table away.
            after = row_of(core, table, key)
            if isinstance(after, list) and after not in (before, []):
                return match.start(), key
    raise AssertionError(f"{table}.{column} is not in the file")


def test_whatever_bit_turns_over_is_found_and_the_row_it_is_in_is_named(
    closed: Path, tmp_path: Path
) -> None:
    core = tmp_path / "core.db"
    shutil.copyfile(closed / "core.db", core)
    seal, size = sealed(closed), core.stat().st_size
    assert first_damage(core, seal) is None
    chance, named, alike = random.Random(SEED), set(), 0
    for _ in range(FLIPS):
        offset, bit = chance.randrange(100, size), chance.randrange(8)
        with flipped(core, offset, bit):
            told = first_damage(core, seal)
            assert told is not None, f"byte {offset}, bit {bit}"
            found = re.fullmatch(r"(\w+): row (.+)", told)
            if found is not None:
                table, key = found.groups()
                after, with_it = row_of(core, table, key), row_of(core, table)
        if found is not None and table != "checkpoint":
            # A key that was itself changed is named as it is now, and may be that of another row.
            changed = row_of(core, table, key) != after or after == []
            # A type that SQLite keeps for itself reads as NULL: such a row is damaged and reads alike.
            alike += not (changed or row_of(core, table) != with_it)
            named.add(table)
    assert first_damage(core, seal) is None
    assert len(named) > 5
    assert alike * 100 <= FLIPS


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("execution_orders", "order_id"),
        ("execution_fills", "fill_id"),
        ("execution_ledger", "memo"),
        ("answer", "answer"),
        ("step", "caller"),
        ("manifest", "value"),
        ("tasks", "task_id"),
        ("alert_episodes", "text"),
        ("agents", "label"),
        ("audit", "record"),
    ],
)
def test_one_byte_of_a_row_refuses_the_start_and_names_table_and_row(
    closed: Path, tmp_path: Path, table: str, column: str
) -> None:
    path = tmp_path / "deck"
    shutil.copytree(closed, path)
    core = path / "core.db"
    offset, key = place_of(core, table, column)
    with flipped(core, offset, 0), pytest.raises(InvalidInput) as refused:
        lived(path, nothing)
    assert refused.value.code == "STATE_DAMAGED"
    assert f"{table}: row {key}; restore" in str(refused.value)
    assert (path / "core.seal").exists(), "a refused start leaves everything as it was"


def test_every_table_with_hashed_columns_lies_in_the_sealed_file(closed: Path) -> None:
    with closing(sqlite3.connect(closed / "core.db")) as connection:
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    assert {table for table, columns in load_sql().hashed.items() if columns} <= there


def test_a_seal_is_broken_by_the_start_and_made_again_by_the_end(
    closed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "deck"
    shutil.copytree(closed, path)
    before = sealed(path)

    async def look(deck: Deck) -> None:
        assert not (path / "core.seal").exists()
        assert deck.seal.verified == before.step

    deck = lived(path, look)
    assert sealed(path).step == deck.engine.journal.durable
    assert first_damage(path / "core.db", sealed(path)) is None


def test_a_refused_start_leaves_the_seal_as_it_was(closed: Path, tmp_path: Path) -> None:
    path = tmp_path / "deck"
    shutil.copytree(closed, path)
    with DataFolder(path) as folder:
        plan = plan_in(folder)
        run = msgspec.structs.replace(plan.config.run, seed=7)
        other = replace(plan, config=msgspec.structs.replace(plan.config, run=run))
        with pytest.raises(Conflict, match="holds another run: seed"):
            asyncio.run(Deck(other, kernel_digest="as tested").run(nothing_to_say))
    assert sealed(path) == sealed(closed)


async def nothing_to_say() -> None:
    """Never reached."""


def test_what_did_not_all_reach_the_disk_is_not_sealed(closed: Path, tmp_path: Path) -> None:
    path = tmp_path / "deck"
    shutil.copytree(closed, path)

    async def opened(*, whole: bool, step: int) -> None:
        async with Seal(
            path / "core.db", seal=path / "core.seal", whole=lambda: whole, step=lambda: step
        ):
            assert not (path / "core.seal").exists()

    asyncio.run(opened(whole=False, step=sealed(path).step + 1))
    assert not (path / "core.seal").exists()
    asyncio.run(opened(whole=True, step=7))
    assert sealed(path).step == 7


def test_a_log_written_beside_a_sealed_file_refuses_the_start(closed: Path, tmp_path: Path) -> None:
    path = tmp_path / "deck"
    shutil.copytree(closed, path)
    with closing(sqlite3.connect(path / "core.db")) as connection:
        connection.execute("UPDATE execution_accounts SET cash_units = 0 WHERE number = 1")
        connection.commit()
        shutil.copyfile(path / "core.db-wal", path / "kept")
    shutil.copyfile(closed / "core.db", path / "core.db")
    (path / "kept").rename(path / "core.db-wal")
    with pytest.raises(InvalidInput, match=r"core\.db-wal holds writes"):
        lived(path, nothing)
