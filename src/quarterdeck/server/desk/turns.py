"""The crew's turns: after each slice every built-in agent reads its briefing and acts on it.

A turn is a pure function given from outside; what it wants done is carried in the same step by the
same commands as any other agent's, with the same permissions, and may be refused like theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from quarterdeck.client.model import Briefing
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Command, Json, Message
from quarterdeck.market.model import BarsClosed
from quarterdeck.runtime.policy import AGENT_SCOPES, Caller, CallerKind
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State
from quarterdeck.server.desk.briefing import Briefer

Turn = Callable[[Briefing, Json], tuple[Sequence[Command], Json]]
"""``turn(briefing, memory) -> (commands, memory)``: pure, and the same inside and outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A built-in agent: its name and its turn."""

    name: AgentId
    turn: Turn


@dataclass(slots=True)
class Remembered:
    """What a member carries from turn to turn, and how many of its commands were refused."""

    memory: bytes = b"{}"
    refused: int = 0


class CrewTurns:
    """Gives every built-in agent its turn at the close of each slice, in name order."""

    name: ClassVar[str] = "crew"
    state: ClassVar[Mapping[str, State]] = {
        "_members": State.FIXED,
        "_briefer": State.FIXED,
        "_remembered": State.JOURNALED,
    }

    def __init__(self, *, members: Sequence[Member], briefer: Briefer) -> None:
        self._members = tuple(sorted(members, key=lambda member: member.name))
        self._briefer = briefer
        self._remembered: dict[AgentId, Remembered] = {}

    def load(self, reader: Reader) -> None:
        """Take up the crew's memories where the database left them."""
        self._remembered = {
            AgentId(row["agent"]): Remembered(bytes(row["memory"]), int(row["refused"]))
            for row in reader.rows("server.memories")
        }

    def hear(self, message: Message, step: Step) -> None:
        """Take the turns when a slice has closed and trading is open."""
        if isinstance(message, BarsClosed) and not message.warming_up and self._members:
            callers = [crew_caller(member.name) for member in self._members]
            lines = tuple(self._briefer.markets(callers[0]).values())
            for member, caller in zip(self._members, callers, strict=True):
                briefing = self._briefer.briefing(
                    caller, lines, at=message.at, slice_index=message.index
                )
                self._take(member, caller, briefing, step=step)

    def refused(self, agent: AgentId) -> int:
        """Return how many commands of ``agent`` were refused as malformed or impossible."""
        return self._remembered.get(agent, Remembered()).refused

    def _take(self, member: Member, caller: Caller, briefing: Briefing, *, step: Step) -> None:
        before = self._remembered.get(member.name, Remembered())
        commands, memory = member.turn(briefing, msgspec.json.decode(before.memory))
        refused = before.refused
        for command in commands:
            try:
                step.carry(command, caller)
            except DomainError:
                refused += 1
        after = Remembered(msgspec.json.encode(memory, order="sorted"), refused)
        if after != before:
            self._remembered[member.name] = after
            step.write(
                "server.memory_saved", agent=member.name, memory=after.memory, refused=refused
            )


def crew_caller(agent: AgentId) -> Caller:
    """Return the caller that a built-in agent acts as: an agent's permissions, never a person's."""
    return Caller(identity=agent, kind=CallerKind.BUILTIN, permissions=frozenset(AGENT_SCOPES))
