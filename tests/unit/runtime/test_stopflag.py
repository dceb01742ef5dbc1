"""The stop flag: raised from any process, seen within milliseconds, never lowered."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quarterdeck.runtime.stopflag import SIZE, StopFlag, raise_flag, seen


def opened(path: Path, *, new_run: bool = True) -> StopFlag:
    flag = StopFlag(path)
    flag.open(new_run=new_run)
    return flag


def test_a_new_run_starts_with_nothing_raised(tmp_path: Path) -> None:
    flag = opened(tmp_path / "stop.flag")
    assert flag.raised() == 0
    flag.close()


def test_another_process_raises_it_and_the_open_map_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    flag = opened(path)
    code = f"from pathlib import Path; from quarterdeck.runtime.stopflag import raise_flag; print(raise_flag(Path({str(path)!r})))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"
    assert flag.raised() == 1
    flag.close()


def test_the_thread_answers_a_raise_even_when_nobody_else_runs(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    flag, told = opened(path), threading.Event()
    flag.watch(lambda raised: told.set())
    value = raise_flag(path)
    assert told.wait(120.0)
    assert seen(path) == value
    flag.close()


def test_a_restart_still_sees_what_was_raised(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    opened(path).close()
    raise_flag(path)
    again = opened(path, new_run=False)
    assert again.raised() == 1
    again.close()


@pytest.mark.parametrize("content", [None, b"", b"\0" * 100, b"\0" * SIZE])
def test_a_missing_short_or_foreign_flag_of_an_old_run_means_stopped(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "stop.flag"
    if content is not None:
        path.write_bytes(content)
    flag = opened(path, new_run=False)
    assert not flag.readable()
    assert flag.raised() == -1
    assert path.exists() is (content is not None)
    flag.close()


def test_a_word_that_cannot_be_true_means_stopped_and_is_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    opened(path).close()
    with path.open("r+b") as file:
        file.write(b"\xff" * 8)
    flag = opened(path, new_run=False)
    assert flag.raised() == -1
    with pytest.raises(OSError, match="damaged"):
        raise_flag(path)
    flag.close()


def test_raising_a_flag_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        raise_flag(tmp_path / "stop.flag")


def test_a_flag_that_is_unlinked_or_replaced_under_a_running_deck_means_stopped(
    tmp_path: Path,
) -> None:
    for name, spoil in (
        ("unlinked", lambda path: path.unlink()),
        ("replaced", lambda path: (path.unlink(), path.write_bytes(b"\0" * SIZE))),
        ("short", lambda path: path.write_bytes(b"")),
    ):
        path = tmp_path / name
        flag, told = opened(path), threading.Event()
        flag.watch(lambda raised, told=told: told.set())
        spoil(path)
        assert told.wait(120.0), name
        assert flag.raised() == -1, name
        assert not flag.readable(), name
        flag.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\0" * SIZE])
def test_a_short_or_foreign_flag_cannot_be_raised_and_says_so(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "stop.flag"
    path.write_bytes(content)
    with pytest.raises(OSError, match="no stop flag"):
        raise_flag(path)
    with pytest.raises(OSError, match="no stop flag"):
        seen(path)


def test_the_flag_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    opened(path).close()
    assert path.stat().st_size == SIZE
    assert [entry.name for entry in tmp_path.iterdir()] == ["stop.flag"]
