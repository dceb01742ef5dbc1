"""What opens trading again: a person who saw what resumes, and books that agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.execution.core.session import DECK, NEVER, Scope, StopRecord, rearm_view
from quarterdeck.execution.model import (
    GetRearm,
    Rearm,
    RearmView,
    StopScope,
    StopView,
    TradingResumed,
)
from quarterdeck.execution.service.checks import MAX_REASON, MAX_REFERENCE, MAX_SYMBOL, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.halting import (
    kept,
    notice,
    orders_in,
    scope_of,
    standing_stop,
)
from quarterdeck.execution.service.reconciling import differing
from quarterdeck.execution.store import write_account, write_session
from quarterdeck.execution.store.stops import write_stop
from quarterdeck.kernel.errors import Conflict
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

LOST = (
    "the stop flag was lost or could not be raised, so that trading stays stopped in this run; "
    "start anew: a new run in a new data folder"
)


def resumes(service: ExecutionService, query: GetRearm, _caller: Caller) -> RearmView:
    """Return exactly what re-arming would let go on now, and what stands in its way."""
    desk, raised = service.desk, service.stop.raised()
    scope = scope_of(desk, account=query.account, agent=query.agent, instrument=query.instrument)
    return _listed(desk, scope, raised=raised)


def rearm(service: ExecutionService, command: Rearm, step: Step) -> StopView:
    """Open trading again, if what a person saw is still what stands and what would resume."""
    check_length("reason", command.reason, MAX_REASON)
    check_length("confirm", command.confirm, MAX_REFERENCE)
    desk, raised = service.desk, service.stop.raised()
    scope = scope_of(
        desk, account=command.account, agent=command.agent, instrument=command.instrument
    )
    if _lost(desk, scope, raised):
        raise Conflict(
            LOST,
            code="STOP_FLAG_LOST",
            field="epoch",
            value=str(command.epoch)[:MAX_SYMBOL],
            accepted="a new run in a new data folder",
        )
    if command.epoch != raised:
        raise Conflict(
            f"the epoch raised is {raised}, not {command.epoch}",
            code="EPOCH_CHANGED",
            field="epoch",
            value=str(command.epoch)[:MAX_SYMBOL],
            accepted=str(raised),
        )
    if _stands(desk, scope, raised):
        _confirmed(_listed(desk, scope, raised=raised), command)
        notice(desk, raised, step)
        _resume(desk, raised, scope=scope, reason=command.reason, step=step)
    return standing_stop(desk, raised)


def _stands(desk: Desk, scope: Scope, raised: int) -> bool:
    """Return whether ``scope`` is stopped, also by a word that nobody has recorded yet."""
    if scope == DECK:
        return raised != desk.session.acknowledged
    return desk.standing(scope, raised) is not None


def _lost(desk: Desk, scope: Scope, raised: int) -> bool:
    return raised < 0 or (scope == DECK and desk.session.acknowledged == NEVER)


def _confirmed(listed: RearmView, command: Rearm) -> None:
    """Refuse what nobody has looked at, or what has changed since somebody did."""
    if listed.blocked:
        unknown = any("unknown" in why for why in listed.blocked)
        raise Conflict(
            "; ".join(listed.blocked),
            code="UNKNOWN_ORDERS" if unknown else "NOT_RECONCILED",
            accepted="re-arm once the broker has answered and the books agree",
        )
    if command.confirm != listed.confirmation:
        changed = command.confirm is not None
        raise Conflict(
            "what would resume has changed since it was shown"
            if changed
            else "what would resume has not been confirmed",
            code="RESUME_CHANGED" if changed else "CONFIRM_FIRST",
            field="confirm",
            value=(command.confirm or "")[:MAX_SYMBOL],
            accepted="the confirmation that GET /gate/rearm shows with what resumes",
        )


def _listed(desk: Desk, scope: Scope, *, raised: int) -> RearmView:
    stands = _stands(desk, scope, raised)
    others = [one.scope for one in desk.standing_stops(raised) if one.scope != scope]
    if scope != DECK and raised != desk.session.acknowledged and DECK not in others:
        others.insert(0, DECK)
    wide = {one for one in others if one.kind in (StopScope.DECK, StopScope.ACCOUNT)}
    return rearm_view(
        scope,
        epoch=raised,
        agents=_agents(desk, scope) if stands and not wide else (),
        instruments=(scope.subject,) if stands and scope.kind is StopScope.INSTRUMENT else (),
        orders=tuple(
            order.order_id
            for order in orders_in(desk, scope)
            if stands and kept(desk, order, scope=scope)
        ),
        remaining=tuple(one.words for one in others),
        blocked=_blocked(desk, scope, raised=raised, stands=stands),
    )


def _agents(desk: Desk, scope: Scope) -> tuple[str, ...]:
    """Return whose orders pass again, if nothing wider than ``scope`` stays stopped."""
    if scope.kind is StopScope.AGENT:
        return (scope.subject,)
    return tuple(sorted(name for name, each in desk.accounts.items() if not each.stopped))


def _blocked(desk: Desk, scope: Scope, *, raised: int, stands: bool) -> tuple[str, ...]:
    if not stands:
        return (f"{scope.words} is not stopped",)
    found = [LOST] if _lost(desk, scope, raised) else []
    unknown = [o.order_id for o in orders_in(desk, scope) if o.status is OrderStatus.UNKNOWN]
    if unknown:
        found.append(f"the outcome of {', '.join(unknown)} is unknown: the broker has not answered")
    if not desk.balanced():
        found.append("the ledger does not agree with the accounts")
    found.extend(differing(desk, scope))
    return tuple(found)


def _resume(desk: Desk, epoch: int, *, scope: Scope, reason: str, step: Step) -> None:
    """Take a stop back, record and say it."""
    match scope.kind:
        case StopScope.DECK:
            desk.session.acknowledged = epoch
            write_session(step, desk.session)
        case StopScope.ACCOUNT:
            desk.session.account_stopped = False
            write_session(step, desk.session)
        case StopScope.AGENT:
            account = desk.accounts[AgentId(scope.subject)]
            account.stopped = False
            write_account(step, account)
        case StopScope.INSTRUMENT:
            row = desk.symbols[scope.subject].index
            del desk.frozen[row]
            step.write("execution.frozen_ended", instrument=row)
    by = step.caller.identity
    desk.counters.stops += 1
    record = StopRecord(
        number=desk.counters.stops,
        epoch=epoch,
        scope=scope,
        by=by,
        reason=reason,
        cancelled=0,
        machine_at=step.machine_at,
        stop_ms=None,
    )
    write_stop(step, record, kind="rearmed")
    agent = AgentId(scope.subject) if scope.kind is StopScope.AGENT else None
    step.say(
        TradingResumed(
            at=step.at,
            epoch=epoch,
            agent=agent,
            by=by,
            reason=reason,
            scope=scope.kind,
            subject=scope.subject,
        )
    )
    step.record(
        desk.account,
        "trading_resumed",
        epoch=epoch,
        scope=scope.kind.value,
        subject=scope.subject,
        reason=reason,
    )
