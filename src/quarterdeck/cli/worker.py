"""The deck's own worker: claims tasks of every type and does them; long ones in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import urllib.parse
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from quarterdeck.agents.model import Claim, ClaimAnswer, RenewLease
from quarterdeck.cli.console import Answer, call_deck, running_deck
from quarterdeck.client.deck import Deck, wait
from quarterdeck.client.runner import LOST, UNAUTHENTICATED
from quarterdeck.client.wire import DeckError
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Json
from quarterdeck.library import duties
from quarterdeck.runtime.clock import SystemClock

CAPABILITIES = (
    "desk:analysis",
    "desk:monitoring",
    "desk:optimization",
    "desk:research",
    "desk:trading",
)
WAIT_MS = 10_000
LOOK_S = 1.0
"""How often a process of its own is looked at, and its lease renewed."""
MAX_REASON = 400
PASSING = (429, 503)
"""Statuses of refusals that say nothing of the work: the deck is starting, stopping or pressed."""
PATIENCE, PAUSE_S = 5, 1.0
"""How often such a refusal is met with asking again, and how much later."""

Got = TypeVar("Got")


def run(data_dir: Path, *, agent: str, tasks: int | None, tied: bool = False) -> int:
    """Do tasks until ``tasks`` were done, or for ever; the agent is registered where it is not.

    One that is ``tied`` takes up what it held when it ended last, and ends with its standard input.
    """
    if tied:
        threading.Thread(target=_end_with_input, daemon=True).start()
    deck = running_deck(data_dir)
    try:
        with Deck(deck["url"], _key(deck, agent)) as line:
            done = 0
            for left in _patiently(line.briefing).work if tied else ():
                _do(line, left)
            while tasks is None or done < tasks:
                claim = _patiently(lambda: line.claim(WAIT_MS)).claim
                if claim is not None:
                    done += 1
                    print(
                        f"{claim.task_id}  {claim.type.value}  {_do(line, claim)}", file=sys.stderr
                    )
    except DeckError as refusal:
        raise DomainError(f"{deck['url']}: {refusal.detail}", code=refusal.code) from None
    return 0


def _end_with_input() -> None:
    # Whoever holds the other end is gone, however it went; long work ends with this process.
    sys.stdin.buffer.read()
    os._exit(0)


def _patiently(ask: Callable[[], Got]) -> Got:
    """Return what ``ask`` returns, asking again while the deck is starting, stopping or pressed."""
    for _ in range(PATIENCE):
        try:
            return ask()
        except DeckError as refusal:
            if refusal.status not in PASSING:
                raise
            wait(PAUSE_S)
    return ask()


def _key(deck: dict[str, str], agent: str) -> str:
    asked: Answer = {"name": agent, "label": "The deck's own worker", "capabilities": CAPABILITIES}
    try:
        return str(call_deck(deck, "POST", "/agents", asked)["key"])
    except DomainError as refusal:
        if refusal.code != "AGENT_EXISTS":
            raise
    name = urllib.parse.quote(agent, safe="")
    known = call_deck(deck, "GET", f"/agents/{name}")["capabilities"]
    if not set(CAPABILITIES) <= set(known):
        offer = {"capabilities": sorted({*known, *CAPABILITIES}), "reason": "it works for the deck"}
        call_deck(deck, "POST", f"/agents/{name}/offer", offer)
    return str(call_deck(deck, "POST", "/keys", {"agent": agent})["key"])


def _do(line: Deck, claim: Claim) -> str:
    """Do one task and report on it; return what became of it."""
    try:
        job = _patiently(lambda: duties.job_of(line, claim))
        result = (
            _patiently(lambda: duties.short_result(line, claim))
            if job is None
            else _long(line, claim, job)
        )
        if result is None:
            return "cancelled"
        _patiently(lambda: line.complete(claim, result))
    except DeckError as refusal:
        if refusal.code in LOST or refusal.status == UNAUTHENTICATED:
            raise
        return _failed(line, claim, f"{refusal.code}: {refusal.detail}")
    except DomainError as refusal:
        return _failed(line, claim, refusal.message)
    return "done"


def _failed(line: Deck, claim: Claim, reason: str) -> str:
    told = "".join(c if c.isprintable() else " " for c in reason)[:MAX_REASON] or "no reason"
    try:
        _patiently(lambda: line.complete(claim, failed=True, reason=told))
    except DeckError as refusal:
        if refusal.code in LOST:
            raise
        return f"given up: {refusal.code}"
    return f"failed: {told}"


def _long(line: Deck, claim: Claim, job: duties.Job) -> Json | None:
    """Do long work in a process of its own and keep its lease; None if it was cancelled meanwhile."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=carried_out, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        return _watched(line, claim, ours)
    finally:
        process.terminate()
        process.join()
        ours.close()


def carried_out(job: duties.Job, outlet: Connection) -> None:
    """Do long work in this process, which ends with the one that started it, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    duties.carry_out(job, outlet)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _watched(line: Deck, claim: Claim, ours: Connection) -> Json | None:
    clock = SystemClock()
    progress, renewed_s = 0.0, clock.monotonic_s()
    while True:
        if ours.poll(LOOK_S):
            try:
                what, told = ours.recv()
            except EOFError:
                raise DomainError("the process ended without a result") from None
            if what == "result":
                return dict(told)
            if what == "failed":
                raise DomainError(str(told))
            progress = float(told)
        if clock.monotonic_s() - renewed_s < LOOK_S:
            continue
        renewed_s = clock.monotonic_s()
        renewal = RenewLease(
            task_id=claim.task_id,
            lease_token=claim.lease_token,
            progress_fraction=progress,
            note=f"{progress:.0%} done",
        )
        try:
            line.ask(renewal, ClaimAnswer)
        except DeckError as refusal:
            if refusal.code == "STALE_LEASE":
                return None
            # The lease is many looks long: a deck that is pressed is asked again at the next.
            if refusal.status not in PASSING:
                raise
