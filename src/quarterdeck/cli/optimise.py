"""An optimal portfolio of the symbols in a file of bars."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from quarterdeck.cli.optimise_estimates import (
    EstimateAsked,
    History,
    estimate_of,
    history_of,
    number_of,
    place_of,
    weights_of,
)
from quarterdeck.cli.optimise_views import (
    WalkTerms,
    at,
    drawn,
    print_sensitivity,
    print_walk,
)
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.library.bars import Bars, read_bars
from quarterdeck.library.optimise import (
    Constraints,
    Estimate,
    Group,
    Limits,
    Sensitivity,
    optimize,
    sensitivity,
)
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.certificate import condition_number, uneven, weakness
from quarterdeck.portfolio.core.estimates import Estimated, estimated
from quarterdeck.portfolio.core.frontier import efficient
from quarterdeck.portfolio.core.optimum import Optimum

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """Constraints as written on the command line."""

    confidence: float = 0.95
    groups: tuple[str, ...] = ()
    current: str | None = None
    benchmark: str | None = None
    max_turnover: float | None = None
    max_change: float | None = None
    cost_bps: float | None = None
    max_gross: float | None = None
    max_assets: int | None = None
    risk_budget: str | None = None
    lots: str | None = None

    def budget(self, symbols: tuple[str, ...]) -> Floats | None:
        """Return each symbol's share of the risk; None for equal shares."""
        return weights_of("--risk-budget", self.risk_budget, symbols=symbols)

    def held(self, symbols: tuple[str, ...]) -> Floats | None:
        """Return the weights held now; None where none are given."""
        return weights_of("--current", self.current, symbols=symbols)

    def constraints(self, symbols: tuple[str, ...]) -> Constraints | None:
        """Return what was asked of ``symbols``; None where nothing was."""
        if replace(self, confidence=0.95, risk_budget=None) == Asked():
            return None
        return Constraints(
            groups=tuple(_group(text, symbols) for text in self.groups),
            current=self.held(symbols),
            benchmark=weights_of("--benchmark", self.benchmark, symbols=symbols),
            max_turnover=self.max_turnover,
            max_change=self.max_change,
            cost=None if self.cost_bps is None else self.cost_bps * 1e-4,
            max_gross=self.max_gross,
            max_assets=self.max_assets,
            lots=weights_of("--lots", self.lots, symbols=symbols),
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked; rates and volatilities are per year."""

    file: Path
    objective: str
    risk_free: float
    vol_cap: float | None
    min_weight: float
    max_weight: float
    lookback: int | None
    periods_per_year: int
    as_json: bool
    plot: bool
    walk_every: int | None
    resample: int | None
    seed: int
    frontier: int | None
    estimate: EstimateAsked
    asked: Asked


def run(options: Options) -> int:
    """Print the portfolio with its figures per year."""
    if options.periods_per_year < 1:
        raise InvalidInput.of("--periods-per-year", options.periods_per_year, "1 or more")
    if options.lookback is not None and options.lookback < 2:
        raise InvalidInput.of("--lookback", options.lookback, "2 periods or more")
    bars = read_bars(options.file)
    history = history_of(bars, options.estimate)
    symbols = history.symbols
    if options.walk_every is not None:
        terms = _walk_terms(options, bars=bars, history=history)
        return print_walk(history.returns, terms, as_json=options.as_json)
    if options.lookback is not None:
        history = history.last(options.lookback)
    returns, year = history.returns, options.periods_per_year
    estimate = estimate_of(options.estimate, bars=bars, history=history)
    told = estimated(returns, estimate)
    if options.objective == "max-return" and options.vol_cap is None:
        richest = symbols[int(told.mean.argmax())]
        accepted = f"a volatility a year: without one all goes to {richest}, of the highest mean"
        raise InvalidInput.of("--vol-cap", None, accepted)
    found = optimize(
        returns,
        objective=options.objective,
        limits=_limits(options, symbols),
        constraints=options.asked.constraints(symbols),
        confidence=options.asked.confidence,
        estimate=estimate,
    )
    joint = "joint " if options.estimate.gaps != "pairwise" else ""
    print(f"{len(returns)} {joint}returns of {len(symbols)} symbols", file=sys.stderr)
    answer = _answer(found, options=options, history=history, told=told)
    if answer["warning"] is not None:
        print(f"warning: {answer['warning']}", file=sys.stderr)
    scatter = _scatter(options, history=history, estimate=estimate)
    moments, current = told[:2], options.asked.held(symbols)
    if options.frontier is not None:
        answer["frontier"] = _frontier(options.frontier, moments, year=year)
        answer["current"] = None if current is None else _point(*at(current, moments), year=year)
    if options.as_json:
        if scatter is not None:
            answer["sensitivity"] = _told(scatter)
        print(json.dumps(answer))
    else:
        _table(found, symbols=symbols, answer=answer)
        if scatter is not None:
            print_sensitivity(symbols, found.weights, scatter)
    if options.plot:
        picture = drawn(moments, found, year=year, current=current)
        print(picture, file=sys.stderr if options.as_json else sys.stdout)
    return 0


def _scatter(options: Options, *, history: History, estimate: Estimate) -> Sensitivity | None:
    if options.resample is None:
        return None
    return sensitivity(
        history.returns,
        objective=options.objective,
        draws=options.resample,
        seed=options.seed,
        limits=_limits(options, history.symbols),
        constraints=options.asked.constraints(history.symbols),
        confidence=options.asked.confidence,
        estimate=estimate,
    )


def _told(found: Sensitivity) -> dict[str, object]:
    return {
        "mean": found.mean.tolist(),
        "deviation": found.deviation.tolist(),
        "low": found.low.tolist(),
        "high": found.high.tolist(),
        "turnover": found.turnover,
        "draws": found.draws,
        "unanswered": found.unanswered,
    }


def _frontier(points: int, moments: tuple[Floats, Floats], *, year: int) -> list[dict[str, float]]:
    if not 2 <= points <= MOST_POINTS:
        raise InvalidInput.of("--frontier", points, f"2 to {MOST_POINTS} portfolios")
    edge = efficient(*moments, points=points)
    return [_point(one.volatility, float(one.expected_return or 0.0), year=year) for one in edge]


def _point(volatility: float, mean: float, *, year: int) -> dict[str, float]:
    return {"volatility": volatility * math.sqrt(year), "expected_return": mean * year}


def _limits(options: Options, symbols: tuple[str, ...]) -> Limits:
    year = options.periods_per_year
    return Limits(
        risk_free=options.risk_free / year,
        vol_cap=None if options.vol_cap is None else options.vol_cap / math.sqrt(year),
        min_weight=options.min_weight,
        max_weight=options.max_weight,
        risk_budget=options.asked.budget(symbols),
    )


def _walk_terms(options: Options, *, bars: Bars, history: History) -> WalkTerms:
    symbols, asks = history.symbols, options.estimate
    if asks.covariance in ("forecast", "regime") or asks.gaps != "refuse":
        given = asks.covariance if asks.gaps == "refuse" else f"--gaps {asks.gaps}"
        accepted = "with --walk-forward sample, ledoit-wolf or ewma, of joint returns"
        raise InvalidInput.of("--covariance", given, accepted)
    if options.lookback is None:
        raise InvalidInput.of("--lookback", None, "the periods each rebalancing looks back on")
    if options.asked.cost_bps is None:
        raise InvalidInput.of("--cost-bps", None, "what trading costs, 0 where nothing")
    # The cost is paid by the walk; nothing is held before it begins.
    asked = replace(options.asked, cost_bps=None)
    return WalkTerms(
        objective=options.objective,
        limits=_limits(options, symbols),
        constraints=asked.constraints(symbols),
        confidence=options.asked.confidence,
        window=options.lookback,
        every=options.walk_every or 1,
        cost=options.asked.cost_bps * 1e-4,
        year=options.periods_per_year,
        estimate=estimate_of(asks, bars=bars, history=history),
    )


def _group(text: str, symbols: tuple[str, ...]) -> Group:
    name, _, rest = text.partition("=")
    parts = rest.split(":")
    if not name or len(parts) != 3:
        raise InvalidInput.of("--group", text, "NAME=A+B+C:LOW:HIGH")
    members = tuple(place_of("--group", one, symbols=symbols) for one in parts[0].split("+"))
    low, high = (number_of("--group", one) for one in parts[1:])
    return Group(name, members, low, high)


def _answer(
    found: Optimum, *, options: Options, history: History, told: Estimated
) -> dict[str, object]:
    condition, symbols = condition_number(told.covariance), history.symbols
    observations = int(told.observations + 1e-9)
    year = options.periods_per_year
    expected = found.expected_return
    shares = found.risk_contributions
    return {
        "objective": options.objective,
        "symbols": list(symbols),
        "weights": found.weights.tolist(),
        "expected_return": None if expected is None else expected * year,
        "volatility": found.volatility * math.sqrt(year),
        "sharpe": None if found.sharpe is None else found.sharpe * math.sqrt(year),
        "risk_contributions": None if shares is None else shares.tolist(),
        "cvar": found.cvar,
        "optimality_gap": found.optimality_gap,
        "kkt_residual": found.kkt_residual,
        "condition": condition,
        "warning": weakness(len(symbols), observations=observations, condition=condition)
        or uneven(told.covariance),
        "observations": observations,
        "repaired": found.repaired,
        "solver": found.solver,
        "span_from": rfc3339(Nanos(int(history.instants[0]))),
        "as_of": rfc3339(history.as_of),
    }


def _table(found: Optimum, *, symbols: tuple[str, ...], answer: dict[str, object]) -> None:
    shares = found.risk_contributions
    print(f"{'symbol':<12}{'weight':>10}{'risk':>10}")
    for i, symbol in enumerate(symbols):
        risk = "-" if shares is None else f"{shares[i]:.4f}"
        print(f"{symbol:<12}{found.weights[i]:>10.4f}{risk:>10}")
    for name in (
        "expected_return",
        "volatility",
        "sharpe",
        "cvar",
        "optimality_gap",
        "kkt_residual",
        "repaired",
        "solver",
        "span_from",
        "as_of",
    ):
        value = answer[name]
        shown = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        print(f"{name:<18}{shown}")
