"""Send once, then ask: an order whose outcome is unknown is queried and never sent again."""

from __future__ import annotations

from quarterdeck.execution.model.broker import (
    BrokerOrder,
    BrokerState,
    Exchange,
    OutcomeUnknown,
)
from quarterdeck.execution.ports import Broker
from quarterdeck.kernel.errors import Unavailable

MAX_QUESTIONS = 5
"""How often one call asks what became of an order."""


async def send_once(
    broker: Broker, order: BrokerOrder, *, instead: Exchange | None = None
) -> BrokerState | None:
    """Send ``order`` once and return how it stands; ``None`` while that is not known.

    With ``instead`` it is to take the place of another.

    ``None`` means UNKNOWN: the order's worst case stays reserved until :func:`ask` has an answer. A
    definite refusal is raised as it comes.
    """
    try:
        if instead is None:
            answer = await broker.submit(order)
        else:
            answer = await broker.exchange(instead.client_id, order, filled=instead.filled)
    except OutcomeUnknown:
        return await ask(broker, order.client_id)
    # An answer about something else is no answer.
    if answer.client_id == order.client_id and 0 <= answer.filled <= answer.quantity:
        return answer
    return await ask(broker, order.client_id)


async def ask(broker: Broker, client_id: str) -> BrokerState | None:
    """Return how the order stands by asking for it; ``None`` while the broker gives no clear answer.

    That the broker does not have it now is no proof that it will not arrive: it stays unknown.
    """
    for _ in range(MAX_QUESTIONS):
        try:
            found = await broker.find(client_id)
        except (OutcomeUnknown, Unavailable):
            continue
        if found is not None and found.client_id == client_id:
            return found
    return None
