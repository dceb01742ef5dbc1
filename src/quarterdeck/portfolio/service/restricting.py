"""Targets within limits of their own: groups, turnover, costs, shorts, tracking, few assets, lots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotFound
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.portfolio.core.budget import STEP, Budget
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.lots import COST_PARTS
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.polytope import (
    Constraints,
    Group,
    conflict,
    infeasible,
    polytope_of,
)
from quarterdeck.portfolio.core.restricted import RESTRICTED, solve_restricted
from quarterdeck.portfolio.core.solve import Limits, solve
from quarterdeck.portfolio.model import GroupBounds, Objective, Restrictions, TargetFound
from quarterdeck.portfolio.ports import Holdings
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.basis import RISK_FREE, Sample
from quarterdeck.portfolio.service.planning import check_terms
from quarterdeck.portfolio.service.showing import figures_of

MOST_RESTRICTED: Final = 100
MOST_IN_LOTS: Final = 25
"""Instruments up to which a slice can wait for an answer, and for one in whole lots."""

MOST_GROUPS: Final = 100
NET: Final = (Objective.MAX_SHARPE, Objective.MAX_RETURN)
"""Objectives with a return that costs can be taken off."""

BOUNDS: Final = {"lower": "min_weight", "upper": "max_weight"}


def check_limits(portfolio: PortfolioService, objective: Objective, limits: Restrictions) -> None:
    """Refuse limits that do not go with the objective or the deck, or that exclude each other."""
    _check_fit(objective, limits, n=len(portfolio.symbols))
    if objective is Objective.RISK_PARITY:
        _budget_of_risk(portfolio, limits)
        return
    _placed(portfolio, "benchmark", limits.benchmark or {})
    equal = np.full(len(portfolio.symbols), 1.0 / len(portfolio.symbols))
    try:
        asked = _constraints(portfolio, limits, current=equal, cost=None)
        polytope_of(_bounds(portfolio, limits), asked)
        # How far an account may move depends on what it holds then; the rest must agree by itself.
        still = Constraints(groups=asked.groups, max_gross=asked.max_gross)
        rest = polytope_of(_bounds(portfolio, limits), still)
    except InvalidInput as refusal:
        raise _named(refusal) from None
    if conflict(rest) is not None:
        raise infeasible(rest)


def check_target(
    portfolio: PortfolioService,
    *,
    objective: Objective | None,
    weights: Mapping[str, float] | None,
    limits: Restrictions | None,
    horizon_bars: int,
    risk_aversion: float | None,
) -> None:
    """Refuse a target that no account could be brought to, or limits that go with nothing."""
    kept = limits_of(objective, limits)
    check_terms(
        portfolio.symbols,
        portfolio.objectives if kept is None else tuple(Objective),
        objective=objective,
        weights=weights,
        horizon_bars=horizon_bars,
        risk_aversion=risk_aversion,
    )
    if kept is not None and objective is None:
        raise InvalidInput.of("limits", "given", "none with fixed weights")
    if kept is not None and objective is not None:
        check_limits(portfolio, objective, kept)


def limits_of(objective: Objective | None, limits: Restrictions | None) -> Restrictions | None:
    """Return what a target must keep to; None where the deck's own proposal is followed."""
    if limits is None and objective is Objective.TRACKING:
        return Restrictions()
    return limits


def target_within(
    portfolio: PortfolioService,
    objective: Objective,
    limits: Restrictions,
    *,
    holdings: Holdings,
    horizon_bars: int,
    at: Nanos,
) -> TargetFound:
    """Return the best weights at this close for an account within limits, or refuse with the reason.

    Weights are in steps of 1e-9, the same on every machine; with whole lots they are rounded away from
    what is held, so that rounding trades towards it gives the lots again.
    """
    sample = portfolio.sample()
    held = _held(holdings)
    mean, covariance, observations = sample.moments()
    weights: Floats
    if objective is Objective.RISK_PARITY:
        found = solve(
            objective.value,
            mean=mean,
            covariance=covariance,
            limits=Limits(risk_free=RISK_FREE, risk_budget=_budget_of_risk(portfolio, limits)),
            rounded=True,
        )
        weights = found.weights
    else:
        found, weights = _restricted(
            portfolio, objective, limits, sample=sample, moments=(mean, covariance),
            holdings=holdings, held=held, horizon_bars=horizon_bars,
        )  # fmt: skip
    condition = condition_number(covariance)
    found = stated(found, weights, mean=mean, covariance=covariance)
    figures = figures_of(found, year=portfolio.periods_per_year, before=None)
    return TargetFound(
        at=rfc3339(at),
        weights=dict(zip(portfolio.symbols, weights.tolist(), strict=True)),
        expected_return=figures["expected_return"],
        volatility=figures["volatility"],
        sharpe=figures["sharpe"],
        cvar=figures["cvar"],
        optimality_gap=figures["optimality_gap"],
        kkt_residual=figures["kkt_residual"],
        solver=figures["solver"],
        observations=observations,
        span_from=rfc3339(sample.span_from),
        span_to=rfc3339(sample.span_to),
        condition=condition,
        warning=weakness(len(portfolio.symbols), observations=observations, condition=condition),
    )


