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
    assert told.wait(5.0)
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


def test_raising_a_flag_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        raise_flag(tmp_path / "stop.flag")
