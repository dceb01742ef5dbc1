"""What a stop does beyond its epoch: cancel, record, say; and what opens trading again."""

from __future__ import annotations

from dataclasses import replace

from quarterdeck.execution import store
from quarterdeck.execution.core.session import StopRecord, outside_reason, stop_view
from quarterdeck.execution.model import StopView, TradingHalted, TradingResumed
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import CallerKind
from quarterdeck.runtime.sequencer import Step


def halted(
    desk: Desk,
    epoch: int,
    *,
    agent: AgentId | None,
    standing: StopRecord | None,
    reason: str,
    stop_ms: float | None,
    step: Step,
) -> None:
    """Cancel what is working under the raised epoch, and make the stop's record.

    A stop that was ``standing`` before goes on proving what it proved; a person's later reason
    takes the place of the one before, the deck's own does not.
    """
    by = step.caller.identity
    accepted, refused = desk.totals(agent)
    cancelled = _cancel(desk, agent, by=by, step=step)
    desk.counters.stops += 1
    if standing is None:
        record = StopRecord(
            number=desk.counters.stops,
            epoch=epoch,
            agent=agent,
            by=by,
            reason=reason,
            cancelled=cancelled,
            accepted_before=accepted,
            refused_before=refused,
            machine_at=step.machine_at,
            stop_ms=stop_ms,
        )
    else:
        own = step.caller.kind is CallerKind.DECK
        record = replace(
            standing,
            number=desk.counters.stops,
            epoch=epoch,
            by=standing.by if own else by,
            reason=standing.reason if own else reason,
            cancelled=standing.cancelled + cancelled,
        )
    desk.stops[agent] = record
    store.write_stop(step, record, kind="raised")
    step.say(
        TradingHalted(
            at=step.at, epoch=epoch, agent=agent, by=by, reason=reason, cancelled=cancelled
        )
    )
    step.record(
        desk.account,
        "trading_halted",
        epoch=epoch,
        agent=agent,
        reason=reason,
        cancelled=cancelled,
    )


def _cancel(desk: Desk, agent: AgentId | None, *, by: str, step: Step) -> int:
    """Cancel what the policy does not leave working; return how many orders ended."""
    alive = desk.book.of(agent)
    for order in alive:
        kept = order.reduce_only and desk.policy.stop_cancels == "opening"
        # One that is final was attached to an order that has just been cancelled.
        if not (kept or order.status.final):
            reason = f"trading was stopped by {by}"
            end_order(desk, order, status=OrderStatus.CANCELLED, reason=reason, step=step)
    return sum(order.status.final for order in alive)


def explained(desk: Desk, standing: StopRecord, *, reason: str, step: Step) -> None:
    """Let the stop of the deck that stands take the caller's reason and name."""
    record = replace(standing, by=step.caller.identity, reason=reason)
    desk.stops[None] = record
    store.amend_stop(step, record)
    step.record(desk.account, "stop_reason", epoch=record.epoch, reason=reason)


def notice(desk: Desk, raised: int, step: Step) -> None:
    """Follow a word that was raised from outside the deck, once."""
    session = desk.session
    if raised in (session.acknowledged, session.handled):
        return
    standing = desk.standing(None, raised)
    session.handled = raised
    store.write_session(step, session)
    halted(
        desk,
        raised,
        agent=None,
        standing=standing,
        reason=outside_reason(raised),
        stop_ms=None,
        step=step,
    )


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


def closed_for(desk: Desk, raised: int, *, agent: AgentId | None) -> str | None:
    """Return why no order of ``agent`` can pass under the word ``raised``, or ``None``."""
    if raised != desk.session.acknowledged:
        standing = desk.standing(None, raised)
        reason = outside_reason(raised) if standing is None else standing.reason
        return f"trading is stopped: {reason or 'no reason given'}"
    account = None if agent is None else desk.accounts.get(agent)
    if account is not None and account.stopped:
        return "this agent is stopped"
    return desk.session.closed


def standing_stop(desk: Desk, raised: int, *, agent: AgentId | None = None) -> StopView:
    """Return the stop as it stands under the word ``raised``, shown to ``agent`` or a person."""
    if raised != desk.session.acknowledged:
        record = desk.standing(None, raised)
    else:
        record = max(desk.stops.values(), key=lambda each: each.number, default=None)
    accepted, refused = desk.totals(None if record is None else record.agent)
    stopped = tuple(sorted(name for name, each in desk.accounts.items() if each.stopped))
    return stop_view(
        record,
        raised=raised,
        acknowledged=desk.session.acknowledged,
        agents=stopped,
        frozen=tuple(sorted(desk.contracts[row].symbol for row in desk.frozen)),
        accepted=accepted,
        refused=refused,
        closed=closed_for(desk, raised, agent=agent),
    )
