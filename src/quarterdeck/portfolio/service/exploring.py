"""The efficient frontier beside what is held and proposed, and how far the weights scatter.

Questions are taken within the step; the answers, which take a while, need nothing of the service.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats, Ints
from quarterdeck.portfolio.core.frontier import LEAST_POINTS, MOST_POINTS, efficient
from quarterdeck.portfolio.core.resample import Sensitivity, sensitivity_of, usual_block
from quarterdeck.portfolio.core.sums import dot, product, published
from quarterdeck.portfolio.model import GetPortfolio, Objective
from quarterdeck.portfolio.model.exploring import (
    FrontierView,
    GetFrontier,
    GetSensitivity,
    RiskReturn,
    SensitivityRow,
    SensitivityView,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.basis import Basis, Sample, basis_of, optimum_of
from quarterdeck.portfolio.service.planning import shares_of
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from quarterdeck.runtime.policy import DECK_CALLER

TOGETHER = "all agents"
LEAST_DRAWS, MOST_DRAWS = 2, 1_000
MOST_WORK = 20_000
"""Most draws times instruments of one question."""
SHOWN = 1e-6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrontierQuestion:
    """All that the frontier is answered from; ``held`` is null without equity."""

    sample: Sample | DomainError
    at: Nanos
    points: int
    account: str
    held: Floats | None
    targets: tuple[tuple[str, Floats], ...]
    have: int
    need: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SensitivityQuestion:
    """All that the scatter of an objective's weights is answered from."""

    sample: Sample | DomainError
    asked: GetSensitivity
    have: int
    need: int


def frontier_question(service: RebalancingService, query: GetFrontier) -> FrontierQuestion:
    """Return what is asked, as of this step; refuse an unknown agent or a bad number of points."""
    if not LEAST_POINTS <= query.points <= MOST_POINTS:
        raise InvalidInput.of("points", query.points, f"{LEAST_POINTS} to {MOST_POINTS}")
    portfolio = service.portfolio
    if query.agent is None:
        held, equity = portfolio.held()
    else:
        holdings = service.accounts.holdings(query.agent)
        held, equity = shares_of(holdings), holdings.equity
    views = portfolio.portfolio(GetPortfolio(), DECK_CALLER).proposals
    targets = ((one.objective.value, one.target or one.weights) for one in views if not one.reason)
    return FrontierQuestion(
        sample=_sample(portfolio),
        at=service.accounts.closed_at(),
        points=query.points,
        account=TOGETHER if query.agent is None else query.agent,
        held=held if equity > 0 else None,
        targets=tuple(
            (name, np.array([weights[symbol] for symbol in service.symbols]))
            for name, weights in targets
            if weights is not None
        ),
        have=views[0].observations,
        need=views[0].need,
    )


def frontier_answer(question: FrontierQuestion) -> FrontierView:
    """Return the frontier and what stands beside it, or why there is none."""
    view = FrontierView(
        at=rfc3339(question.at),
        account=question.account,
        held=None,
        frontier=(),
        targets=(),
        instruments=(),
        max_weight=None,
        observations=question.have,
        need=question.need,
        span_from=None,
        span_to=None,
        warning=None,
        reason=None,
    )
    sample = question.sample
    if isinstance(sample, DomainError):
        return replace(view, reason=sample.message)
    try:
        basis = basis_of(sample)
        view = _beside(view, question, basis=basis, sample=sample)
        edge = efficient(
            basis.mean, basis.covariance, points=question.points, max_weight=sample.cap
        )
    except DomainError as refusal:
        return replace(view, reason=refusal.message)
    return replace(
        view,
        frontier=tuple(
            replace(
                _point(str(place), one.weights, basis=basis, sample=sample),
                optimality_gap=published(one.optimality_gap or 0.0),
            )
            for place, one in enumerate(edge, 1)
        ),
    )


