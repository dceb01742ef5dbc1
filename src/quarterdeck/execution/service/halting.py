"""What a stop does beyond its epoch: cancel, record, say; and what opens trading again."""

from __future__ import annotations

from quarterdeck.execution import store
from quarterdeck.execution.core.session import StopRecord, shown_stop, stop_view
from quarterdeck.execution.model import StopView, TradingHalted, TradingResumed
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.settling import end_order
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.sequencer import Step


def halted(
    desk: Desk,
    epoch: int,
    *,
    agent: AgentId | None,
    reason: str,
    stop_ms: float | None,
    step: Step,
) -> None:
    """Cancel what is working under the raised epoch, and make the stop's record."""
    by = step.caller.identity
    accepted, refused = desk.totals(agent)
    working = desk.book.of(agent)
    for order in working:
        end_order(
            desk,
            order,
            status=OrderStatus.CANCELLED,
            reason=f"trading was stopped by {by}",
            step=step,
        )
    desk.counters.stops += 1
    record = StopRecord(
        number=desk.counters.stops,
        epoch=epoch,
        agent=agent,
        by=by,
        reason=reason,
        cancelled=len(working),
        accepted_before=accepted,
        refused_before=refused,
        machine_at=step.machine_at,
        stop_ms=stop_ms,
    )
    if agent is None:
        desk.deck_stop = record
    else:
        desk.agent_stop = record
    store.write_stop(step, record, kind="raised")
    step.say(
        TradingHalted(
            at=step.at, epoch=epoch, agent=agent, by=by, reason=reason, cancelled=len(working)
        )
    )
    step.record(
        desk.account,
        "trading_halted",
        epoch=epoch,
        agent=agent,
        reason=reason,
        cancelled=len(working),
    )


def notice(desk: Desk, raised: int, step: Step) -> None:
    """Follow a word that was raised from outside the deck, once."""
    session = desk.session
    if raised in (session.acknowledged, session.handled):
        return
    session.handled = raised
    store.write_session(step, session)
    reason = "raised from outside the deck" if raised >= 0 else "the stop flag cannot be read"
    halted(desk, raised, agent=None, reason=reason, stop_ms=None, step=step)


def resumed(desk: Desk, epoch: int, *, agent: AgentId | None, reason: str, step: Step) -> None:
    """Acknowledge ``epoch`` for the deck, or let one agent trade again."""
    if agent is None:
        desk.session.acknowledged = epoch
        store.write_session(step, desk.session)
    else:
        account = desk.accounts[agent]
        account.stopped = False
        store.write_account(step, account)
    by = step.caller.identity
    accepted, refused = desk.totals(agent)
    desk.counters.stops += 1
    record = StopRecord(
        number=desk.counters.stops,
        epoch=epoch,
        agent=agent,
        by=by,
        reason=reason,
        cancelled=0,
        accepted_before=accepted,
        refused_before=refused,
        machine_at=step.machine_at,
        stop_ms=None,
    )
    store.write_stop(step, record, kind="rearmed")
    step.say(TradingResumed(at=step.at, epoch=epoch, agent=agent, by=by, reason=reason))
    step.record(desk.account, "trading_resumed", epoch=epoch, agent=agent, reason=reason)


def standing_stop(desk: Desk, raised: int) -> StopView:
    """Return the stop as it stands and what it can prove."""
    record = shown_stop(
        desk.deck_stop, desk.agent_stop, stopped=raised != desk.session.acknowledged
    )
    accepted, refused = desk.totals(None if record is None else record.agent)
    stopped = tuple(sorted(name for name, each in desk.accounts.items() if each.stopped))
    return stop_view(
        record,
        raised=raised,
        acknowledged=desk.session.acknowledged,
        agents=stopped,
        accepted=accepted,
        refused=refused,
    )
