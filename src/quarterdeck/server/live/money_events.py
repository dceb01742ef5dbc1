"""Events of rebalances and of capital that was moved."""

from __future__ import annotations

from quarterdeck.execution.model import CapitalMoved
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import millis
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.portfolio.model import RebalanceMoved, RebalanceStatus
from quarterdeck.server.desk.model import Event
from quarterdeck.server.live.words import counted, said

MAX_TEXT = 400
WELL = (RebalanceStatus.PROPOSED, RebalanceStatus.RUNNING, RebalanceStatus.DONE)


def rebalance_event(message: RebalanceMoved) -> Event:
    """Return the event of a rebalance that passed to another status."""
    reason = "" if message.reason is None else f"; {message.reason}"
    text = f"{message.trigger}; {counted(message.trades, 'trade')}, turnover {message.turnover:.1%}{reason}"
    return Event(
        id=f"rebalance:{message.rebalance_id}:{message.status}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="rebalance",
        severity=Severity.INFO if message.status in WELL else Severity.WARNING,
        agent=message.agent,
        symbol=None,
        title=f"{message.agent}: rebalance of {message.mandate} {said(message.status)}",
        text=text[:MAX_TEXT],
    )


def capital_event(message: CapitalMoved) -> Event:
    """Return the event of capital that was moved between two accounts."""
    amount = from_units(message.amount_units, MONEY_SCALE)
    return Event(
        id=f"capital:{message.move_id}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="capital",
        severity=Severity.INFO,
        agent=message.to_agent,
        symbol=None,
        title=f"{amount:,.2f} moved from {message.from_agent} to {message.to_agent}",
        text=message.reason[:MAX_TEXT],
    )
