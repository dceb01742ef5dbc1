"""Drives a built-in agent's turn from outside the deck, as a client like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from quarterdeck.client.deck import Deck, wait
from quarterdeck.client.model import Briefing
from quarterdeck.client.wire import DeckError
from quarterdeck.kernel.messages import Command

POLL_S = 0.25
"""How long to wait for the next slice before asking again."""
LOST = ("UNREACHABLE", "BAD_ANSWER")
"""Codes after which going on makes no sense; with a refused command it does."""
UNAUTHENTICATED = 401

Memory = TypeVar("Memory")
Kept = TypeVar("Kept", covariant=True)


class Taken(Protocol[Kept]):
    """A turn: what to do and what to remember."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """What to do, in order."""
        ...

    @property
    def memory(self) -> Kept:
        """What the next turn is given."""
        ...


class Player(Protocol[Memory]):
    """An agent as a function: all that a member of the crew is to a runner."""

    @property
    def first_memory(self) -> Memory:
        """What the first turn is given."""
        ...

    @property
    def turn(self) -> Callable[[Briefing, Memory], Taken[Memory]]:
        """Take one turn."""
        ...


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went: turns taken, commands sent, and refusals by code."""

    turns: int
    commands: int
    refusals: dict[str, int]


def run_member(
    deck: Deck,
    member: Player[Memory],
    *,
    turns: int | None = None,
    until: int | None = None,
    pause: Callable[[float], None] = wait,
) -> Run:
    """Take turns until ``turns`` have been taken or slice ``until`` is reached.

    A turn is taken whenever there is a new slice or other work in hand. A refused command is counted
    and the turn goes on; an unreachable deck or a refused key ends the run with its DeckError.
    """
    if turns is None and until is None:
        raise ValueError("a run needs an end: turns or until")
    memory = member.first_memory
    seen: tuple[int, tuple[str, ...]] | None = None
    taken = sent = 0
    refusals: dict[str, int] = {}
    while turns is None or taken < turns:
        briefing = deck.briefing()
        if until is not None and briefing.slice >= until:
            break
        now = (briefing.slice, tuple(claim.lease_token for claim in briefing.work))
        if now == seen:
            pause(POLL_S)
            continue
        turn = member.turn(briefing, memory)
        for command in turn.commands:
            sent += 1
            code = _carried(deck, command)
            if code is not None:
                refusals[code] = refusals.get(code, 0) + 1
        memory, seen, taken = turn.memory, now, taken + 1
    return Run(turns=taken, commands=sent, refusals=refusals)


def _carried(deck: Deck, command: Command) -> str | None:
    """Send ``command`` and return the code of its refusal, if it was refused."""
    try:
        deck.carry(command)
    except DeckError as error:
        if error.code in LOST or error.status == UNAUTHENTICATED:
            raise
        return error.code
    return None
