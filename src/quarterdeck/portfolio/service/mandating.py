"""What people may ask of mandates and rebalances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.portfolio.core.programme import Rebalance
from quarterdeck.portfolio.core.triggers import check, session_of
from quarterdeck.portfolio.model import (
    AbortRebalance,
    ApproveRebalance,
    EndMandate,
    MandateView,
    Mode,
    ProposeRebalance,
    RebalanceStatus,
    RebalanceView,
    SetMandate,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.drafting import aim, draft
from quarterdeck.portfolio.service.executing import end, withdraw
from quarterdeck.portfolio.service.programmes import PARTITION, Charge, unknown
from quarterdeck.portfolio.service.restricting import check_target
from quarterdeck.portfolio.service.wording import mandate_view
from quarterdeck.runtime.policy import Permission
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.portfolio.service.rebalancing import RebalancingService

MAX_MANDATES = 50
MAX_NAME = 64
MAX_REASON = 500
MAX_SLICES = 100
MAX_WAIT_BARS = 5_000


def set_mandate(service: RebalancingService, command: SetMandate, step: Step) -> MandateView:
    """Begin to watch an account, or change how; a mandate that was held goes on."""
    check_mandate(command, service.portfolio, every_bars=service.every_bars)
    service.accounts.holdings(command.agent)
    charges = service.programmes.charges
    for charge in charges.values():
        if charge.mandate.agent == command.agent and charge.mandate.name != command.name:
            raise Conflict(
                f"the mandate {charge.mandate.name} watches over {command.agent} already",
                code="MANDATE_EXISTS",
                field="agent",
                value=command.agent,
                accepted="an agent without a mandate, or that mandate's name",
            )
    if command.name not in charges and len(charges) >= MAX_MANDATES:
        raise Conflict(f"there are {MAX_MANDATES} mandates already", code="TOO_MANY_MANDATES")
    _refuse_live(service, command.name)
    return take_up(service, command, by=step.caller.identity, step=step)


def take_up(
    service: RebalancingService, command: SetMandate, *, by: AgentId, step: Step
) -> MandateView:
    """Watch over an account by a mandate that was checked."""
    charges = service.programmes.charges
    before = charges.get(command.name)
    charge = Charge(
        mandate=command,
        set_by=by,
        set_at=step.at,
        since=step.at if before is None else before.since,
        session=session_of(step.at) if before is None else before.session,
        sessions=0 if before is None else before.sessions,
        # As far as a new mandate is concerned all that an account has was just paid in.
        capital=before.capital if before and before.mandate.agent == command.agent else 0,
    )
    charges[command.name] = charge
    service.programmes.save_charge(charge, step)
    terms = msgspec.json.encode(command, order="sorted").decode()
    step.record(PARTITION, "mandate_set", name=command.name, agent=command.agent, terms=terms)
    return mandate_view(charge, None)


def end_mandate(service: RebalancingService, command: EndMandate, step: Step) -> MandateView:
    """Let an account go, and abort what is under way for it."""
    reason = _text("reason", command.reason, most=MAX_REASON)
    charge = service.programmes.charge(command.name)
    live = service.programmes.live(command.name)
    if live is not None:
        _abort(service, live, reason=f"its mandate ended: {reason}", step=step)
    del service.programmes.charges[command.name]
    step.write("portfolio.charge_ended", name=command.name)
    step.record(PARTITION, "mandate_ended", name=command.name, reason=reason)
    return mandate_view(charge, live)


def propose(service: RebalancingService, command: ProposeRebalance, step: Step) -> RebalanceView:
    """Make the rebalance of a mandate due now, whatever its triggers say."""
    charge = service.programmes.charge(command.name)
    _refuse_live(service, command.name)
    closed = service.accounts.closed(charge.mandate.agent)
    if closed is not None:
        raise Conflict(f"nothing can be traded now: {closed}", code="NOT_OPEN")
    before = charge.target
    try:
        found = _drafted(service, charge, step)
    except DomainError:
        # What is refused changes nothing, the target last found included.
        charge.target = before
        raise
    service.programmes.save_charge(charge, step)
    return service.view(found)


def _drafted(service: RebalancingService, charge: Charge, step: Step) -> Rebalance:
    """Return a rebalance to what is best at this close, or refuse where there is nothing to trade."""
    found = draft(
        service.programmes,
        service.accounts,
        service.portfolio,
        charge=charge,
        aimed=aim(
            service.portfolio,
            service.symbols,
            charge,
            service.accounts,
            every_bars=service.every_bars,
            anew=True,
        ),
        trigger=f"asked for by {step.caller.identity}",
        step=step,
    )
    if isinstance(found, str):
        raise DomainError(f"there is nothing to trade: {found}", code="NOTHING_TO_TRADE")
    return found


def approve(service: RebalancingService, command: ApproveRebalance, step: Step) -> RebalanceView:
    """Let a proposed rebalance be traded; its first slice leaves at the next close."""
    reason = _text("reason", command.reason, most=MAX_REASON, needed=False)
    rebalance = service.programmes.find(command.rebalance_id)
    waits = rebalance.status is RebalanceStatus.PROPOSED
    if not waits or rebalance.mode is not Mode.APPROVAL:
        raise Conflict(
            f"the rebalance is {rebalance.status.value}, its mode {rebalance.mode.value}",
            code="NOT_APPROVABLE",
            field="rebalance_id",
            value=command.rebalance_id[:64],
            accepted="a proposed rebalance of a mandate on approval",
        )
    rebalance.status, rebalance.by = RebalanceStatus.RUNNING, step.caller.identity
    rebalance.reason = reason or None
    service.programmes.save(rebalance, step)
    service.programmes.tell(rebalance, step)
    return service.view(rebalance)


def abort(service: RebalancingService, command: AbortRebalance, step: Step) -> RebalanceView:
    """End a rebalance; its mandate is held until a person sets it again."""
    reason = _text("reason", command.reason, most=MAX_REASON)
    rebalance = service.programmes.find(command.rebalance_id)
    if not (step.caller.may(Permission.OPERATE) or step.caller.identity == rebalance.agent):
        raise unknown(command.rebalance_id)
    if not rebalance.status.final and rebalance.status is not RebalanceStatus.ABORTING:
        _abort(service, rebalance, reason=reason, step=step)
    return service.view(rebalance)


def hold(service: RebalancingService, name: str, *, why: str, step: Step) -> None:
    """Let a mandate do nothing until it is set again."""
    charge = service.programmes.charges.get(name)
    if charge is not None and charge.held is None:
        charge.held = why
        service.programmes.save_charge(charge, step)


def _abort(service: RebalancingService, rebalance: Rebalance, *, reason: str, step: Step) -> None:
    rebalance.by, rebalance.reason = step.caller.identity, reason
    if withdraw(rebalance, service.accounts, step):
        rebalance.status = RebalanceStatus.ABORTING
    else:
        end(rebalance, RebalanceStatus.ABORTED, step=step)
    service.programmes.save(rebalance, step)
    service.programmes.tell(rebalance, step)
    hold(service, rebalance.mandate, why=f"its rebalance was aborted: {reason}", step=step)


def _refuse_live(service: RebalancingService, name: str) -> None:
    live = service.programmes.live(name)
    if live is not None:
        raise Conflict(
            f"its rebalance {live.rebalance_id} is {live.status.value}",
            code="REBALANCE_UNDER_WAY",
            field="name",
            value=name[:MAX_NAME],
            accepted="a mandate without a rebalance under way; abort that first",
        )


def check_mandate(command: SetMandate, portfolio: PortfolioService, *, every_bars: int) -> None:
    """Refuse terms that no account could be held to."""
    name = _text("name", command.name, most=MAX_NAME)
    if not name.isprintable():
        raise InvalidInput.of("name", name, "printable characters")
    check(command.triggers)
    horizon = command.horizon_bars
    check_target(
        portfolio,
        objective=command.objective,
        weights=command.weights,
        limits=command.limits,
        horizon_bars=every_bars if horizon is None else horizon,
        risk_aversion=command.risk_aversion,
    )
    if not 1 <= command.slices <= MAX_SLICES:
        raise InvalidInput.of("slices", command.slices, f"1 to {MAX_SLICES}")
    if not 1 <= command.approve_within_bars <= MAX_WAIT_BARS:
        waits = command.approve_within_bars
        raise InvalidInput.of("approve_within_bars", waits, f"1 to {MAX_WAIT_BARS:,}")


def _text(field: str, value: str, *, most: int, needed: bool = True) -> str:
    if len(value) > most or (needed and not value.strip()):
        least = 1 if needed else 0
        raise InvalidInput.of(field, value, f"{least} to {most} characters")
    return value
