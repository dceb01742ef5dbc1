"""The audit chain of a data folder, verified or exported, with or without a running deck."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quarterdeck.kernel.errors import InvalidInput, NotFound, Unavailable
from quarterdeck.runtime.database import ConnectionReader, connect, load_sql, refuse_other_schema
from quarterdeck.runtime.examination import Examination, Finding, examine, exported

KEY_DIGITS = 64


def verify(data_dir: Path, *, key: str | None, as_json: bool) -> int:
    """Recompute every hash and check every head; exit 1 and name what does not hold."""
    if key is not None and (len(key) != KEY_DIGITS or set(key) - set("0123456789abcdef")):
        raise InvalidInput.of("--key", key, f"{KEY_DIGITS} hexadecimal digits, as this prints them")
    with reading(data_dir, earlier=True) as reader:
        found = examine(reader, data_dir / "audit.heads", key=key)
    print(json.dumps(_as_json(found), indent=2) if as_json else "\n".join(_as_text(found)))
    return 1 if found.findings else 0


def export(data_dir: Path) -> int:
    """Print every record as a line of JSON that the published verifier reads."""
    with reading(data_dir, earlier=True) as reader:
        for line in exported(reader):
            print(line)
    return 0


@contextmanager
def reading(data_dir: Path, *, earlier: bool = False) -> Iterator[ConnectionReader]:
    """Read one state of the folder's database, also while a deck writes it.

    With ``earlier`` the schema may be an earlier one: the audit chain is the same in all.
    """
    path = data_dir / "core.db"
    if not path.exists():
        raise NotFound(
            f"{data_dir} holds no run; name its folder with --data-dir", field="data-dir"
        )
    try:
        connection = connect(path, read_only=True)
        try:
            # One state from the first page to the last, also while a deck writes.
            connection.execute("BEGIN")
            refuse_other_schema(connection, path, earlier=earlier)
            yield ConnectionReader(connection, load_sql())
        finally:
            connection.close()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read: {error}", field="data-dir") from None


def _first_broken(found: Examination, name: str) -> Finding | None:
    return next((one for one in found.findings if one.partition == name), None)


def _as_text(found: Examination) -> Iterator[str]:
    for name, records in found.records.items():
        wrong = _first_broken(found, name)
        state = "chain OK" if wrong is None else f"BROKEN at record {wrong.record}"
        covered = f"signed up to record {found.covered.get(name, 0):,}"
        yield f"{name}: {records:,} records, {state}, {covered}"
    broken = [one for one in found.findings if one.partition is None]
    yield f"heads: {found.heads:,} signed, {'BROKEN' if broken else 'all OK'}"
    yield from (f"key: {key}" for key in found.keys)
    yield from (f"  {one.text}" for one in found.findings)


def _as_json(found: Examination) -> dict[str, object]:
    return {
        "ok": not found.findings,
        "partitions": {
            name: {
                "records": records,
                "first_broken": None if (one := _first_broken(found, name)) is None else one.record,
                "signed_up_to": found.covered.get(name, 0),
            }
            for name, records in found.records.items()
        },
        "heads": found.heads,
        "keys": list(found.keys),
        "findings": [
            {"text": one.text, "partition": one.partition, "record": one.record, "head": one.head}
            for one in found.findings
        ],
    }
