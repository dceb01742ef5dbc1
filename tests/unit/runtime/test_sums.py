"""What judges a database after a crash: each page is in the log, or is what its newest sum says."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
from array import array
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime import sums as module
from quarterdeck.runtime.database import connect
from quarterdeck.runtime.folding import begin_anew
from quarterdeck.runtime.seal import Seal
from quarterdeck.runtime.sums import Sums, judged, known_sums, path_of, write_sums

FILES = ("core.db", "core.db-wal", "core.sums")
PAGE = 4_096


class Writer:
    """A database as the journal keeps it: one writer, and a fold when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.core = folder / "core.db"
        self.sums = Sums(self.core)
        self.sums.open()
        self.connection = connect(self.core)
        self.folding, self.holding = connect(self.core), connect(self.core)
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB)")

    def write(self, *keys: int, size: int = 900) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for key in keys:
            value = random.Random(key).randbytes(size)
            self.connection.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (key, value))
        self.connection.execute("COMMIT")

    def fold(self, between: Callable[[], None] = lambda: None) -> None:
        self.holding.execute("BEGIN")
        self.holding.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        between()
        assert self.sums.note()
        self.folding.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.holding.execute("ROLLBACK")

    def cut(self) -> None:
        begin_anew(self.connection, self.sums, nullcontext)

    def crash(self, to: Path) -> Path:
        """Copy what a process that ended now would leave, and return where the database is."""
        to.mkdir()
        for name in FILES:
            if (self.core.parent / name).exists():
                shutil.copyfile(self.core.parent / name, to / name)
        return to / "core.db"

    def end(self) -> None:
        self.folding.close()
        self.holding.close()
        self.sums.close()
        self.connection.close()
        self.sums.let_go()


LOCKED = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        print("locked")
"""
"""Whoever gets this byte of a log's index takes the database for one that nobody has open, and cuts the
index short: https://sqlite.org/walformat.html, section 2.3."""


def test_a_look_at_the_log_s_index_leaves_the_locks_on_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path)

    def locked() -> bool:
        command = [sys.executable, "-c", LOCKED, str(tmp_path / "core.db-shm")]
        return subprocess.run(command, capture_output=True, check=True).stdout == b"locked\n"

    writer.write(1, 2, 3)
    assert locked()
    assert writer.sums.log_bytes() > 0
    writer.fold()
    assert locked()
    writer.cut()
    assert locked()
    writer.end()
    assert not (tmp_path / "core.db-shm").exists()


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x10
    path.write_bytes(content)


def test_after_a_crash_every_page_that_is_not_in_the_log_is_compared(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(100))
    writer.cut()
    writer.write(3)
    core = writer.crash(tmp_path / "image")
    writer.end()
    compared, logged, damage = judged(core)
    assert damage is None
    pages = core.stat().st_size // PAGE
    assert compared + logged == pages
    assert 1 <= logged <= 3


def test_a_changed_page_is_named_unless_the_log_has_it(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(100))
    writer.cut()
    writer.write(3)
    core = writer.crash(tmp_path / "image")
    writer.end()
    named = 0
    for page in range(core.stat().st_size // PAGE):
        flip(core, page * PAGE + 2_000)
        compared, logged, damage = judged(core)
        named += damage is not None
        assert damage is None or "t: " in damage or "sqlite_schema" in damage
        flip(core, page * PAGE + 2_000)
    assert named == compared
    assert logged > 0
    with core.open("r+b") as file:
        file.truncate(core.stat().st_size - PAGE)
    assert judged(core)[2] is not None


def test_a_start_after_a_crash_refuses_a_changed_file_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(100))
    writer.cut()
    writer.write(3)
    core = writer.crash(tmp_path / "image")
    writer.end()

    async def start() -> str:
        async with Seal(
            core, seal=core.with_suffix(".seal"), whole=lambda: False, step=lambda: 1
        ) as seal:
            return seal.detail()

    told = asyncio.run(start())
    assert "pages are what was written" in told
    flip(core, 7 * PAGE + 2_000)
    with pytest.raises(
        InvalidInput, match=r"changed while no deck ran: t: .*remove core\.sums"
    ) as no:
        asyncio.run(start())
    assert no.value.code == "STATE_DAMAGED"


