"""The broker and agents' dead-man timers from the command line."""

from __future__ import annotations

import argparse
import json
import urllib.parse
from pathlib import Path

from quarterdeck.cli.columns import second
from quarterdeck.cli.console import Answer, ask
from quarterdeck.kernel.errors import InvalidInput


def show(data_dir: Path, *, as_json: bool) -> int:
    """Print how our books and the broker's stand to each other."""
    found = ask(data_dir, "GET", "/broker")
    print(json.dumps(found, indent=2) if as_json else "\n".join(_lines(found)))
    return 0


def settle(data_dir: Path, *, order_id: str, reason: str, as_json: bool) -> int:
    """Declare that an order of unknown outcome never arrived."""
    path = f"/orders/{urllib.parse.quote(order_id, safe='')}/settle"
    answer = ask(data_dir, "POST", path, {"reason": reason})
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        print(f"{answer['order_id']} of {answer['agent']} is {answer['status']}")
    return 0


def adjust(data_dir: Path, options: argparse.Namespace) -> int:
    """Make our books the broker's in one subject; unconfirmed, only show what would be booked."""
    found = ask(data_dir, "GET", "/broker")["differences"]
    standing = {one["subject"]: one for one in found}
    if options.subject not in standing:
        accepted = ", ".join(standing) or "nothing: the books agree"
        raise InvalidInput.of("subject", options.subject, accepted)
    if options.books is None:
        one = standing[options.subject]
        print(f"{_difference(one)}; nothing is booked yet")
        print(f"repeat the command with --books {one['ours']}:{one['theirs']}")
        return 0
    ours, _, theirs = options.books.partition(":")
    try:
        books = {"ours": int(ours), "theirs": int(theirs)}
    except ValueError:
        raise InvalidInput.of("--books", options.books, "OURS:THEIRS, whole numbers") from None
    body: Answer = {"subject": options.subject, "reason": options.reason, **books}
    if options.agent is not None:
        body |= {"agent": options.agent, "price": options.price, "fee": options.fee}
    answer = ask(data_dir, "POST", "/broker/adjust", body)
    print(json.dumps(answer, indent=2) if options.json else _adjustment(answer))
    return 0


def adjustments(data_dir: Path, *, as_json: bool) -> int:
    """Print what was adjusted, newest first."""
    found = ask(data_dir, "GET", "/broker/adjustments")["adjustments"]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for one in found:
        print(_adjustment(one))
    if not found:
        print("nothing was adjusted in this run")
    return 0


def _adjustment(one: Answer) -> str:
    whose = "the house" if one["agent"] is None else one["agent"]
    return (
        f"{one['at']}  {one['subject']} from {one['ours']} to {one['theirs']}, to {whose}, by "
        f"{one['by']}: {one['reason']}"
    )


def _difference(one: Answer) -> str:
    more = "" if one["more"] is None else f", {one['more']} more"
    return f"{one['subject']}: we have {one['ours']}, the broker {one['theirs']} (smallest units){more}"


def keep_alives(data_dir: Path, *, as_json: bool) -> int:
    """Print every agent's dead-man timer."""
    timers = ask(data_dir, "GET", "/gate/keep-alive")["timers"]
    if as_json:
        print(json.dumps(timers, indent=2))
        return 0
    for timer in timers:
        print(_timer(timer))
    if not timers:
        print("no agent has a dead-man timer")
    return 0


def demand(data_dir: Path, *, agent: str, seconds: float, reason: str, as_json: bool) -> int:
    """Make being heard of part of an agent's mandate."""
    path = f"/agents/{urllib.parse.quote(agent, safe='')}/keep-alive"
    answer = ask(data_dir, "POST", path, {"within_s": seconds, "reason": reason})
    print(json.dumps(answer, indent=2) if as_json else _timer(answer))
    return 0


def _lines(found: Answer) -> list[str]:
    lines = [found["venue"]]
    if not found["remote"]:
        return [*lines, "there are no other books to compare with"]
    compared = found["compared_slice"]
    when = "not compared yet" if compared is None else f"compared at slice {compared}"
    lines.append(f"report {found['sequence']}, {when}, {found['in_flight']} orders on their way")
    lines += [
        f"no answer about {name}; 'broker settle' if it never arrived" for name in found["unknown"]
    ]
    lines += [_difference(one) for one in found["differences"]]
    return lines if found["differences"] else [*lines, "no difference"]


def _timer(timer: Answer) -> str:
    demanded = timer["demanded_s"]
    mandate = "" if demanded is None else f", its mandate demands {demanded:g} s"
    if timer["until"] is None:
        return f"{timer['agent']}: no timer runs{mandate}"
    return f"{timer['agent']}: heard of within {timer['within_s']:g} s, next by {second(timer['until'])}{mandate}"
