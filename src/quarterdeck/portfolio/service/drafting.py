"""At every close: what a mandate's triggers say, and the rebalance that follows."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.core.programme import Leg, Rebalance
from quarterdeck.portfolio.core.triggers import due, session_of
from quarterdeck.portfolio.model import (
    DriftMeasured,
    DriftOf,
    Mode,
    ProposePortfolio,
    RebalancePlan,
    RebalanceStatus,
)
from quarterdeck.portfolio.ports import Accounts
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.planning import Aim, aim_of, plan_of, present_drift
from quarterdeck.portfolio.service.programmes import Charge, Programmes
from quarterdeck.portfolio.service.restricting import check_target, limits_of, target_within
from quarterdeck.runtime.sequencer import Step

INSIDE = "inside the no-trade region, or within a lot of the target"


def aim(
    portfolio: PortfolioService,
    symbols: Sequence[str],
    charge: Charge,
    accounts: Accounts,
    *,
    every_bars: int,
    anew: bool,
) -> Aim:
    """Return what a mandate aims at now, or refuse where there is no such portfolio.

    A target within limits is the one found last unless it is to be found ``anew``.
    """
    mandate = charge.mandate
    horizon = every_bars if mandate.horizon_bars is None else mandate.horizon_bars
    limits = limits_of(mandate.objective, mandate.limits)
    if limits is not None and mandate.objective is not None and (anew or charge.target is None):
        # A target that cannot be found any more is nothing to go on aiming at.
        charge.target = None
        charge.target = target_within(
            portfolio,
            mandate.objective,
            limits,
            holdings=accounts.holdings(mandate.agent),
            horizon_bars=horizon,
            at=accounts.closed_at(),
        )
    return aim_of(
        portfolio,
        symbols,
        objective=mandate.objective,
        weights=mandate.weights,
        horizon_bars=horizon,
        risk_aversion=mandate.risk_aversion,
        within=None if limits is None else charge.target,
    )


def asked_plan(
    portfolio: PortfolioService,
    accounts: Accounts,
    query: ProposePortfolio,
    *,
    agent: str,
    every_bars: int,
) -> RebalancePlan:
    """Return what it would take to bring an account to what was asked for; nothing changes."""
    holdings, at = accounts.holdings(agent), accounts.closed_at()
    horizon = every_bars if query.horizon_bars is None else query.horizon_bars
    check_target(
        portfolio,
        objective=query.objective,
        weights=query.weights,
        limits=query.limits,
        horizon_bars=horizon,
        risk_aversion=query.risk_aversion,
    )
    limits, within = limits_of(query.objective, query.limits), None
    if limits is not None and query.objective is not None:
        within = target_within(
            portfolio, query.objective, limits, holdings=holdings, horizon_bars=horizon, at=at
        )
    aimed = aim_of(
        portfolio,
        portfolio.symbols,
        objective=query.objective,
        weights=query.weights,
        horizon_bars=horizon,
        risk_aversion=query.risk_aversion,
        within=within,
    )
    return plan_of(accounts, portfolio.outlook(), agent=agent, aim=aimed, at=at)[0]


def count_session(charge: Charge, step: Step) -> bool:
    """Count a session that began with this bar, where a trigger counts them; return whether one did."""
    today = session_of(step.at)
    if charge.mandate.triggers.sessions is None or today <= charge.session:
        return False
    charge.session, charge.sessions = today, charge.sessions + 1
    return True


def trigger_of(
    charge: Charge,
    accounts: Accounts,
    portfolio: PortfolioService,
    *,
    aimed: Aim,
    turned: frozenset[int],
    step: Step,
) -> str | None:
    """Tell how far a mandate's account has drifted; return what makes its rebalance due at this close."""
    mandate = charge.mandate
    holdings = accounts.holdings(mandate.agent)
    drift = present_drift(accounts, portfolio.outlook(), agent=mandate.agent, aim=aimed)
    step.say(
        DriftMeasured(
            at=step.at,
            slice=step.slice,
            of=DriftOf.ACCOUNT,
            subject=mandate.name,
            drift=drift.absolute,
        )
    )
    return due(
        mandate.triggers,
        at=step.at,
        since=charge.since,
        sessions=charge.sessions,
        drift=drift,
        turned=any(aimed.weights[row] != 0.0 for row in turned),
        flow=abs(holdings.capital - charge.capital) / holdings.equity,
    )


def draft(
    programmes: Programmes,
    accounts: Accounts,
    portfolio: PortfolioService,
    *,
    charge: Charge,
    aimed: Aim,
    trigger: str,
    step: Step,
) -> Rebalance | str:
    """Return the rebalance that a trigger leads to, taken up, or why there is none."""
    mandate = charge.mandate
    plan, trades = plan_of(
        accounts, portfolio.outlook(), agent=mandate.agent, aim=aimed, at=step.at
    )
    if not plan.trades:
        return INSIDE
    if plan.net_gain is not None and plan.net_gain <= 0.0:
        return "the trades in whole lots would cost more than they bring"
    if not any(each.verdict == "accepted" or each.max_allowed_now for each in plan.trades):
        return f"the gate would let none of its trades pass: {plan.trades[0].reason}"
    stakes = accounts.holdings(mandate.agent).stakes
    automatic = mandate.mode is Mode.AUTOMATIC
    rebalance = Rebalance(
        number=programmes.number + 1,
        rebalance_id=step.new_id("reb"),
        mandate=mandate.name,
        agent=plan.agent,
        trigger=trigger,
        mode=mandate.mode,
        status=RebalanceStatus.RUNNING if automatic else RebalanceStatus.PROPOSED,
        at=step.at,
        slice=step.slice,
        plan=plan,
        legs=[
            Leg(
                instrument=row,
                symbol=stakes[row].symbol,
                side=Side.BUY if quantity > 0 else Side.SELL,
                planned=abs(quantity),
                lot=stakes[row].lot,
            )
            for row, quantity in enumerate(trades)
            if quantity
        ],
        slices=mandate.slices,
        expires_slice=step.slice + mandate.approve_within_bars,
    )
    programmes.add(rebalance, step)
    return rebalance


def came_to(
    charge: Charge, accounts: Accounts, *, trigger: str, found: Rebalance | str, step: Step
) -> bool:
    """Let the triggers count anew from this close; return whether anything is to be written.

    A drift that stays where it is and leads to nothing is noted once, not at every bar.
    """
    outcome = found if isinstance(found, str) else f"rebalance {found.number}"
    told = f"{trigger}; {outcome}"
    if charge.last == told and trigger.partition(":")[0].endswith("drift"):
        return False
    charge.last, charge.last_at = told, step.at
    charge.since, charge.sessions = step.at, 0
    charge.session = session_of(step.at)
    charge.capital = accounts.holdings(charge.mandate.agent).capital
    return True


def refused(charge: Charge, refusal: DomainError, step: Step) -> bool:
    """Note why a mandate has no target at this close; return whether that is new."""
    if charge.last == refusal.message:
        return False
    charge.last, charge.last_at = refusal.message, step.at
    return True
