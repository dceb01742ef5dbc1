"""What the rigs have done so far, by rig and commit: ``docs/counters.json``, never typed by hand."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "counters.json"


def add(rig: str, **counts: int) -> None:
    """Add ``counts`` to what ``rig`` has done on the present commit."""
    commit = _commit()
    with (ROOT / ".cache" / "counters.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read()
        entry = known.setdefault(rig, {}).setdefault(commit, {})
        for name, count in counts.items():
            entry[name] = entry.get(name, 0) + count
        written = FILE.with_suffix(".json.new")
        written.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        os.replace(written, FILE)


def here(rig: str, name: str) -> int:
    """Return a count of ``rig`` on the present commit."""
    return int(_read().get(rig, {}).get(_commit(), {}).get(name, 0))


def total(rig: str, name: str) -> int:
    """Return a count of ``rig`` over all commits."""
    return sum(int(entry.get(name, 0)) for entry in _read().get(rig, {}).values())


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def _commit() -> str:
    def git(*arguments: str) -> str:
        found = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return found.stdout.strip()

    # Figures of a changed tree are those of no commit; they say so.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
