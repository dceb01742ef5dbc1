"""What separates an account from its target, and the trades that are worth their cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotFound
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.market.model import Floats
from quarterdeck.portfolio.core.drift import Drift, drift_of, risk_shares
from quarterdeck.portfolio.core.estimate import turnover
from quarterdeck.portfolio.core.lots import (
    COST_PARTS,
    WEIGHT_PARTS,
    cost,
    notional,
    realised,
    trades_of,
)
from quarterdeck.portfolio.core.no_trade import shortfall, worthwhile
from quarterdeck.portfolio.core.sums import dot, product, published
from quarterdeck.portfolio.model import (
    DriftRow,
    GetPortfolio,
    Objective,
    ProposedTrade,
    RebalancePlan,
    TargetFound,
)
from quarterdeck.portfolio.ports import Accounts, Holdings, Stake
from quarterdeck.portfolio.service import Outlook, PortfolioService
from quarterdeck.runtime.policy import DECK_CALLER

MOST_BARS = 5_000
MOST_AVERSION = 1_000_000.0
NO_AVERSION = "no risk aversion is stated, and only a maximum Sharpe target implies one"
SOLVER = "coordinate-descent"
"""What finds the no-trade region."""
NO_OUTLOOK = "the window of joint returns is not full yet"
TAX_NOTE = (
    "Taxes are not counted: what sales would realise at average cost is shown beside the plan, and "
    "neither its gain nor its no-trade region knows of them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is to be held and what the way there is judged by; ``weights`` in the deck's order."""

    label: str
    weights: Floats
    horizon_bars: int
    aversion: float | None
    reason: str | None
    found: TargetFound | None = None


def aim_of(
    portfolio: PortfolioService,
    symbols: Sequence[str],
    *,
    objective: Objective | None,
    weights: Mapping[str, float] | None,
    horizon_bars: int,
    risk_aversion: float | None,
    within: TargetFound | None = None,
) -> Aim:
    """Return the target that an objective or fixed weights name at this close.

    ``within`` is what was found for the objective within limits.
    """
    check_terms(
        symbols,
        tuple(Objective) if within is not None else portfolio.objectives,
        objective=objective,
        weights=weights,
        horizon_bars=horizon_bars,
        risk_aversion=risk_aversion,
    )
    outlook = portfolio.outlook()
    if objective is not None and within is not None:
        label = f"{objective.value} within limits"
        found = np.array([within.weights[symbol] for symbol in symbols], dtype=np.float64)
    elif objective is not None:
        label, found = objective.value, _best(portfolio, symbols, objective)
    else:
        assert weights is not None
        label = "fixed weights"
        found = np.array([weights.get(symbol, 0.0) for symbol in symbols], dtype=np.float64)
    aversion, reason = risk_aversion, None
    if aversion is None and objective is Objective.MAX_SHARPE and outlook is not None:
        aversion = _implied(found, outlook)
    if outlook is None:
        reason = NO_OUTLOOK
    elif aversion is None:
        reason = NO_AVERSION
    return Aim(
        label=label,
        weights=found,
        horizon_bars=horizon_bars,
        aversion=aversion,
        reason=reason,
        found=within,
    )


def _best(portfolio: PortfolioService, symbols: Sequence[str], objective: Objective) -> Floats:
    """Return the weights to hold: of this close where they are followed, else as proposed last."""
    views = portfolio.portfolio(GetPortfolio(), DECK_CALLER).proposals
    view = next(each for each in views if each.objective is objective)
    found = view.target or (None if view.reason else view.weights)
    if found is None:
        raise DomainError(
            f"there is no {objective.value} portfolio now: {view.reason}", code="NO_TARGET"
        )
    return np.array([found[symbol] for symbol in symbols], dtype=np.float64)


