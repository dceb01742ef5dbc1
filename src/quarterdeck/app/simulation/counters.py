"""The public counters file: what each tool has done so far, by commit."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import msgspec

RIG = "simulation"
NO_COMMIT = "no commit"


class Tally(msgspec.Struct):
    """What a number of seeds added up to."""

    seeds: int = 0
    events: int = 0
    effects: int = 0
    lives: int = 0
    violations: int = 0


class Entry(TypedDict, total=False):
    """What stands in the file for one commit: sums, the seed to go on with, and seeds that failed."""

    seeds: int
    events: int
    effects: int
    lives: int
    violations: int
    next_seed: int
    failed: list[int]


Counters = dict[str, dict[str, Entry]]


@contextmanager
def editing(path: Path) -> Iterator[Counters]:
    """Yield the counters for changing; the file is replaced as a whole, one tool at a time."""
    with _lock(path).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(path)
        yield known
        fresh = path.with_suffix(".json.new")
        fresh.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        fresh.replace(path)


def add(path: Path, tally: Tally, *, commit: str, next_seed: int, failed: list[int]) -> None:
    """Add a batch of seeds to those of ``commit``."""
    with editing(path) as known:
        entry = known.setdefault(RIG, {}).setdefault(commit, {})
        sums = {
            name: int(entry.get(name, 0)) + count  # type: ignore[call-overload]
            for name, count in msgspec.to_builtins(tally).items()
        }
        entry.update(sums)  # type: ignore[typeddict-item]
        entry["next_seed"] = max(next_seed, entry.get("next_seed", 0))
        entry["failed"] = sorted({*entry.get("failed", []), *failed})


def next_seed(path: Path) -> int:
    """Return the first seed that no counted run has used."""
    return max((entry.get("next_seed", 0) for entry in read(path).get(RIG, {}).values()), default=0)


def commit() -> str:
    """Return the commit of the sources, with ``+changes`` when they are not what it holds."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", ":/src")
    except (OSError, subprocess.CalledProcessError):
        return NO_COMMIT
    return head + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip()


def _lock(path: Path) -> Path:
    """Return the lock that every tool takes which adds to the file."""
    folder = path.resolve().parent.parent / ".cache"
    return folder / "counters.lock" if folder.is_dir() else path.with_suffix(".lock")


def read(path: Path) -> Counters:
    """Return what every tool has done so far."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
