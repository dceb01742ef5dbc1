"""What the objectives of one close are answered from, and the answer to one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import Floats, Ints
from quarterdeck.portfolio.core.budget import ROUNDING, Budget
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.frontier import richest_within
from quarterdeck.portfolio.core.linear import SOLVER
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.polytope import Constraints, polytope_of
from quarterdeck.portfolio.core.solve import BOUNDED, Limits, solve
from quarterdeck.portfolio.core.sums import product
from quarterdeck.portfolio.core.tail import least_tail, tail_loss
from quarterdeck.portfolio.core.window import moments_of, shrunk_mean
from quarterdeck.portfolio.model import Objective
from quarterdeck.portfolio.service.convictions import Opinions, balanced
from quarterdeck.runtime.config import PortfolioSection

RISK_FREE = 0.0
"""The risk-free rate of every Sharpe ratio here: no rate is known, so excess is over zero."""

MOST_TAIL = 50
"""Instruments up to which the least CVaR is found within a slice: about 8 ms of 250 returns."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """A full window of joint returns with all that moments are estimated from; nothing changes it.

    ``began`` are the regimes that the bar of each return began in, ``present`` those of the last close,
    ``market`` the benchmark's weights, ``cap`` the largest weight allowed.
    """

    config: PortfolioSection
    symbols: tuple[str, ...]
    cap: float
    window: Floats
    span_from: Nanos
    span_to: Nanos
    volatilities: Floats
    began: Ints
    present: Ints
    market: tuple[float, ...]
    opinions: Opinions

    def moments(self, rows: Ints | None = None) -> tuple[Floats, Floats, int]:
        """Return mean, covariance and observations per bar, of all returns or of some ``rows``."""
        window = self.window if rows is None else self.window[rows]
        mean, covariance, observations = moments_of(
            self.config.covariance,
            window,
            volatilities=self.volatilities,
            began=self.began if rows is None else self.began[rows],
            present=self.present,
            half_life=self.config.half_life_bars,
        )
        if self.config.mean == "shrunk":
            mean = shrunk_mean(mean, covariance, periods=observations)
        if self.config.mean == "views":
            prior = prior_of(self.config, covariance, market=self.market)
            mean = self.opinions.mean(covariance, prior=prior)
        return mean, covariance, observations


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Moments of one close, and how far they may be believed."""

    mean: Floats
    covariance: Floats
    span_from: Nanos
    span_to: Nanos
    condition: float | None
    warning: str | None


def prior_of(config: PortfolioSection, covariance: Floats, *, market: Sequence[float]) -> Floats:
    """Return the returns per bar that make the benchmark the best portfolio, without views."""
    if not config.risk_aversion:
        raise DomainError(
            "portfolio.risk_aversion is not set, so no market is in balance", code="NO_AVERSION"
        )
    return balanced(covariance, market=market, risk_aversion=config.risk_aversion)


def basis_of(sample: Sample) -> Basis:
    """Return what every objective is answered from, or refuse where there is nothing."""
    mean, covariance, observations = sample.moments()
    condition = condition_number(covariance)
    return Basis(
        mean=mean,
        covariance=covariance,
        span_from=sample.span_from,
        span_to=sample.span_to,
        condition=condition,
        warning=weakness(len(sample.symbols), observations=observations, condition=condition),
    )


def optimum_of(
    objective: Objective, sample: Sample, moments: tuple[Floats, Floats], rows: Ints | None = None
) -> Optimum:
    """Return the weights asked for, or refuse where there are none that hold the largest weight.

    ``moments`` are those of the sample, or of some ``rows`` of it.
    """
    mean, covariance = moments
    cap = sample.cap
    if objective is Objective.MAX_RETURN:
        return _richest(sample, mean, covariance)
    if objective is Objective.MIN_CVAR:
        window = sample.window if rows is None else sample.window[rows]
        return _least_tail(sample, window, moments=moments)
    found = solve(
        objective.value,
        mean=mean,
        covariance=covariance,
        limits=Limits(risk_free=RISK_FREE, max_weight=cap if objective.value in BOUNDED else 1.0),
        rounded=True,
    )
    heaviest = int(found.weights.argmax())
    if found.weights[heaviest] > cap + ROUNDING:
        raise DomainError(
            f"the only {objective.value} portfolio holds {found.weights[heaviest]:.1%} of "
            f"{sample.symbols[heaviest]}; max_weight allows {cap:.1%}",
            code="OUTSIDE_BOUNDS",
        )
    return found


def _richest(sample: Sample, mean: Floats, covariance: Floats) -> Optimum:
    """Return the highest return at the volatility cap; without one say what it would hold."""
    stated = sample.config.vol_cap
    if not stated:
        whole = Budget.of(mean.size, lower=0.0, upper=sample.cap).best(mean)
        held = ", ".join(
            f"{weight:.0%} of {sample.symbols[row]}"
            for row in np.argsort(-whole, kind="stable").tolist()
            if (weight := float(whole[row])) > 0.0
        )
        raise DomainError(
            f"portfolio.vol_cap is not set; without one it would hold {held}", code="NO_CAP"
        )
    year = math.sqrt(sample.config.periods_per_year)
    try:
        return richest_within(mean, covariance, cap=stated / year, max_weight=sample.cap)
    except InvalidInput:
        limits = Limits(max_weight=sample.cap)
        calm = solve("min-volatility", mean=mean, covariance=covariance, limits=limits)
        raise DomainError(
            f"portfolio.vol_cap is {stated:.1%} a year; the calmest portfolio has "
            f"{calm.volatility * year:.1%}",
            code="CAP_TOO_LOW",
        ) from None


def _least_tail(sample: Sample, window: Floats, *, moments: tuple[Floats, Floats]) -> Optimum:
    """Return the least mean loss of the worst periods, in steps of 1e-9."""
    n, confidence = len(sample.symbols), sample.config.cvar_confidence
    if n > MOST_TAIL:
        raise DomainError(
            f"min-cvar is answered in the deck for at most {MOST_TAIL} instruments, not {n}: "
            "a slice would wait for it",
            code="TOO_MANY_INSTRUMENTS",
        )
    budget = Budget.of(n, lower=0.0, upper=sample.cap)
    found = least_tail(
        window,
        polytope=polytope_of(budget, Constraints()),
        constraints=Constraints(),
        confidence=confidence,
        start=np.full(n, 1.0 / n),
    )
    weights = budget.rounded(found.weights)
    cvar = tail_loss(-product(window, weights), confidence=confidence)
    gap = max(cvar - found.bound, 0.0) / max(abs(cvar), 1e-300)
    return measured(
        weights,
        moments[1],
        mean=moments[0],
        risk_free=RISK_FREE,
        optimality_gap=gap,
        kkt_residual=gap,
        ridge=0.0,
        solver=SOLVER,
        cvar=cvar,
    )
