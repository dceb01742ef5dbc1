"""An optimal portfolio of the symbols in a file of bars."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.library.bars import Bars, read_bars, slices
from quarterdeck.library.optimise import Limits, optimize
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.optimum import Optimum


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


def run(options: Options) -> int:
    """Print the portfolio with its figures per year."""
    if options.periods_per_year < 1:
        raise InvalidInput.of("--periods-per-year", options.periods_per_year, "1 or more")
    if options.lookback is not None and options.lookback < 2:
        raise InvalidInput.of("--lookback", options.lookback, "2 periods or more")
    bars = read_bars(options.file)
    returns, as_of = _joint_returns(bars)
    if options.lookback is not None:
        if len(returns) < options.lookback:
            raise NotEnoughData("--lookback", have=len(returns), need=options.lookback)
        returns = returns[-options.lookback :]
    year = options.periods_per_year
    found = optimize(
        returns,
        objective=options.objective,
        limits=Limits(
            risk_free=options.risk_free / year,
            vol_cap=None if options.vol_cap is None else options.vol_cap / math.sqrt(year),
            min_weight=options.min_weight,
            max_weight=options.max_weight,
        ),
    )
    print(f"{len(returns)} joint returns of {len(bars.symbols)} symbols", file=sys.stderr)
    if len(returns) <= len(bars.symbols):
        print("warning: no more returns than symbols; the covariance is singular", file=sys.stderr)
    answer = _answer(found, options=options, symbols=bars.symbols, as_of=as_of)
    if options.as_json:
        print(json.dumps(answer))
    else:
        _table(found, symbols=bars.symbols, answer=answer)
    return 0


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


def _answer(
    found: Optimum, *, options: Options, symbols: tuple[str, ...], as_of: Nanos
) -> dict[str, object]:
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
        "optimality_gap": found.optimality_gap,
        "solver": found.solver,
        "as_of": rfc3339(as_of),
    }


def _table(found: Optimum, *, symbols: tuple[str, ...], answer: dict[str, object]) -> None:
    shares = found.risk_contributions
    print(f"{'symbol':<12}{'weight':>10}{'risk':>10}")
    for i, symbol in enumerate(symbols):
        risk = "-" if shares is None else f"{shares[i]:.4f}"
        print(f"{symbol:<12}{found.weights[i]:>10.4f}{risk:>10}")
    for name in ("expected_return", "volatility", "sharpe", "optimality_gap", "solver", "as_of"):
        value = answer[name]
        shown = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        print(f"{name:<18}{shown}")