def test_an_orderly_end_hands_its_seal_on_to_the_sums_of_the_next_run(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(*range(100))
    writer.end()
    core, seal = tmp_path / "core.db", tmp_path / "core.seal"

    async def live(*, whole: bool, step: int) -> None:
        async with Seal(core, seal=seal, whole=lambda: whole, step=lambda: step):
            pass

    asyncio.run(live(whole=True, step=1))
    assert seal.exists()
    assert not path_of(core).exists()
    asyncio.run(live(whole=False, step=2))
    assert not seal.exists()
    assert judged(core) == (core.stat().st_size // PAGE, 0, None)


def test_sums_and_seal_of_a_database_that_is_gone_judge_no_other(tmp_path: Path) -> None:
    core, seal = tmp_path / "core.db", tmp_path / "core.seal"
    write_sums(path_of(core), array("I", [7, 8, 9]), page_size=PAGE)
    seal.write_bytes(b"of another")

    async def start() -> None:
        async with Seal(core, seal=seal, whole=lambda: False, step=lambda: 1):
            assert not seal.exists()
            assert not path_of(core).exists()

    asyncio.run(start())


def test_a_batch_that_was_not_synced_whole_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "core.sums"
    write_sums(path, array("I", [7, 0, 9]), page_size=PAGE)
    whole = path.read_bytes()
    later = module._batch(array("I", [1, 8, 4, 5]), PAGE)
    for kept in range(len(later)):
        path.write_bytes(whole + later[:kept])
        assert known_sums(path)[0].tolist() == [7, 0, 9]
        path.write_bytes(whole + bytes(kept))
        assert known_sums(path)[1] == PAGE
    path.write_bytes(whole + later)
    known, size = known_sums(path)
    assert (known.tolist(), size) == ([8, 0, 9, 5], PAGE)


def test_what_is_committed_after_the_snapshot_of_a_fold_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(50))
    writer.fold(between=lambda: writer.write(*range(20, 80)))
    core = writer.crash(tmp_path / "before")
    assert judged(core)[2] is None
    writer.write(1)
    core = writer.crash(tmp_path / "after")
    writer.end()
    assert judged(core)[2] is None


def test_frames_that_a_crashed_commit_left_behind_are_not_summed(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(50))
    log = tmp_path / "alive" / "core.db-wal"
    whole = log.stat().st_size
    writer.write(*range(100, 160))
    core = writer.crash(tmp_path / "image")
    writer.end()
    # The first frame of the second commit is torn: that commit never was, though the rest of it is there.
    flip(core.with_name("core.db-wal"), whole + 24 + 100)
    again = Writer(core.parent)
    again.write(1)
    again.fold()
    again.write(2)
    last = again.crash(tmp_path / "last")
    again.end()
    assert judged(last)[2] is None
    with closing(sqlite3.connect(last)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM t").fetchone()[0] == 50


def test_sums_that_cannot_be_written_are_gone_and_nothing_is_folded_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alive").mkdir()
    writer = Writer(tmp_path / "alive")
    writer.write(*range(50))
    writer.cut()
    writer.write(1)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            writer.cut()
    with pytest.raises(OSError, match=r"core\.sums could not be written"):
        writer.cut()
    writer.end()
    assert judged(tmp_path / "alive" / "core.db") == (0, 0, None)


def test_a_log_that_cannot_be_read_at_the_end_leaves_no_sums(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(*range(50))
    writer.cut()
    writer.write(1)
    # A folder cannot be read as a file.
    writer.sums._index = tmp_path
    writer.end()
    assert not path_of(writer.core).exists()
    assert judged(writer.core) == (0, 0, None)


def test_the_file_of_the_sums_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_BYTES", 2_000)
    writer = Writer(tmp_path)
    sizes = []
    for _ in range(200):
        writer.write(*range(40))
        writer.fold()
        sizes.append(path_of(writer.core).stat().st_size)
    writer.end()
    assert max(sizes) < 3_000
    assert judged(writer.core)[2] is None


ACTS = ("write", "many", "fold", "meet", "cut", "crash")


@given(st.lists(st.sampled_from(ACTS), max_size=25), st.integers())
@settings(max_examples=60, deadline=None)
def test_no_order_of_commits_folds_cuts_and_crashes_looks_like_damage(
    tmp_path_factory: pytest.TempPathFactory, what: list[str], seed: int
) -> None:
    root, chance, lives = tmp_path_factory.mktemp("lives"), random.Random(seed), 0
    (root / "0").mkdir()
    writer = Writer(root / "0")
    for act in [*what, "crash"]:
        keys = chance.choices(range(150), k=60 if act == "many" else 4)
        if act in ("write", "many"):
            writer.write(*keys)
        elif act == "fold":
            writer.fold()
        elif act == "meet":
            writer.fold(between=partial(writer.write, *keys))
        elif act == "cut":
            writer.cut()
        else:
            lives += 1
            core = writer.crash(root / str(lives))
            writer.end()
            assert judged(writer.core)[2] is None, "an end without a seal"
            assert judged(core)[2] is None
            writer = Writer(core.parent)
    writer.end()