def check_terms(
    symbols: Sequence[str],
    objectives: Sequence[Objective],
    *,
    objective: Objective | None,
    weights: Mapping[str, float] | None,
    horizon_bars: int,
    risk_aversion: float | None,
) -> None:
    """Refuse a target that is not exactly one, or cannot be held without debt."""
    if (objective is None) is (weights is None):
        both = "none" if objective is None else "both"
        raise InvalidInput.of("objective", both, "either an objective or weights")
    if objective is not None and objective not in objectives:
        accepted = f"one of portfolio.objectives: {', '.join(objectives)}; or one with limits"
        raise InvalidInput.of("objective", objective.value, accepted)
    if not 1 <= horizon_bars <= MOST_BARS:
        raise InvalidInput.of("horizon_bars", horizon_bars, f"1 to {MOST_BARS:,}")
    if risk_aversion is not None and not (
        math.isfinite(risk_aversion) and 0.0 < risk_aversion <= MOST_AVERSION
    ):
        accepted = f"a number above 0, at most {MOST_AVERSION:,.0f}"
        raise InvalidInput.of("risk_aversion", risk_aversion, accepted)
    for symbol, weight in (weights or {}).items():
        if symbol not in symbols:
            raise NotFound(
                f"weights: no instrument {symbol[:64]!r}",
                field="weights",
                value=symbol[:64],
                accepted=", ".join(symbols[:20]),
            )
        if not (math.isfinite(weight) and 0.0 <= weight <= 1.0):
            raise InvalidInput.of(f"weights.{symbol}", weight, "a fraction between 0 and 1")
    total = math.fsum((weights or {}).values())
    if total > 1.0 + 1e-9:
        raise InvalidInput.of("weights", f"a sum of {total:.9g}", "a sum of at most 1")


def plan_of(
    accounts: Accounts, outlook: Outlook | None, *, agent: str, aim: Aim, at: Nanos
) -> tuple[RebalancePlan, list[int]]:
    """Return the plan, and the signed quantity units to trade by instrument."""
    holdings = accounts.holdings(agent)
    _refuse_unpriced(holdings, aim)
    stakes = holdings.stakes
    weights = shares_of(holdings)
    wanted, moves, residual = _worth_it(holdings, weights, aim=aim, outlook=outlook)
    trades = trades_of(
        holdings,
        [
            round(share * WEIGHT_PARTS) if move else None
            for move, share in zip(moves, wanted.tolist(), strict=True)
        ],
    )
    pairs = list(zip(stakes, trades, strict=True))
    after = _weights(holdings, [stake.quantity + traded for stake, traded in pairs])
    costs = [cost(stake, traded) for stake, traded in pairs]
    spent = sum(costs)
    gain = _gain(holdings, weights, after, aim=aim, outlook=outlook)
    covariance = None if outlook is None else outlook.covariance
    drift = drift_of(weights, aim.weights, covariance)
    return RebalancePlan(
        agent=holdings.agent,
        target=aim.label,
        at=rfc3339(at),
        equity=_money(holdings.equity),
        cash=_money(holdings.cash),
        drift=drift.absolute,
        relative_drift=drift.relative,
        risk_drift=drift.risk,
        rows=_rows(holdings, weights, aim=aim, wanted=wanted, covariance=covariance),
        trades=tuple(
            _trade(accounts, agent, stake, traded, spent=paid)
            for (stake, traded), paid in zip(pairs, costs, strict=True)
            if traded
        ),
        turnover=published(turnover(weights, after)),
        cost=_money(spent),
        cost_bps=published(holdings.cost_parts / COST_PARTS * 10_000.0),
        horizon_bars=aim.horizon_bars,
        risk_aversion=None if aim.aversion is None else published(aim.aversion),
        expected_gain=gain,
        net_gain=None if gain is None else published(gain - spent / 10**MONEY_SCALE),
        reason=aim.reason,
        kkt_residual=residual,
        realised=_money(sum(realised(stake, traded) for stake, traded in pairs)),
        tax_note=TAX_NOTE,
        solver=None if residual is None else SOLVER,
        span_from=None if outlook is None else rfc3339(outlook.span_from),
        span_to=None if outlook is None else rfc3339(outlook.span_to),
        warning=None if outlook is None else outlook.warning,
        found=aim.found,
    ), trades


def _worth_it(
    holdings: Holdings, weights: Floats, *, aim: Aim, outlook: Outlook | None
) -> tuple[Floats, list[bool], float | None]:
    """Return the weights worth going to, which of them to go to, and the certificate of that."""
    gap = weights - aim.weights
    if aim.aversion is None or outlook is None:
        return aim.weights, (gap != 0.0).tolist(), None
    change, residual = worthwhile(
        gap,
        outlook.covariance,
        aversion=aim.aversion * aim.horizon_bars,
        cost=holdings.cost_parts / COST_PARTS,
    )
    wanted = np.where(change == -gap, aim.weights, weights + change)
    return wanted, (change != 0.0).tolist(), published(residual)


