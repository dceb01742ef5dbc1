"""The deck's own worker: does several tasks of every type at a time; long ones in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from quarterdeck.agents.model import Claim, ClaimAnswer, RenewLease
from quarterdeck.cli.console import Answer, call_deck, running_deck
from quarterdeck.client.deck import Deck, wait
from quarterdeck.client.runner import LOST, UNAUTHENTICATED
from quarterdeck.client.wire import DeckError
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import TaskType
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

MAX_SLOTS = 32
LONG_SHARE = 4
"""Long work fills one slot in so many, at least one: it takes a whole core, and short work is not to wait for it."""
KEYS_KEPT = 8
"""How many keys of the worker stay in force; older ones were those of processes that are gone."""

Got = TypeVar("Got")


class Desk:
    """What the slots of one worker share."""

    def __init__(
        self, line: Callable[[], Deck], *, tasks: int | None, held: Sequence[Claim]
    ) -> None:
        self.line = line
        self.ended: SimpleQueue[DeckError | None] = SimpleQueue()
        # Two that trade at one time would both act on what is held before either.
        self.trades = threading.Lock()
        self._mutex = threading.Lock()
        self._tasks = tasks
        self._held = list(held)

    def taken_up(self) -> Claim | None:
        """Return a task that the worker held when it ended last, None when there is no other."""
        with self._mutex:
            return self._held.pop(0) if self._held else None

    def wants_more(self) -> bool:
        """Return whether one more task is to be done, and count it."""
        with self._mutex:
            if self._tasks is not None:
                self._tasks -= 1
            return self._tasks is None or self._tasks >= 0


def run(data_dir: Path, *, agent: str, tasks: int | None, slots: int, tied: bool = False) -> int:
    """Do up to ``slots`` tasks at a time until ``tasks`` were done, or for ever, as ``agent``.

    The agent is registered where it is not. One that is ``tied`` takes up what it held when it ended last,
    and ends with its standard input.
    """
    if not 1 <= slots <= MAX_SLOTS:
        raise InvalidInput.of("slots", slots, f"a whole number from 1 to {MAX_SLOTS}")
    if tied:
        threading.Thread(target=_end_with_input, daemon=True).start()
    deck = running_deck(data_dir)
    try:
        key = _key(deck, agent, slots=slots, own=tied)
        with Deck(deck["url"], key) as first:
            held = _patiently(first.briefing).work if tied else ()
        desk = Desk(lambda: Deck(deck["url"], key), tasks=tasks, held=held)
        for _ in range(slots):
            # What waits for work or for a process ends with this one.
            threading.Thread(target=_in_slot, args=(desk,), daemon=True).start()
        for _ in range(slots):
            if (refusal := desk.ended.get()) is not None:
                raise refusal
    except DeckError as refusal:
        raise DomainError(f"{deck['url']}: {refusal.detail}", code=refusal.code) from None
    return 0


def _in_slot(desk: Desk) -> None:
    """Do one task after the other, each claimed by this slot: nothing is held that no slot is free for."""
    ending: DeckError | None = DeckError("WORKER_ENDED", "a slot of the worker ended by a fault")
    try:
        with desk.line() as line:
            while (left := desk.taken_up()) is not None:
                if _still_held(line, left):
                    _do(line, left, desk)
            while desk.wants_more():
                claim = None
                while claim is None:
                    claim = _patiently(lambda: line.claim(WAIT_MS)).claim
                said = f"{claim.task_id}  {claim.type.value}  {_do(line, claim, desk)}"
                print(said, file=sys.stderr)
        ending = None
    except DeckError as refusal:
        ending = refusal
    finally:
        desk.ended.put(ending)


def _still_held(line: Deck, claim: Claim) -> bool:
    try:
        _patiently(lambda: line.renew(claim))
    except DeckError as refusal:
        if refusal.code != "STALE_LEASE":
            raise
        return False
    return True


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


def _key(deck: dict[str, str], agent: str, *, slots: int, own: bool) -> str:
    room = {"slots": slots, "long_slots": max(1, slots // LONG_SHARE)}
    asked: Answer = {"name": agent, "label": "The deck's own worker", "capabilities": CAPABILITIES}
    try:
        return str(call_deck(deck, "POST", "/agents", asked | room)["key"])
    except DomainError as refusal:
        if refusal.code != "AGENT_EXISTS":
            raise
    name = urllib.parse.quote(agent, safe="")
    known = call_deck(deck, "GET", f"/agents/{name}")
    able = sorted({*known["capabilities"], *CAPABILITIES})
    offer: Answer = {"capabilities": able, **room}
    if any(known[field] != value for field, value in offer.items()):
        call_deck(
            deck, "POST", f"/agents/{name}/offer", offer | {"reason": "it works so for the deck"}
        )
    if own:
        _retire_keys(deck, agent)
    return str(call_deck(deck, "POST", "/keys", {"agent": agent})["key"])


def _retire_keys(deck: dict[str, str], agent: str) -> None:
    """Revoke the oldest keys of the deck's own worker: one is made at every start, and their number is bounded."""
    mine = [
        (one["created_at"], one["prefix"])
        for one in call_deck(deck, "GET", "/keys")["keys"]
        if one["agent"] == agent and one["revoked_at"] is None
    ]
    for _, prefix in sorted(mine)[: max(0, len(mine) + 1 - KEYS_KEPT)]:
        call_deck(deck, "POST", f"/keys/{prefix}/revoke", {"reason": "of a worker that is gone"})


def _do(line: Deck, claim: Claim, desk: Desk) -> str:
    """Do one task and report on it; return what became of it."""
    try:
        job = _patiently(lambda: duties.job_of(line, claim))
        result = _short(line, claim, desk) if job is None else _long(line, claim, job)
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


def _short(line: Deck, claim: Claim, desk: Desk) -> Json | None:
    """Do short work; None if it is no longer ours when its turn to trade has come."""
    if claim.type is not TaskType.TRADING:
        return _patiently(lambda: duties.short_result(line, claim))
    with desk.trades:
        if not _still_held(line, claim):
            return None
        return _patiently(lambda: duties.short_result(line, claim))


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
