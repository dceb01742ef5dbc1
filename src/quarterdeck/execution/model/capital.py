"""Capital moved from one agent's account to another's."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message
from quarterdeck.kernel.time import Nanos


class MoveCapital(Command, frozen=True):
    """Move money, and with it capital, from one agent's account to another's.

    Not more than what nothing lays claim to, and not so much that what is left could not bear what
    the agent holds and has working.
    """

    idempotency_key: str
    from_agent: str
    to_agent: str
    amount: Decimal
    reason: str


class CapitalView(Answer, frozen=True):
    """A move as it was made; ``movable`` is what could still be moved from there."""

    from_agent: AgentId
    to_agent: AgentId
    amount: Decimal
    movable: Decimal


class CapitalMoved(Message, frozen=True):
    """Capital was moved between two accounts; neither has gained or lost by it."""

    at: Nanos
    slice: int
    move_id: str
    from_agent: AgentId
    to_agent: AgentId
    amount_units: int
    by: AgentId
    reason: str
