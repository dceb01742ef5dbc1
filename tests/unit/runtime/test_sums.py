"""A row that is not as it was written is found, and told by table and keys."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import Conflict
from quarterdeck.runtime import sums
from quarterdeck.runtime.database import connect, create, load_sql
from quarterdeck.runtime.journal import write_steps
from quarterdeck.runtime.sums import SEGMENT_ROWS, StateSums, differences, refuse_differences

SQL = load_sql()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "core.db", synchronous="OFF")) as connection:
        create(connection, SQL)
        yield connection


def step(number: int, caller: str = "deck") -> tuple[str, dict[str, object]]:
    values = {"kind": "slice", "slice": number, "at": number, "caller": caller, "machine_at": 7}
    return "runtime.step_saved", {"number": number, **values}


def answer(key: str, number: int) -> tuple[str, dict[str, object]]:
    values = {"request_hash": b"r", "answer": b"a", "step": number, "ordinal": 0}
    return "runtime.answer_saved", {"caller": "a", "idempotency_key": key, **values}


def mark(row: int, price: int) -> tuple[str, dict[str, object]]:
    return "execution.mark_saved", {"instrument": row, "price_units": price, "missed": 0}


def test_the_sums_follow_inserts_upserts_updates_and_deletions(
    database: sqlite3.Connection,
) -> None:
    chance, following = random.Random(5), StateSums(SQL)
    following.follow(database)
    for number in range(1, 200):
        rows = [step(number), answer(str(number), number), mark(number % 5, chance.randrange(99))]
        if number > 20 and chance.random() < 0.5:
            key = str(number - 20)
            rows.append(
                ("runtime.answer_forgotten", {"caller": "a", "idempotency_key": key}),
            )
        write_steps(database, SQL, [rows], following)
        if number % 40 == 0:
            # A new life knows only what is in the file.
            database.execute("SELECT name FROM temp.sqlite_master").fetchall()
    assert list(differences(database, SQL, tail=None)) == []
    kept = database.execute("SELECT name, segment, rows, total FROM state_sums").fetchall()
    sums.written_anew(database, SQL)
    again = database.execute("SELECT name, segment, rows, total FROM state_sums").fetchall()
    assert {tuple(row) for row in kept if row["rows"]} == {tuple(row) for row in again}


def test_another_life_goes_on_with_the_sums_of_the_one_before(tmp_path: Path) -> None:
    for life in range(3):
        with closing(connect(tmp_path / "core.db", synchronous="OFF")) as connection:
            create(connection, SQL)
            following = StateSums(SQL)
            following.follow(connection)
            rows = [step(2 * life + 1), mark(0, life), step(2 * life + 2)]
            write_steps(connection, SQL, [rows], following)
            refuse_differences(connection, SQL)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE execution_marks SET price_units = price_units + 1", "execution_marks, keys 0"),
        ("DELETE FROM execution_marks WHERE instrument = 1", "execution_marks"),
        ("UPDATE step SET caller = 'deck ' WHERE number = 5000", "step, keys 4,096 to 8,191"),
        ("INSERT INTO answer VALUES ('b', 'k', x'00', x'00', 1, 1)", "answer;"),
        ("INSERT INTO step VALUES (900000, 'slice', 1, 1, 'deck', 1)", "step, keys 897,024"),
    ],
)
def test_a_changed_missing_or_added_row_refuses_the_start(
    database: sqlite3.Connection, statement: str, where: str
) -> None:
    following = StateSums(SQL)
    following.follow(database)
    rows = [step(number) for number in range(1, 6_000)] + [mark(0, 5), mark(1, 6)]
    write_steps(database, SQL, [rows], following)
    refuse_differences(database, SQL)
    for trigger in database.execute("SELECT name FROM temp.sqlite_master").fetchall():
        database.execute(f"DROP TRIGGER temp.{trigger[0]}")
    database.execute(statement)
    with pytest.raises(Conflict, match=where) as refused:
        refuse_differences(database, SQL)
    assert refused.value.code == "STATE_DIFFERS"


def test_a_start_looks_at_the_newest_rows_and_on_demand_at_all(
    database: sqlite3.Connection,
) -> None:
    following = StateSums(SQL)
    following.follow(database)
    rows = [step(number) for number in range(1, 6 * SEGMENT_ROWS)]
    write_steps(database, SQL, [rows], following)
    for trigger in database.execute("SELECT name FROM temp.sqlite_master").fetchall():
        database.execute(f"DROP TRIGGER temp.{trigger[0]}")
    database.execute("UPDATE step SET slice = 0 WHERE number = 3")
    refuse_differences(database, SQL)
    assert [place.text for place in differences(database, SQL, tail=None)] == [
        "step, keys 0 to 4,095"
    ]
