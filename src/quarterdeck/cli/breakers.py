"""Circuit breakers from the command line: shown and closed."""

from __future__ import annotations

import json
from pathlib import Path

from quarterdeck.cli.columns import times
from quarterdeck.cli.console import Answer, ask


def show(data_dir: Path, *, as_json: bool) -> int:
    """Print every breaker that has ever opened."""
    found = ask(data_dir, "GET", "/breakers")["breakers"]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found:
        print(_line(row))
    if not found:
        print("no circuit breaker has opened in this run")
    return 0


def history(data_dir: Path, *, as_json: bool) -> int:
    """Print the last changes, newest first."""
    found = ask(data_dir, "GET", "/breakers/events")["events"]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found:
        print(
            f"{row['at']}  {row['kind']} of {row['scope']} {row['subject']} {row['state']}, by "
            f"{row['by']}: {row['reason']} ({row['evidence']})"
        )
    return 0


def reset(
    data_dir: Path, *, kind: str, scope: str, subject: str, reason: str, as_json: bool
) -> int:
    """Close a breaker that is not closed."""
    body: Answer = {"kind": kind, "scope": scope, "subject": subject, "reason": reason}
    answer = ask(data_dir, "POST", "/breakers/reset", body)
    print(json.dumps(answer, indent=2) if as_json else _line(answer))
    return 0


def _line(row: Answer) -> str:
    again = row["half_open_slice"]
    then = "" if again is None else f", tried again at slice {again}"
    return (
        f"{row['kind']} of {row['scope']} {row['subject']}: {row['state']} since {row['since']} "
        f"(slice {row['since_slice']}{then}), opened {times(row['trips'])}; {row['reason']}; "
        f"{row['evidence']}"
    )
