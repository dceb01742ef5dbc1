"""What the objectives of one close are answered from, and the answer to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import Floats, Ints
from quarterdeck.portfolio.core.budget import ROUNDING
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.conditioned import moments_of
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.solve import BOUNDED, Limits, solve
from quarterdeck.portfolio.model import Objective
from quarterdeck.portfolio.service.convictions import Opinions, balanced
from quarterdeck.runtime.config import PortfolioSection

RISK_FREE = 0.0
"""The risk-free rate of every Sharpe ratio here: no rate is known, so excess is over zero."""


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
        )
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
    objective: Objective, moments: tuple[Floats, Floats], *, cap: float, symbols: tuple[str, ...]
) -> Optimum:
    """Return the weights asked for, or refuse where there are none that hold ``cap``."""
    bounded = objective.value in BOUNDED
    found = solve(
        objective.value,
        mean=moments[0],
        covariance=moments[1],
        limits=Limits(risk_free=RISK_FREE, max_weight=cap if bounded else 1.0),
        rounded=True,
    )
    heaviest = int(found.weights.argmax())
    if found.weights[heaviest] > cap + ROUNDING:
        raise DomainError(
            f"the only {objective.value} portfolio holds {found.weights[heaviest]:.1%} of "
            f"{symbols[heaviest]}; max_weight allows {cap:.1%}",
            code="OUTSIDE_BOUNDS",
        )
    return found
