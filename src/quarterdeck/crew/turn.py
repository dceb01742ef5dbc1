"""What a built-in agent is: one pure function of a briefing and a memory."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quarterdeck.client.model import Briefing
from quarterdeck.kernel.messages import Command


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent knows of its earlier turns; written as JSON between them.

    ``traded_slice`` is the slice of the last turn that traded: a second one in the same slice would
    say the same again.
    """

    traded_slice: int = -1


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent does now, in order, and what it will know next time."""

    commands: tuple[Command, ...]
    memory: Memory


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A built-in agent: who it is, what it can do and how it takes a turn.

    ``turn`` is given the memory it returned last, ``first_memory`` at first, always of
    ``memory_type``. The same function acts inside the deck and, as a client, outside it.
    """

    name: str
    label: str
    capabilities: tuple[str, ...]
    slots: int
    turn: Callable[[Briefing, Memory], Turn]
    first_memory: Memory
    memory_type: type[Memory]
