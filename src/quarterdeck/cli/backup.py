"""Backing up a data folder, and restoring it elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quarterdeck import __version__
from quarterdeck.adapters.brokers.kept import known
from quarterdeck.runtime.backup import Backup, back_up, restore
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.database import load_sql


def take(target: Path, *, data_dir: Path, as_json: bool) -> int:
    """Back the run in ``data_dir`` up into ``target``."""
    made = back_up(
        data_dir,
        target,
        sql=load_sql(),
        at=SystemClock().now(),
        version=__version__,
        known=known,
    )
    _say(made, f"backed up {data_dir} to {target}", as_json=as_json)
    return 0


def put_back(source: Path, *, data_dir: Path, fresh: bool, as_json: bool) -> int:
    """Restore the backup in ``source`` into ``data_dir``."""
    made = restore(source, data_dir, sql=load_sql(), fresh=fresh)
    _say(made, f"restored {source} to {data_dir}", as_json=as_json)
    return 0


def _say(made: Backup, what: str, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
        return
    print(f"{what}: step {made.step:,}, slice {made.slice + 1:,}, taken at {made.taken_at}")
    print(f"state {made.state_digest}")
