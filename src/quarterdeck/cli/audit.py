"""Verifying the audit chain of a data folder, with or without a running deck."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from quarterdeck.kernel.errors import NotFound, Unavailable
from quarterdeck.runtime.audit import verified
from quarterdeck.runtime.database import ConnectionReader, connect, load_sql


def verify(data_dir: Path, *, as_json: bool) -> int:
    """Recompute every hash; exit 1 and name the record at the first that does not follow."""
    path = data_dir / "core.db"
    if not path.exists():
        raise NotFound(
            f"{data_dir} holds no run; name its folder with --data-dir", field="data-dir"
        )
    try:
        connection = connect(path, read_only=True)
        try:
            found = verified(ConnectionReader(connection, load_sql()))
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{path} cannot be read: {error}", field="data-dir") from None
    broken = {name: at for name, (_, at) in found.items() if at is not None}
    if as_json:
        print(
            json.dumps(
                {
                    "ok": not broken,
                    "partitions": {
                        name: {"records": records, "first_broken": at}
                        for name, (records, at) in found.items()
                    },
                },
                indent=2,
            )
        )
    else:
        for name, (records, at) in found.items():
            state = "chain OK" if at is None else f"BROKEN at record {at}"
            print(f"{name}: {records:,} records, {state}")
    return 1 if broken else 0
