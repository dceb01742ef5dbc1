"""What a stop does: its epoch, what it cancels, what it records and says."""

from __future__ import annotations

from dataclasses import replace

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.session import (
    DECK,
    Scope,
    StopRecord,
    outside_reason,
    stop_view,
)
from quarterdeck.execution.model import StopScope, StopView, TradingHalted
from quarterdeck.execution.service.checks import MAX_SYMBOL
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.store import write_account, write_session
from quarterdeck.execution.store.stops import amend_stop, write_stop
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import CallerKind
from quarterdeck.runtime.sequencer import Step


def scope_of(
    desk: Desk, *, account: str | None, agent: str | None, instrument: str | None
) -> Scope:
    """Return what is meant: at most one of the three, and none for the deck."""
    named = [name for name in (account, agent, instrument) if name is not None]
    if len(named) > 1:
        raise InvalidInput.of(
            "instrument" if instrument is not None else "agent",
            instrument if instrument is not None else agent,
            "one account, agent or instrument, and not two of them",
        )
    if agent is not None:
        return Scope(StopScope.AGENT, desk.known(agent))
    if account is not None:
        return Scope(StopScope.ACCOUNT, _among(account, (desk.account,), field="account"))
    if instrument is not None:
        return Scope(
            StopScope.INSTRUMENT, _among(instrument, tuple(desk.symbols), field="instrument")
        )
    return DECK


def _among(name: str, known: tuple[str, ...], *, field: str) -> str:
    if name in known:
        return name
    raise NotFound(
        f"no such {field}", field=field, value=name[:MAX_SYMBOL], accepted=", ".join(known)
    )


def enforce(desk: Desk, scope: Scope, *, raised: int, reason: str, step: Step) -> int:
    """Put a stop of ``scope`` in force from this instant and return its epoch.

    The deck's is in force by its word, ``raised``; those of an account and an agent raise the epoch
    that their orders must name; one of an instrument lets what only reduces pass and raises none.
    """
    match scope.kind:
        case StopScope.DECK:
            desk.session.handled = raised
            write_session(step, desk.session)
        case StopScope.ACCOUNT:
            desk.session.account_stopped = True
            desk.session.account_stops += 1
            write_session(step, desk.session)
        case StopScope.AGENT:
            account = desk.accounts[AgentId(scope.subject)]
            account.stopped, account.stops = True, account.stops + 1
            write_account(step, account)
            return raised + desk.session.account_stops + account.stops
        case StopScope.INSTRUMENT:
            row = desk.symbols[scope.subject].index
            desk.frozen[row] = reason or "stopped by a person"
            step.write(
                "execution.frozen_saved", instrument=row, reason=desk.frozen[row], at=step.at
            )
    return raised + (desk.session.account_stops if scope.kind is StopScope.ACCOUNT else 0)


def halted(
    desk: Desk,
    epoch: int,
    *,
    scope: Scope,
    standing: StopRecord | None,
    reason: str,
    stop_ms: float | None,
    step: Step,
) -> None:
    """Cancel what is working under the stop that is in force, and make its record.

    A stop that was ``standing`` before goes on proving what it proved; a person's later reason
    takes the place of the one before, the deck's own does not.
    """
    by = step.caller.identity
    cancelled = _cancel(desk, scope, by=by, step=step)
    desk.counters.stops += 1
    if standing is None:
        record = StopRecord(
            number=desk.counters.stops,
            epoch=epoch,
            scope=scope,
            by=by,
            reason=reason,
            cancelled=cancelled,
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
    desk.stops[scope] = record
    write_stop(step, record, kind="raised")
    agent = AgentId(scope.subject) if scope.kind is StopScope.AGENT else None
    step.say(
        TradingHalted(
            at=step.at,
            epoch=epoch,
            agent=agent,
            by=by,
            reason=reason,
            cancelled=cancelled,
            scope=scope.kind,
            subject=scope.subject,
        )
    )
    step.record(
        desk.account,
        "trading_halted",
        epoch=epoch,
        scope=scope.kind.value,
        subject=scope.subject,
        reason=reason,
        cancelled=cancelled,
    )


def orders_in(desk: Desk, scope: Scope) -> list[Order]:
    """Return the orders that are not final and that a stop of ``scope`` concerns."""
    match scope.kind:
        case StopScope.AGENT:
            return desk.book.of(AgentId(scope.subject))
        case StopScope.INSTRUMENT:
            row = desk.symbols[scope.subject].index
            return [order for order in desk.book.of(None) if order.instrument == row]
        case _:
            return desk.book.of(None)


def kept(desk: Desk, order: Order, *, scope: Scope) -> bool:
    """Return whether the policy leaves ``order`` working under a stop of ``scope``.

    What can only reduce always works on in an instrument that is stopped alone.
    """
    spared = scope.kind is StopScope.INSTRUMENT or desk.policy.stop_cancels == "opening"
    return order.reduce_only and spared


def _cancel(desk: Desk, scope: Scope, *, by: str, step: Step) -> int:
    """Cancel what the policy does not leave working; return how many orders ended."""
    alive = orders_in(desk, scope)
    what = scope.subject if scope.kind is StopScope.INSTRUMENT else "trading"
    for order in alive:
        # One that is final was attached to an order that has just been cancelled.
        if not (kept(desk, order, scope=scope) or order.status.final):
            reason = f"{what} was stopped by {by}"
            end_order(desk, order, status=OrderStatus.CANCELLED, reason=reason, step=step)
    return sum(order.status.final for order in alive)


def explained(desk: Desk, standing: StopRecord, *, reason: str, step: Step) -> None:
    """Let the stop of the deck that stands take the caller's reason and name."""
    record = replace(standing, by=step.caller.identity, reason=reason)
    desk.stops[DECK] = record
    amend_stop(step, record)
    step.record(desk.account, "stop_reason", epoch=record.epoch, reason=reason)


def notice(desk: Desk, raised: int, step: Step) -> None:
    """Follow a word that was raised from outside the deck, once."""
    session = desk.session
    if raised in (session.acknowledged, session.handled):
        return
    standing = desk.standing(DECK, raised)
    reason = outside_reason(raised)
    epoch = enforce(desk, DECK, raised=raised, reason=reason, step=step)
    halted(desk, epoch, scope=DECK, standing=standing, reason=reason, stop_ms=None, step=step)


def closed_for(desk: Desk, raised: int, *, agent: AgentId | None) -> str | None:
    """Return why no order of ``agent`` can pass under the word ``raised``, or ``None``."""
    if raised != desk.session.acknowledged:
        standing = desk.standing(DECK, raised)
        reason = outside_reason(raised) if standing is None else standing.reason
        return f"trading is stopped: {reason or 'no reason given'}"
    if desk.session.account_stopped:
        return f"the account {desk.account} is stopped"
    account = None if agent is None else desk.accounts.get(agent)
    if account is not None and account.stopped:
        return "this agent is stopped"
    return desk.session.closed


def standing_stop(
    desk: Desk, raised: int, *, agent: AgentId | None = None, told: StopRecord | None = None
) -> StopView:
    """Return the stop as it stands under the word ``raised``, shown to ``agent`` or a person.

    In front is ``told`` if that is given, else the deck's if it stands, else the last one raised.
    """
    standing = desk.standing_stops(raised)
    if raised != desk.session.acknowledged:
        told = desk.standing(DECK, raised)
    elif told is None:
        among = standing or desk.stops.values()
        told = max(among, key=lambda each: each.number, default=None)
    return stop_view(
        told,
        standing,
        raised=raised,
        acknowledged=desk.session.acknowledged,
        closed=closed_for(desk, raised, agent=agent),
    )
