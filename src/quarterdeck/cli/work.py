"""Work from the command line."""

from __future__ import annotations

import argparse
import json
import secrets
import urllib.parse

from quarterdeck.cli.console import Answer, ask
from quarterdeck.cli.task_options import task_of


def run(options: argparse.Namespace) -> int:
    """Carry out one action."""
    match options.action:
        case "run":
            from quarterdeck.cli import worker

            return worker.run(
                options.data_dir,
                agent=options.agent,
                tasks=options.tasks,
                slots=options.slots,
                tied=options.tied,
            )
        case "types":
            answer = ask(options.data_dir, "GET", "/task-types")
            lines = _types(answer)
        case "submit":
            body = task_of(options) | {"depends_on": options.after or []}
            body["idempotency_key"] = options.key or f"submit-{secrets.token_hex(8)}"
            answer = ask(options.data_dir, "POST", "/tasks", body)
            lines = [_task(answer)]
        case "show":
            answer = ask(options.data_dir, "GET", _path(options.task))
            lines = _whole(answer)
        case "list":
            query = {"limit": options.limit} | ({"state": options.state} if options.state else {})
            answer = ask(options.data_dir, "GET", f"/tasks?{urllib.parse.urlencode(query)}")
            lines = [_task(row) for row in answer["tasks"]] or ["there is no such task"]
        case "redrive" | "cancel" | "dismiss":
            path = f"{_path(options.task)}/{options.action}"
            body = {"reason": options.reason}
            if options.action == "redrive":
                body["idempotency_key"] = f"redrive-{secrets.token_hex(8)}"
            answer = ask(options.data_dir, "POST", path, body)
            lines = [_task(answer)]
        case "pause" | "drain" | "resume":
            path = f"/agents/{urllib.parse.quote(options.agent, safe='')}/{options.action}"
            answer = ask(options.data_dir, "POST", path, {"reason": options.reason})
            lines = [f"{answer['agent']} is {answer['presence']} and holds {answer['held']} tasks"]
        case "report":
            answer = ask(options.data_dir, "GET", "/work/report")
            now = ask(options.data_dir, "GET", "/work")
            lines = [*standing(now, head="now"), *_report(answer)]
            answer = {"now": now, "report": answer}
        case "timeline":
            answer = ask(options.data_dir, "GET", "/work/timeline?limit=40")
            lines = [_span(row) for row in answer["spans"]] or ["no task was claimed yet"]
        case "bounds":
            answer = ask(options.data_dir, "GET", "/work/bounds")
            lines = [_bound(row) for row in answer["bounds"]] or ["work is not bounded"]
        case "bound":
            answer = ask(options.data_dir, "POST", "/work/bounds", _bounding(options))
            lines = [_bound(row) for row in answer["bounds"]] or ["work is not bounded"]
        case _:
            path = f"/agents/{urllib.parse.quote(options.agent, safe='')}/offer"
            answer = ask(options.data_dir, "POST", path, _offer(options))
            lines = [_taken(answer)]
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines))
    return 0


def _path(task: str) -> str:
    return f"/tasks/{urllib.parse.quote(task, safe='')}"


def _whole(row: Answer) -> list[str]:
    """Return one task with how far it is and what came of it."""
    lines = [_task(row)]
    if row["progress_fraction"] is not None and row["state"] == "leased":
        lines.append(f"  {row['progress_fraction']:.0%} done: {row['note'] or 'no word'}")
    if row["result"] is not None:
        lines.append(json.dumps(row["result"], indent=2))
    return lines


def _task(row: Answer) -> str:
    return (
        f"{row['task_id']}  {row['state']:<12}{row['priority']:<9}{row['type']:<13}{row['title']}"
        f"  ({row['why']})"
    )


def _types(answer: Answer) -> list[str]:
    lines: list[str] = []
    for one in answer["types"]:
        lines.append(f"{one['type']}: judged by {one['judged_by']}")
        for part in ("input", "result"):
            lines.append(f"  {part:<8}{', '.join(one[part]['properties'])}")
    return lines