def _gain(
    holdings: Holdings, weights: Floats, after: Floats, *, aim: Aim, outlook: Outlook | None
) -> float | None:
    """Return what the trades bring over the horizon in money, before cost."""
    if aim.aversion is None or outlook is None:
        return None
    pull = aim.aversion * aim.horizon_bars
    before = shortfall(weights - aim.weights, outlook.covariance, aversion=pull)
    left = shortfall(after - aim.weights, outlook.covariance, aversion=pull)
    return published((before - left) * holdings.equity / 10**MONEY_SCALE)


def present_drift(accounts: Accounts, outlook: Outlook | None, *, agent: str, aim: Aim) -> Drift:
    """Return how far an account is from its target at this close."""
    holdings = accounts.holdings(agent)
    _refuse_unpriced(holdings, aim)
    weights = shares_of(holdings)
    return drift_of(weights, aim.weights, None if outlook is None else outlook.covariance)


def _implied(target: Floats, outlook: Outlook) -> float | None:
    """Return the aversion for which ``target`` is the best of mean and variance: m't / t'St."""
    gain = dot(outlook.mean, target)
    variance = dot(target, product(outlook.covariance, target))
    return gain / variance if gain > 0.0 and variance > 0.0 else None


def _refuse_unpriced(holdings: Holdings, aim: Aim) -> None:
    if holdings.equity <= 0:
        raise DomainError(
            f"{holdings.agent} has no equity to hold a portfolio with", code="NO_EQUITY"
        )
    for stake, weight in zip(holdings.stakes, aim.weights.tolist(), strict=True):
        if weight != 0.0 and stake.price is None:
            raise DomainError(f"{stake.symbol} has no price yet", code="NO_PRICE")


def shares_of(holdings: Holdings) -> Floats:
    """Return what is held as shares of the equity, which must be above 0, at the last closes."""
    return _weights(holdings, [stake.quantity for stake in holdings.stakes])


def _weights(holdings: Holdings, quantities: Sequence[int]) -> Floats:
    return np.array(
        [
            0.0 if stake.worth is None else quantity * stake.worth / holdings.equity
            for stake, quantity in zip(holdings.stakes, quantities, strict=True)
        ],
        dtype=np.float64,
    )


def _rows(
    holdings: Holdings, weights: Floats, *, aim: Aim, wanted: Floats, covariance: Floats | None
) -> tuple[DriftRow, ...]:
    """Return a line for whatever is held or to be held."""
    shares = None if covariance is None else risk_shares(weights, covariance)
    aimed = None if covariance is None else risk_shares(aim.weights, covariance)
    rows = []
    for i, stake in enumerate(holdings.stakes):
        weight, target = float(weights[i]), float(aim.weights[i])
        if weight == 0.0 and target == 0.0:
            continue
        rows.append(
            DriftRow(
                symbol=stake.symbol,
                quantity=from_units(stake.quantity, stake.quantity_scale),
                weight=published(weight),
                target=published(target),
                wanted=published(float(wanted[i])),
                drift=published(weight - target),
                relative=published((weight - target) / abs(target)) if target else None,
                risk_share=None if shares is None else published(float(shares[i])),
                target_risk_share=None if aimed is None else published(float(aimed[i])),
            )
        )
    return tuple(rows)


def _trade(
    accounts: Accounts, agent: str, stake: Stake, quantity: int, *, spent: int
) -> ProposedTrade:
    assert stake.price is not None
    side = Side.BUY if quantity > 0 else Side.SELL
    asked = from_units(abs(quantity), stake.quantity_scale)
    decision = accounts.verdict(agent, stake.symbol, side=side, quantity=asked)
    return ProposedTrade(
        symbol=stake.symbol,
        side=side,
        quantity=asked,
        price=from_units(stake.price, stake.price_scale),
        notional=_money(notional(stake, quantity)),
        cost=_money(spent),
        realised=_money(realised(stake, quantity)),
        verdict=decision.status,
        code=None if decision.code is None else decision.code.value,
        max_allowed_now=decision.max_allowed_now,
        reason=decision.breaches[0].text if decision.breaches else None,
    )


def _money(units: int) -> Decimal:
    return from_units(units, MONEY_SCALE)
