"""Schedules from the command line: shown, added and removed."""

from __future__ import annotations

import argparse
import json
import urllib.parse

from quarterdeck.cli.console import Answer, ask
from quarterdeck.cli.task_options import task_of


def run(options: argparse.Namespace) -> int:
    """Carry out one action."""
    match options.action:
        case "list":
            answer = ask(options.data_dir, "GET", "/schedules")
            lines = [_line(row) for row in answer["schedules"]] or ["there is no schedule"]
        case "fires":
            answer = ask(options.data_dir, "GET", "/schedules/fires")
            lines = [_fired(row) for row in answer["fires"]] or ["no schedule has fired"]
        case "remove":
            path = f"/schedules/{urllib.parse.quote(options.schedule, safe='')}/remove"
            answer = ask(options.data_dir, "POST", path, {"reason": options.reason})
            lines = [f"{answer['name']} fires no more"]
        case _:
            answer = ask(options.data_dir, "POST", "/schedules", _body(options))
            lines = [_line(answer)]
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines))
    return 0


def _body(options: argparse.Namespace) -> Answer:
    return {
        "name": options.schedule,
        "trigger": {name: value for name, value in _trigger(options).items() if value is not None},
        "task": task_of(options),
    }


def _trigger(options: argparse.Namespace) -> Answer:
    market, _, moment = (options.session or "").partition(":")
    named = {
        "once": options.at,
        "interval": options.every_bars if options.every_s is None else options.every_s,
        "cron": options.cron,
        "session": options.session,
        "event": options.on,
    }
    return {
        "kind": next(kind for kind, value in named.items() if value is not None),
        "clock": options.clock,
        "at": options.at,
        "every_s": options.every_s,
        "every_bars": options.every_bars,
        "expression": options.cron,
        "zone": options.zone,
        "market": market or None,
        "moment": moment or None,
        "offset_min": options.offset_min,
        "event": options.on,
        "subject": options.subject,
        "value": options.value,
        "over": options.over,
    }


def _line(row: Answer) -> str:
    trigger = {k: v for k, v in row["trigger"].items() if v is not None and k != "kind"}
    when = ", ".join(f"{name} {value}" for name, value in trigger.items())
    after = f", next {row['next_at']}" if row["next_at"] else ", done" if row["done"] else ""
    return (
        f"{row['name']}: {row['trigger']['kind']} ({when}){after}; fired {row['fired']}, "
        f"skipped {row['skipped']}; {row['title']}, by {row['by']}"
    )


def _fired(row: Answer) -> str:
    made = row["task_id"] or f"no task: {row['reason']}"
    return f"{row['at']}  {row['name']}  {row['key']}  {made}"
