"""Backups: consistent while the deck writes, and restored only if every byte is as it was."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from quarterdeck.adapters.brokers.kept import known
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.backup import MANIFEST, Backup, back_up, restore
from quarterdeck.runtime.database import connect, state_digest
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.stopflag import StopFlag
from tests.unit.runtime.signed import SQL, chained_folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A data folder with a run: records, heads, a stop flag."""
    folder = tmp_path / "deck"
    folder.mkdir()
    chained_folder(folder, records=6, every=2)
    flag = StopFlag(folder / "stop.flag")
    flag.open(new_run=True)
    flag.close()
    with closing(connect(folder / "core.db")) as connection:
        connection.execute("INSERT INTO manifest VALUES ('feed', 'x')")
    return folder


def taken(folder: Path, target: Path) -> Backup:
    return back_up(folder, target, sql=SQL, at=Nanos(0), version="1", known=known)


def digest_of(folder: Path) -> str:
    with closing(connect(folder / "core.db", read_only=True)) as connection:
        return state_digest(connection, SQL).hex()


def test_what_is_restored_is_what_was_backed_up(run: Path, tmp_path: Path) -> None:
    made = taken(run, tmp_path / "backup")
    assert sorted(made.files) == ["audit.heads", "core.db", "stop.flag"]
    assert restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False) == made
    assert digest_of(tmp_path / "new") == digest_of(run) == made.state_digest
    for name in ("audit.heads", "stop.flag"):
        assert (tmp_path / "new" / name).read_bytes() == (run / name).read_bytes()
    assert not (tmp_path / "new" / "audit.key").exists()


def test_a_backup_never_waits_for_the_writer_nor_sees_half_a_step(
    run: Path, tmp_path: Path
) -> None:
    before = digest_of(run)
    with closing(connect(run / "core.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO manifest VALUES ('half', 'a step')")
        assert taken(run, tmp_path / "backup").state_digest == before
        writer.execute("COMMIT")
    assert digest_of(run) != before


def test_the_writer_commits_while_a_backup_is_made(run: Path, tmp_path: Path) -> None:
    with closing(connect(run / "core.db")) as writer:
        writer.execute("BEGIN")
        for n in range(2_000):
            writer.execute("INSERT INTO manifest VALUES (?, ?)", (f"fill{n}", "x" * 2_000))
        writer.execute("COMMIT")
        writer.execute("PRAGMA busy_timeout=0")
        stop = threading.Event()
        thread = threading.Thread(
            target=lambda: (taken(run, tmp_path / "backup"), stop.set()), daemon=True
        )
        thread.start()
        commits = 0
        while not stop.is_set():
            # A writer that had to wait would be refused at once.
            writer.execute("INSERT INTO manifest VALUES (?, 'x')", (f"during{commits}",))
            commits += 1
        thread.join()
    assert commits > 0
    restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False)


@pytest.mark.parametrize("name", ["core.db", "audit.heads", "stop.flag", MANIFEST])
def test_one_changed_byte_anywhere_is_refused_and_nothing_put_in_place(
    run: Path, tmp_path: Path, name: str
) -> None:
    taken(run, tmp_path / "backup")
    path = tmp_path / "backup" / name
    whole = path.read_bytes()
    step = max(1, len(whole) // 40)
    for place in range(0, len(whole), step):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if name == MANIFEST and _same_manifest(whole, path.read_bytes()):
            continue
        with pytest.raises(InvalidInput):
            restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False)
        left = {entry.name for entry in (tmp_path / "new").glob("*")} - {"lock"}
        assert left == set()


def _same_manifest(one: bytes, other: bytes) -> bool:
    """Whether only the space between two words changed."""
    try:
        return msgspec.json.decode(one, type=Backup) == msgspec.json.decode(other, type=Backup)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def test_a_missing_file_is_refused(run: Path, tmp_path: Path) -> None:
    taken(run, tmp_path / "backup")
    (tmp_path / "backup" / "stop.flag").unlink()
    with pytest.raises(InvalidInput, match=r"stop\.flag is missing"):
        restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False)


def test_a_changed_state_under_a_right_file_hash_is_refused(run: Path, tmp_path: Path) -> None:
    made = taken(run, tmp_path / "backup")
    forged = msgspec.structs.replace(made, state_digest="0" * 64, digest="")
    forged = msgspec.structs.replace(forged, digest=forged.own_digest())
    (tmp_path / "backup" / MANIFEST).write_bytes(msgspec.json.encode(forged))
    with pytest.raises(InvalidInput, match="state digest"):
        restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False)


def test_a_folder_that_holds_anything_is_left_alone_unless_fresh(run: Path, tmp_path: Path) -> None:
    taken(run, tmp_path / "backup")
    with closing(connect(run / "core.db")) as connection:
        connection.execute("INSERT INTO manifest VALUES ('later', 'x')")
    later = digest_of(run)
    with pytest.raises(Conflict, match="--fresh"):
        restore(tmp_path / "backup", run, sql=SQL, fresh=False)
    assert digest_of(run) == later
    made = restore(tmp_path / "backup", run, sql=SQL, fresh=True)
    assert digest_of(run) == made.state_digest
    assert digest_of(run / "previous") == later


def test_a_folder_with_a_running_deck_is_refused(run: Path, tmp_path: Path) -> None:
    taken(run, tmp_path / "backup")
    with DataFolder(run), pytest.raises(Conflict, match="another deck runs"):
        restore(tmp_path / "backup", run, sql=SQL, fresh=True)


def test_what_a_remote_venue_was_asked_is_backed_up_as_far_as_the_database_knows_of_it(
    run: Path, tmp_path: Path
) -> None:
    (run / "venue.json").write_bytes(b"{}")
    (run / "venue.requests").write_bytes(b'{"cancel":"known"}\n{"bars":[7,{}]}\n{"canc')
    made = taken(run, tmp_path / "backup")
    assert {"venue.json", "venue.requests"} < set(made.files)
    restore(tmp_path / "backup", tmp_path / "new", sql=SQL, fresh=False)
    # No slice has closed in this run, and the last line was cut short.
    assert (tmp_path / "new" / "venue.requests").read_bytes() == b'{"cancel":"known"}\n'
    assert (tmp_path / "new" / "venue.json").read_bytes() == b"{}"


def test_a_backup_goes_into_a_new_folder_only(run: Path, tmp_path: Path) -> None:
    taken(run, tmp_path / "backup")
    with pytest.raises(InvalidInput, match="new or empty"):
        taken(run, tmp_path / "backup")
    with pytest.raises(NotFound, match="holds no run"):
        taken(tmp_path / "nothing", tmp_path / "other")
    with pytest.raises(NotFound, match="no backup"):
        restore(tmp_path / "nothing", tmp_path / "new", sql=SQL, fresh=False)


def test_heads_beyond_the_copied_chain_are_not_backed_up(run: Path, tmp_path: Path) -> None:
    # What a deck has signed between the copy of the database and that of the file.
    whole = (run / "audit.heads").read_bytes()
    with closing(sqlite3.connect(run / "core.db")) as connection, connection:
        connection.execute("DELETE FROM signed_heads WHERE number = 3")
    taken(run, tmp_path / "backup")
    held = (tmp_path / "backup" / "audit.heads").read_bytes()
    assert whole.startswith(held)
    assert held.count(b"\n") == 2