def _beside(
    view: FrontierView, question: FrontierQuestion, *, basis: Basis, sample: Sample
) -> FrontierView:
    """Return the view with all that needs no frontier."""
    held = question.held
    each = np.eye(len(sample.symbols))
    return replace(
        view,
        held=None if held is None else _point(question.account, held, basis=basis, sample=sample),
        targets=tuple(
            _point(name, weights, basis=basis, sample=sample) for name, weights in question.targets
        ),
        instruments=tuple(
            _point(symbol, each[row], basis=basis, sample=sample)
            for row, symbol in enumerate(sample.symbols)
        ),
        max_weight=sample.cap,
        span_from=rfc3339(basis.span_from),
        span_to=rfc3339(basis.span_to),
        warning=basis.warning,
    )


def _point(name: str, weights: Floats, *, basis: Basis, sample: Sample) -> RiskReturn:
    year = sample.config.periods_per_year
    mean = dot(basis.mean, weights)
    variance = max(dot(weights, product(basis.covariance, weights)), 0.0)
    deviation = math.sqrt(variance)
    return RiskReturn(
        name=name,
        expected_return=published(mean * year),
        volatility=published(deviation * math.sqrt(year)),
        sharpe=published(mean / deviation * math.sqrt(year)) if deviation > 0.0 else None,
        weights={
            symbol: published(weight)
            for symbol, weight in zip(sample.symbols, weights.tolist(), strict=True)
            if abs(weight) >= SHOWN
        },
    )


def sensitivity_question(service: PortfolioService, query: GetSensitivity) -> SensitivityQuestion:
    """Return what is asked, as of this step; refuse more draws than may be taken."""
    most = max(LEAST_DRAWS, min(MOST_DRAWS, MOST_WORK // len(service.symbols)))
    if not LEAST_DRAWS <= query.draws <= most:
        raise InvalidInput.of("draws", query.draws, f"{LEAST_DRAWS} to {most}")
    view = service.portfolio(GetPortfolio(), DECK_CALLER).proposals[0]
    return SensitivityQuestion(
        sample=_sample(service),
        asked=query,
        have=view.observations,
        need=view.need,
    )


def sensitivity_answer(question: SensitivityQuestion) -> SensitivityView:
    """Return how the weights scatter, or why the objective has none."""
    asked, sample = question.asked, question.sample
    view = SensitivityView(
        at=None if isinstance(sample, DomainError) else rfc3339(sample.span_to),
        objective=asked.objective,
        rows=(),
        turnover=None,
        draws=asked.draws,
        unanswered=0,
        block=None,
        observations=question.have,
        need=question.need,
        reason=None,
    )
    if isinstance(sample, DomainError):
        return replace(view, reason=sample.message)
    t = len(sample.window)
    try:
        basis = basis_of(sample)
        own = optimum_of(asked.objective, sample, (basis.mean, basis.covariance))
        found = sensitivity_of(
            t,
            lambda rows: _drawn(sample, asked.objective, rows),
            draws=asked.draws,
            seed=asked.seed,
        )
    except DomainError as refusal:
        return replace(view, reason=refusal.message)
    return replace(
        view,
        rows=_rows(sample.symbols, own.weights, found),
        turnover=published(found.turnover),
        unanswered=found.unanswered,
        block=usual_block(t),
    )


def _drawn(sample: Sample, objective: Objective, rows: Ints) -> Floats | None:
    """Return an objective's weights on one draw of the window; None where it has none."""
    try:
        mean, covariance, _ = sample.moments(rows)
        return optimum_of(objective, sample, (mean, covariance), rows).weights
    except DomainError:
        return None


def _rows(
    symbols: tuple[str, ...], weights: Floats, found: Sensitivity
) -> tuple[SensitivityRow, ...]:
    columns = (weights, found.mean, found.deviation, found.low, found.high)
    return tuple(
        SensitivityRow(
            symbol=symbol,
            weight=published(weight),
            mean=published(mean),
            deviation=published(deviation),
            low=published(low),
            high=published(high),
        )
        for symbol, weight, mean, deviation, low, high in zip(
            symbols, *(column.tolist() for column in columns), strict=True
        )
    )


def _sample(service: PortfolioService) -> Sample | DomainError:
    try:
        return service.sample()
    except DomainError as refusal:
        return refusal
