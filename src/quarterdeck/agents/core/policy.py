"""By which rules work is handed out: what priorities are worth, how long each may wait, who shares."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from quarterdeck.agents.core.matching import NEVER
from quarterdeck.kernel.time import SECOND
from quarterdeck.kernel.vocabulary import Priority

PRESSING = (Priority.CRITICAL, Priority.URGENT)
"""The priorities that may use every slot; all other work leaves some free for them."""
MICROSECONDS = 1_000_000
MICROSECOND = SECOND // MICROSECONDS
TURN_US = MICROSECONDS
"""How much later each further waiting task of one owner and priority counts than the one before."""
MOST_TURN_US = 300 * MICROSECONDS
"""How much later an owner's backlog can make a task count at most, unless its priority leaves more room."""
DUE_SHARE = 0.9
"""At which share of its longest wait a task goes before all others: the rest is for a slot to end."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules; all instants count in machine time.

    ``load_threshold`` is the share of an agent's slots that ordinary work may fill. A priority is
    worth ``weight_s`` seconds of waiting; ``longest_wait_s`` bounds the wait of the priorities it
    names. Owners named in ``shares`` have that many turns where others have one. ``retry_*`` bound the
    rest between attempts. A task that so many different agents failed is dead, and an agent that failed
    so often in a row is quarantined. A task is kept ``hold_ms`` for an agent with room that does it
    better. ``seed`` in [0, 2**31) chooses among equals.
    """

    load_threshold: float = 0.7
    weight_s: Mapping[Priority, int] = {}
    longest_wait_s: Mapping[Priority, int] = {}
    shares: Mapping[str, int] = {}
    retry_base_ms: int = 0
    retry_most_ms: int = 60_000
    dead_after_agents: int = 3
    quarantine_failures: int = 5
    hold_ms: int = 0
    seed: int = 0

    def ordinary_slots(self, slots: int) -> int:
        """Return how many of ``slots`` ordinary work may fill: rounded down, at least one.

        The threshold counts as the decimal it is written as, so that 0.29 of 100 is 29.

        >>> Policy(load_threshold=0.7).ordinary_slots(10), Policy().ordinary_slots(1)
        (7, 1)
        """
        return max(1, int(Decimal(repr(self.load_threshold)) * slots))

    def weight_us(self, priority: Priority) -> int:
        """Return what ``priority`` is worth, in microseconds of waiting."""
        return self.weight_s.get(priority, 0) * MICROSECONDS

    def turn_us(self, owner: str) -> int:
        """Return how much later each further waiting task of ``owner`` counts."""
        return TURN_US // self.shares.get(owner, 1)

    def most_turn_us(self, priority: Priority) -> int:
        """Return how much later an owner's backlog can make a task of ``priority`` count at most.

        As far as the next lower priority is away: a backlog never lets work pass that is worth less. Of the
        lowest there is nothing below, and every task of a backlog has a turn of its own.

        >>> policy = Policy(weight_s={Priority.URGENT: 900, Priority.LOW: 0})
        >>> policy.most_turn_us(Priority.URGENT) // MICROSECONDS
        900
        """
        own = self.weight_us(priority)
        below = [less for one in Priority if (less := self.weight_us(one)) < own]
        return max(MOST_TURN_US, own - max(below)) if below else NEVER

    def due_us(self, priority: Priority, ready_us: int) -> int:
        """Return when a task that became ready at ``ready_us`` goes before all that are not due."""
        bound = self.longest_wait_s.get(priority)
        return NEVER if bound is None else ready_us + int(DUE_SHARE * bound * MICROSECONDS)