def standing(now: Answer, *, head: str) -> list[str]:
    """Return how work stands: what is open, how full the fleet is, how long the oldest has waited."""
    counts = ", ".join(f"{n} {state}" for state, n in now["counts"].items() if n)
    used = "no agent" if now["utilisation"] is None else f"{now['utilisation']:.0%} of all slots"
    lines = [f"{head:<10}{counts or 'no task'}; {used} in use"]
    if now["late"]:
        lines.append(f"  {now['late']} open tasks are past their deadline")
    if now["dead_letters"]:
        lines.append(
            f"  {now['dead_letters']} dead letters: quarterdeck work list --state dead, then redrive or dismiss"
        )
    for row in now["queues"]:
        if row["ready"]:
            bound = "" if row["longest_ms"] is None else f" of at most {row['longest_ms'] / 1e3:g}"
            lines.append(
                f"  {row['priority']:<10}{row['ready']} ready, the oldest for "
                f"{row['oldest_ms'] / 1e3:.1f} s{bound}"
            )
    return lines


def _report(answer: Answer) -> list[str]:
    rate = answer["completed_per_minute"]
    pace = "" if rate is None else f", {rate:.1f} a minute"
    lines = [f"last      {answer['tasks']} tasks, {answer['completed']} completed{pace}"]
    for row in answer["waits"]:
        lines.append(
            f"  {row['priority']:<10}waited {row['p50_ms']:.0f} ms, 99 % up to {row['p99_ms']:.0f}, "
            f"worst {row['worst_ms']:.0f} ({row['tasks']} tasks)"
        )
    for row in (*answer["types"], *answer["agents"]):
        good = row["success_fraction"]
        lines.append(
            f"  {row['name']:<18}{row['tasks']} tasks, {row['completed']} completed"
            + ("" if good is None else f" ({good:.0%} of what ended)")
            + f", {row['retries']} retries, {row['dead']} dead, {row['moves']} moved"
            + (
                f", {row['met']} by their deadline, {row['missed']} not"
                if row["met"] + row["missed"]
                else ""
            )
        )
    return lines


def _span(row: Answer) -> str:
    until = row["ended_at"] or "now"
    return (
        f"{row['started_at']} to {until}  {row['agent'] or '-':<18}{row['type']:<14}{row['state']:<11}"
        f"{row['title']}"
    )


def _bounding(options: argparse.Namespace) -> Answer:
    return {
        "scope": options.scope,
        "subject": options.subject,
        "max_running": options.max_running,
        "per_minute": options.per_minute,
        "reason": options.reason,
    }


def _bound(row: Answer) -> str:
    most = "any number" if row["max_running"] is None else str(row["max_running"])
    rate = "" if row["per_minute"] is None else f", {row['per_minute']} a minute"
    wait = f", the next in {row['free_in_ms']} ms" if row["free_in_ms"] else ""
    return f"{row['scope']} {row['subject']}: {row['running']} of {most} held{rate}{wait}"


def _offer(options: argparse.Namespace) -> Answer:
    body: Answer = {"reason": options.reason}
    for name in ("capabilities", "accepts", "markets"):
        given = getattr(options, name)
        if given is not None:
            body[name] = [word for word in given.split(",") if word]
    for name in ("cost", "autonomy", "slots", "long_slots"):
        if getattr(options, name) is not None:
            body[name] = getattr(options, name)
    return body


def _taken(agent: Answer) -> str:
    return (
        f"{agent['agent']} can do {', '.join(agent['capabilities']) or 'nothing'}; takes "
        f"{', '.join(agent['accepts']) or 'every type'} on {', '.join(agent['markets']) or 'every market'}, "
        f"{agent['slots']} at once, {agent['autonomy']} alone"
        + ("" if agent["long_slots"] is None else f", {agent['long_slots']} of it long work")
        + ("" if agent["cost"] is None else f", for {agent['cost']} each")
    )
