"""How a task is described on the command line."""

from __future__ import annotations

import argparse
import json

from quarterdeck.cli.console import Answer
from quarterdeck.kernel.errors import InvalidInput

KINDS = ("analysis", "trading", "monitoring", "optimization", "research")
_WHOLE = {
    "delay_s": "machine seconds until it may start",
    "deadline_s": "to be done within so many machine seconds: near that it counts as urgent",
    "deadline_bars": "to be done within so many bars",
    "expires_s": "cancelled unless done within so many machine seconds",
    "expires_bars": "cancelled unless done within so many bars",
    "max_attempts": "how often it is tried",
    "lease_s": "machine seconds that an agent has without a word",
}
_WORDS = {
    "strategy": "whose turn it takes",
    "on_failure": "of what it depends on: fail, cancel, skip or run",
    "cost_ceiling": "what an agent may charge for it",
    "autonomy": "least level of the agent: shadow, paper, canary or live",
}


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add what describes a task."""
    parser.add_argument("--type", required=True, choices=KINDS, help="the type of the task")
    parser.add_argument("--capability", required=True, metavar="NAME", help="what an agent needs")
    parser.add_argument("--title", required=True, metavar="TEXT", help="the task in one line")
    parser.add_argument("--priority", default="medium", metavar="WORD", help="default %(default)s")
    parser.add_argument("--input", default="{}", metavar="JSON", help="what the task is given")
    parser.add_argument("--requires", metavar="A,B", help="further capabilities")
    for name, text in _WHOLE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    for name, text in _WORDS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="WORD", help=text)


def task_of(options: argparse.Namespace) -> Answer:
    """Return the task that was described, as the deck takes it."""
    try:
        given = json.loads(options.input)
    except ValueError:
        raise InvalidInput.of("--input", options.input, "a JSON object") from None
    body: Answer = {
        "type": options.type,
        "title": options.title,
        "capability": options.capability,
        "priority": options.priority,
        "input": given,
    }
    if options.requires is not None:
        body["requires"] = [word for word in options.requires.split(",") if word]
    named = {name: getattr(options, name) for name in (*_WHOLE, *_WORDS)}
    return body | {name: value for name, value in named.items() if value is not None}
