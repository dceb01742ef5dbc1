"""The data folder: one deck at a time, nothing half-written, nothing lost by beginning anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.runtime.folder import DataFolder, write_whole


def test_one_deck_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "deck"), pytest.raises(Conflict, match="another deck runs"):
        DataFolder(tmp_path / "deck").__enter__()
    with DataFolder(tmp_path / "deck"):
        pass


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deck").write_text("a file")
    with pytest.raises(InvalidInput, match="writable folder"):
        DataFolder(tmp_path / "deck").__enter__()


def test_the_address_is_for_its_owner_and_gone_with_the_deck(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "deck") as folder:
        folder.announce(url="http://x", key="k")
        path = tmp_path / "deck" / "deck.json"
        assert json.loads(path.read_text())["key"] == "k"
        assert path.stat().st_mode & 0o077 == 0
    assert not path.exists()


def test_beginning_anew_keeps_the_run_before(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        for content in ("first", "second"):
            folder.core.write_text(content)
            folder.move_aside()
            assert not folder.holds_a_run()
            assert (tmp_path / "previous" / "core.db").read_text() == content
        folder.move_aside()
        assert (tmp_path / "previous" / "core.db").read_text() == "second"


def test_a_move_that_was_killed_half_way_is_finished_by_the_next(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        (tmp_path / "previous").mkdir()
        (tmp_path / "previous" / "core.db").write_text("old")
        (tmp_path / "leaving").mkdir()
        (tmp_path / "leaving" / "core.db").write_text("moved already")
        folder.stop_flag.write_text("not yet")
        folder.move_aside()
        assert (tmp_path / "previous" / "core.db").read_text() == "moved already"
        assert (tmp_path / "previous" / "stop.flag").read_text() == "not yet"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
