"""Limits by level from the command line: shown, set, confirmed."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from quarterdeck.cli.columns import lined_up
from quarterdeck.cli.console import Answer, ask


def show(data_dir: Path, *, agent: str | None, as_json: bool) -> int:
    """Print every limit that is set and the changes that wait, or what holds for one agent."""
    if agent is not None:
        return _show_agent(data_dir, agent, as_json=as_json)
    found = ask(data_dir, "GET", "/limits")
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"limit set {found['version']}")
    rows = [
        (f"{row['scope']} {row['subject']}", row["name"], row["value"], row["unit"], row["code"])
        for row in found["limits"]
    ]
    print("\n".join(lined_up([("LEVEL", "LIMIT", "VALUE", "UNIT", "CODE"), *rows])))
    for row in found["pending"]:
        print(
            f"waits: change {row['change']}, {row['name']} of {row['scope']} {row['subject']} from "
            f"{row['previous'] or 'none'} to {row['value'] or 'none'}, by {row['by']} until {row['expires_at']}: "
            f"{row['reason']}"
        )
    return 0


def _show_agent(data_dir: Path, agent: str, *, as_json: bool) -> int:
    found = ask(data_dir, "GET", f"/gate?{urlencode({'agent': agent})}")
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"limit set {found['version']}, in force for {agent}")
    rows = [
        (row["name"], row["value"], row["unit"], row["scope"], row["code"])
        for row in found["limits"]
    ]
    print("\n".join(lined_up([("LIMIT", "VALUE", "UNIT", "SET BY", "CODE"), *rows])))
    return 0


def names(data_dir: Path, *, as_json: bool) -> int:
    """Print every limit that can be set."""
    found = ask(data_dir, "GET", "/limits/names")["names"]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    rows = [
        (row["name"], row["unit"], row["tighter"], row["code"], row["meaning"]) for row in found
    ]
    print("\n".join(lined_up([("LIMIT", "UNIT", "TIGHTER", "CODE", "MEANING"), *rows])))
    return 0


def history(data_dir: Path, *, as_json: bool) -> int:
    """Print the last changes with who, why and when."""
    found = ask(data_dir, "GET", "/limits/changes")["changes"]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found:
        print(f"{row['at']}  {_line(row)}")
    if not found:
        print("no limit was changed in this run")
    return 0


def change(
    data_dir: Path,
    *,
    name: str,
    value: str | None,
    scope: str,
    subject: str,
    reason: str,
    as_json: bool,
) -> int:
    """Set a limit, or with no ``value`` remove it from a level."""
    body: Answer = {
        "scope": scope,
        "subject": subject,
        "name": name,
        "value": value,
        "reason": reason,
    }
    return _told(ask(data_dir, "POST", "/limits", body), as_json=as_json)


def confirm(data_dir: Path, *, number: int, reason: str, as_json: bool) -> int:
    """Put a change that loosens in force."""
    body: Answer = {"reason": reason}
    answer = ask(data_dir, "POST", f"/limits/changes/{number}/confirm", body)
    return _told(answer, as_json=as_json)


def _told(answer: Answer, *, as_json: bool) -> int:
    print(json.dumps(answer, indent=2) if as_json else _line(answer))
    if answer["next"] and not as_json:
        print(f"{answer['next']} (quarterdeck limits confirm {answer['change']} --reason ...)")
    return 0


def _line(row: Answer) -> str:
    confirmed = f", confirmed by {row['confirmed_by']}" if row["confirmed_by"] else ""
    return (
        f"change {row['change']} {row['status']}: {row['name']} of {row['scope']} "
        f"{row['subject']} from {row['previous'] or 'none'} to {row['value'] or 'none'} (limit set {row['version']}), "
        f"by {row['by']}{confirmed}: {row['reason']}"
    )