def _restricted(
    portfolio: PortfolioService,
    objective: Objective,
    limits: Restrictions,
    *,
    sample: Sample,
    moments: tuple[Floats, Floats],
    holdings: Holdings,
    held: Floats,
    horizon_bars: int,
) -> tuple[Optimum, Floats]:
    lots = _lots(holdings) if limits.whole_lots else None
    cost = _costs(holdings) / horizon_bars if limits.costs else None
    asked = _constraints(portfolio, limits, current=held, cost=cost, lots=lots)
    if objective is Objective.TRACKING:
        given = limits.benchmark
        near = sample.market if given is None else _placed(portfolio, "benchmark", given)
        asked = replace(asked, benchmark=np.array(near))
    bounds = _bounds(portfolio, limits)
    cap = None if limits.vol_cap is None else limits.vol_cap / math.sqrt(portfolio.periods_per_year)
    try:
        found = solve_restricted(
            objective.value,
            sample.window,
            moments=moments,
            limits=Limits(
                risk_free=RISK_FREE,
                vol_cap=cap,
                min_weight=limits.min_weight,
                max_weight=float(bounds.upper[0]),
            ),
            constraints=asked,
            confidence=limits.confidence or sample.config.cvar_confidence,
            quick=True,
        )
    except InvalidInput as refusal:
        raise _named(refusal) from None
    if lots is None:
        return found, bounds.rounded(found.weights)
    steps = found.weights / STEP
    away = np.where(found.weights > held, np.ceil(steps), np.floor(steps))
    return found, np.asarray(away * STEP, dtype=np.float64)


def stated(found: Optimum, weights: Floats, *, mean: Floats, covariance: Floats) -> Optimum:
    """Return the figures of the rounded weights; the proof in steps of a weight, never less than one."""
    proof = [
        None if one is None else (math.floor(one / STEP) + 1) * STEP
        for one in (found.optimality_gap, found.kkt_residual)
    ]
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=RISK_FREE,
        optimality_gap=proof[0],
        kkt_residual=proof[1],
        ridge=0.0,
        solver=found.solver,
        cvar=found.cvar,
    )


def _held(holdings: Holdings) -> Floats:
    if holdings.equity <= 0:
        raise DomainError(
            f"{holdings.agent} has no equity to hold a portfolio with", code="NO_EQUITY"
        )
    return np.array(
        [
            0.0 if stake.worth is None else stake.quantity * stake.worth / holdings.equity
            for stake in holdings.stakes
        ]
    )


def _lots(holdings: Holdings) -> Floats:
    for stake in holdings.stakes:
        if stake.worth is None:
            raise DomainError(f"{stake.symbol} has no price yet", code="NO_PRICE")
    return np.array([stake.lot * (stake.worth or 0) / holdings.equity for stake in holdings.stakes])


def _costs(holdings: Holdings) -> Floats:
    """Return what a unit of value traded costs in each instrument: half the spread and the fee."""
    own = [stake.spread_parts + stake.fee_parts for stake in holdings.stakes]
    return np.array([(each or holdings.cost_parts) / COST_PARTS for each in own])


def _constraints(
    portfolio: PortfolioService,
    limits: Restrictions,
    *,
    current: Floats,
    cost: Floats | None,
    lots: Floats | None = None,
) -> Constraints:
    most = limits.max_turnover
    if most is not None and math.isfinite(most) and most >= 0.0:
        # All is invested in the end: what only leaves cash for that exchanges nothing.
        most += 0.5 * abs(1.0 - float(current.sum()))
    needed = limits.max_turnover, limits.max_change, cost
    return Constraints(
        groups=tuple(_group(portfolio, place, one) for place, one in enumerate(limits.groups)),
        current=None if all(one is None for one in needed) else current,
        max_turnover=most,
        max_change=limits.max_change,
        cost=cost,
        max_gross=limits.max_gross,
        max_assets=limits.max_assets,
        lots=lots,
    )


def _group(portfolio: PortfolioService, place: int, one: GroupBounds) -> Group:
    at = f"limits.groups[{place}]"
    if not 1 <= len(one.name) <= 64:
        raise InvalidInput.of(f"{at}.name", one.name, "1 to 64 characters")
    if one.symbols:
        members = tuple(_place(portfolio, f"{at}.symbols", symbol) for symbol in one.symbols)
    elif one.name in portfolio.sectors:
        members = portfolio.sectors[one.name]
    else:
        raise NotFound(
            f"{at}: no sector {one.name!r}, and no symbols are given",
            field=f"{at}.name",
            value=one.name,
            accepted=", ".join(portfolio.sectors) or "symbols: no sector is configured",
        )
    return Group(one.name, members, one.low, one.high)


