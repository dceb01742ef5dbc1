"""An optimal portfolio of the symbols in a file of bars."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quarterdeck.cli.optimise_views import WalkTerms, drawn, print_walk
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.library.bars import Bars, read_bars, slices
from quarterdeck.library.optimise import Constraints, Estimate, Group, Limits, optimize
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.estimates import estimated
from quarterdeck.portfolio.core.optimum import Optimum


@dataclass(frozen=True, slots=True)
class Asked:
    """Constraints as written on the command line."""

    confidence: float = 0.95
    groups: tuple[str, ...] = ()
    current: str | None = None
    benchmark: str | None = None
    max_turnover: float | None = None
    cost_bps: float | None = None
    max_gross: float | None = None
    max_assets: int | None = None

    def constraints(self, symbols: tuple[str, ...]) -> Constraints | None:
        """Return what was asked of ``symbols``; None where nothing was."""
        if replace(self, confidence=0.95) == Asked():
            return None
        return Constraints(
            groups=tuple(_group(text, symbols) for text in self.groups),
            current=_weights("--current", self.current, symbols=symbols),
            benchmark=_weights("--benchmark", self.benchmark, symbols=symbols),
            max_turnover=self.max_turnover,
            cost=None if self.cost_bps is None else self.cost_bps * 1e-4,
            max_gross=self.max_gross,
            max_assets=self.max_assets,
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
    estimate: Estimate
    asked: Asked


def run(options: Options) -> int:
    """Print the portfolio with its figures per year."""
    if options.periods_per_year < 1:
        raise InvalidInput.of("--periods-per-year", options.periods_per_year, "1 or more")
    if options.lookback is not None and options.lookback < 2:
        raise InvalidInput.of("--lookback", options.lookback, "2 periods or more")
    bars = read_bars(options.file)
    returns, as_of = _joint_returns(bars)
    if options.walk_every is not None:
        return print_walk(returns, _walk_terms(options, bars.symbols), as_json=options.as_json)
    if options.lookback is not None:
        if len(returns) < options.lookback:
            raise NotEnoughData("--lookback", have=len(returns), need=options.lookback)
        returns = returns[-options.lookback :]
    year = options.periods_per_year
    found = optimize(
        returns,
        objective=options.objective,
        limits=_limits(options),
        constraints=options.asked.constraints(bars.symbols),
        confidence=options.asked.confidence,
        estimate=options.estimate,
    )
    print(f"{len(returns)} joint returns of {len(bars.symbols)} symbols", file=sys.stderr)
    answer = _answer(found, options=options, symbols=bars.symbols, as_of=as_of, returns=returns)
    if answer["warning"] is not None:
        print(f"warning: {answer['warning']}", file=sys.stderr)
    if options.as_json:
        print(json.dumps(answer))
    else:
        _table(found, symbols=bars.symbols, answer=answer)
    if options.plot:
        print(drawn(returns, found, year=year), file=sys.stderr if options.as_json else sys.stdout)
    return 0


def _limits(options: Options) -> Limits:
    year = options.periods_per_year
    return Limits(
        risk_free=options.risk_free / year,
        vol_cap=None if options.vol_cap is None else options.vol_cap / math.sqrt(year),
        min_weight=options.min_weight,
        max_weight=options.max_weight,
    )


def _walk_terms(options: Options, symbols: tuple[str, ...]) -> WalkTerms:
    if options.lookback is None:
        raise InvalidInput.of("--lookback", None, "the periods each rebalancing looks back on")
    if options.asked.cost_bps is None:
        raise InvalidInput.of("--cost-bps", None, "what trading costs, 0 where nothing")
    # The cost is paid by the walk; nothing is held before it begins.
    asked = replace(options.asked, cost_bps=None)
    return WalkTerms(
        objective=options.objective,
        limits=_limits(options),
        constraints=asked.constraints(symbols),
        confidence=options.asked.confidence,
        window=options.lookback,
        every=options.walk_every or 1,
        cost=options.asked.cost_bps * 1e-4,
        year=options.periods_per_year,
        estimate=options.estimate,
    )


def _joint_returns(bars: Bars) -> tuple[Floats, Nanos]:
    """Return simple returns between the instants at which every symbol closed, and the last one."""
    lines, last = [], None
    for one in slices(bars):
        if one.rows.size == len(bars.symbols):
            lines.append(one.close)
            last = one.at
    if last is None or len(lines) < 3:
        raise NotEnoughData("closes that all symbols share", have=len(lines), need=3)
    closes = np.array(lines)
    return np.ascontiguousarray(closes[1:] / closes[:-1] - 1.0), last


def _group(text: str, symbols: tuple[str, ...]) -> Group:
    name, _, rest = text.partition("=")
    parts = rest.split(":")
    if not name or len(parts) != 3:
        raise InvalidInput.of("--group", text, "NAME=A+B+C:LOW:HIGH")
    members = tuple(_place("--group", one, symbols=symbols) for one in parts[0].split("+"))
    low, high = (_number("--group", one) for one in parts[1:])
    return Group(name, members, low, high)


def _weights(field: str, text: str | None, *, symbols: tuple[str, ...]) -> Floats | None:
    if text is None:
        return None
    weights = np.zeros(len(symbols))
    for part in text.split(","):
        symbol, _, weight = part.partition("=")
        weights[_place(field, symbol, symbols=symbols)] = _number(field, weight)
    return weights


def _place(field: str, symbol: str, *, symbols: tuple[str, ...]) -> int:
    if symbol not in symbols:
        raise InvalidInput.of(field, symbol, f"a symbol of the file: {', '.join(symbols[:20])}")
    return symbols.index(symbol)


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput.of(field, text, "a number") from None


def _answer(
    found: Optimum,
    *,
    options: Options,
    symbols: tuple[str, ...],
    as_of: Nanos,
    returns: Floats,
) -> dict[str, object]:
    condition, observations = (
        condition_number(estimated(returns, options.estimate)[1]),
        len(returns),
    )
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
        "warning": weakness(len(symbols), observations=observations, condition=condition),
        "observations": observations,
        "solver": found.solver,
        "as_of": rfc3339(as_of),
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
        "solver",
        "as_of",
    ):
        value = answer[name]
        shown = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        print(f"{name:<18}{shown}")