def _bounds(portfolio: PortfolioService, limits: Restrictions) -> Budget:
    most = portfolio.cap if limits.max_weight is None else limits.max_weight
    return Budget.of(len(portfolio.symbols), lower=limits.min_weight, upper=most)


def _budget_of_risk(portfolio: PortfolioService, limits: Restrictions) -> Floats | None:
    if limits.risk_budget is None:
        return None
    found = _placed(portfolio, "risk_budget", limits.risk_budget)
    if not (found > 0.0).all() or abs(float(found.sum()) - 1.0) > 1e-9:
        accepted = "a share above 0 of every instrument, in sum 1"
        raise InvalidInput.of("limits.risk_budget", limits.risk_budget, accepted)
    return found


def _placed(portfolio: PortfolioService, field: str, given: Mapping[str, float]) -> Floats:
    found = np.zeros(len(portfolio.symbols))
    for symbol, share in given.items():
        if not math.isfinite(share):
            raise InvalidInput.of(f"limits.{field}.{symbol}", share, "a finite number")
        found[_place(portfolio, f"limits.{field}", symbol)] = share
    return found


def _place(portfolio: PortfolioService, field: str, symbol: str) -> int:
    if symbol not in portfolio.symbols:
        raise NotFound(
            f"{field}: no instrument {symbol[:64]!r}",
            field=field,
            value=symbol[:64],
            accepted=", ".join(portfolio.symbols[:20]),
        )
    return portfolio.symbols.index(symbol)


def _check_fit(objective: Objective, limits: Restrictions, *, n: int) -> None:
    """Refuse what the objective cannot take, or what a slice could not wait for."""
    parity = objective is Objective.RISK_PARITY
    if parity and limits != Restrictions(risk_budget=limits.risk_budget):
        accepted = "a risk_budget only: risk-parity has one answer for each"
        raise InvalidInput.of("limits", "more than a risk_budget", accepted)
    if not parity and objective.value not in RESTRICTED:
        accepted = f"no limits with {objective.value}; they go with {', '.join(RESTRICTED)}"
        raise InvalidInput.of("limits", "given", accepted)
    tail = objective is Objective.MIN_CVAR
    for field, given, fits, wanted in (
        ("vol_cap", limits.vol_cap, objective is Objective.MAX_RETURN, "max-return"),
        ("confidence", limits.confidence, tail, "min-cvar"),
        ("risk_budget", limits.risk_budget, parity, "risk-parity"),
        ("benchmark", limits.benchmark, objective is Objective.TRACKING, "tracking"),
        ("costs", limits.costs or None, objective in NET, "max-sharpe and max-return"),
    ):
        if given is not None and not fits:
            raise InvalidInput.of(f"limits.{field}", given, f"none: it goes with {wanted}")
    cap, confidence = limits.vol_cap, limits.confidence
    if objective is Objective.MAX_RETURN and not (
        cap is not None and math.isfinite(cap) and cap > 0.0
    ):
        accepted = "a volatility a year above 0; without one all goes to the highest mean"
        raise InvalidInput.of("limits.vol_cap", cap, accepted)
    if confidence is not None and not 0.5 <= confidence < 1.0:
        raise InvalidInput.of("limits.confidence", confidence, "0.5 to below 1")
    if limits.max_assets is not None and not 1 <= limits.max_assets <= n:
        raise InvalidInput.of("limits.max_assets", limits.max_assets, f"1 to {n}")
    if len(limits.groups) > MOST_GROUPS:
        raise InvalidInput.of("limits.groups", len(limits.groups), f"at most {MOST_GROUPS}")
    if tail and limits.whole_lots:
        accepted = (
            "none with min-cvar here: a slice would wait for seconds; quarterdeck optimize answers"
        )
        raise InvalidInput.of("limits.whole_lots", True, accepted)
    if limits.whole_lots and limits.min_weight < 0.0:
        raise InvalidInput.of("limits.whole_lots", True, "no shorts with whole lots")
    most = MOST_IN_LOTS if limits.whole_lots else MOST_RESTRICTED
    if not parity and n > most:
        accepted = f"at most {most} instruments: a slice would wait for it"
        raise InvalidInput.of("limits", f"{n} instruments", accepted)


def _named(refusal: InvalidInput) -> InvalidInput:
    """Return a refusal of the optimiser's with the name of the field that it came from."""
    field = refusal.field or ""
    if field.startswith("limits."):
        return refusal
    name = BOUNDS.get(field, field.removeprefix("group "))
    accepted = refusal.accepted or ""
    at = f"limits.groups.{name}" if field.startswith("group ") else f"limits.{name}"
    return InvalidInput.of(at, refusal.value, accepted)
