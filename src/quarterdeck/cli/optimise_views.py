"""A walk forward as a table, and the efficient frontier as characters."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from quarterdeck.library.optimise import Constraints, Estimate, Limits
from quarterdeck.library.walk_forward import walk_forward
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.frontier import efficient
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.resample import Sensitivity

POINTS, WIDTH, HEIGHT = 24, 60, 16
"""Portfolios on the drawn frontier, and the size of the drawing in characters."""


@dataclass(frozen=True, slots=True, eq=False)
class WalkTerms:
    """What is followed, and at which cost."""

    objective: str
    limits: Limits
    constraints: Constraints | None
    confidence: float
    window: int
    every: int
    cost: float
    year: int
    estimate: Estimate


def print_walk(returns: Floats, terms: WalkTerms, *, as_json: bool) -> int:
    """Print what following the objective would have earned, and what equal weights would."""
    rows = {}
    for name in dict.fromkeys((terms.objective, "equal-weight")):
        own = name == terms.objective
        rows[name] = asdict(
            walk_forward(
                returns,
                objective=name,
                window=terms.window,
                every=terms.every,
                cost=terms.cost,
                limits=terms.limits if own else None,
                constraints=terms.constraints if own else None,
                confidence=terms.confidence,
                estimate=terms.estimate if own else None,
                periods_per_year=terms.year,
            )
        )
    if as_json:
        print(json.dumps(rows))
        return 0
    names = tuple(rows[terms.objective])
    print(f"{'objective':<16}" + "".join(f"{name:>12}" for name in names))
    for objective, figures in rows.items():
        cells = (
            f"{'-' if value is None else f'{value:.4f}' if isinstance(value, float) else value:>12}"
            for value in figures.values()
        )
        print(f"{objective:<16}" + "".join(cells))
    return 0


def at(weights: Floats, moments: tuple[Floats, Floats]) -> tuple[float, float]:
    """Return volatility and mean of weights, per period."""
    mean, covariance = moments
    return math.sqrt(max(float(weights @ covariance @ weights), 0.0)), float(mean @ weights)


def print_sensitivity(symbols: tuple[str, ...], given: Floats, found: Sensitivity) -> None:
    """Print how each weight scatters over resampled histories."""
    print(f"{'symbol':<12}{'weight':>10}{'mean':>10}{'deviation':>11}{'5 %':>9}{'95 %':>9}")
    for i, symbol in enumerate(symbols):
        cells = (found.mean[i], found.deviation[i], found.low[i], found.high[i])
        shown = "".join(f"{cell:>{w}.4f}" for cell, w in zip(cells, (10, 11, 9, 9), strict=True))
        print(f"{symbol:<12}{given[i]:>10.4f}{shown}")
    without = f", {found.unanswered} without an answer" if found.unanswered else ""
    print(f"{found.draws} resampled histories{without}; mean turnover {found.turnover:.1%}")


def drawn(
    moments: tuple[Floats, Floats], found: Optimum, *, year: int, current: Floats | None
) -> str:
    """Return the frontier (.), the symbols (o), what is held now (C) and the portfolio (X)."""
    means, covariance = moments
    assets = list(zip(np.sqrt(np.diag(covariance)).tolist(), means.tolist(), strict=True))
    edge = [
        (one.volatility, float(one.expected_return or 0.0))
        for one in efficient(means, covariance, points=POINTS)
    ]
    own = [(found.volatility, float(found.expected_return or 0.0))]
    held = [] if current is None else [at(current, moments)]
    layers = ((".", edge), ("o", assets), ("C", held), ("X", own))
    per_year = [
        (mark, [(x * math.sqrt(year), y * year) for x, y in layer]) for mark, layer in layers
    ]
    return plotted(per_year, legend=". frontier, o symbol, C held now, X this")


def plotted(layers: Sequence[tuple[str, Sequence[tuple[float, float]]]], *, legend: str) -> str:
    """Return points (volatility, return), per year, as characters; later layers lie on top."""
    points = [point for _, layer in layers for point in layer]
    low = [min(point[axis] for point in points) for axis in (0, 1)]
    size = [max(point[axis] for point in points) - low[axis] or 1.0 for axis in (0, 1)]
    field = [[" "] * (WIDTH + 1) for _ in range(HEIGHT + 1)]
    for mark, layer in layers:
        for across, up in layer:
            column = round((across - low[0]) / size[0] * WIDTH)
            field[HEIGHT - round((up - low[1]) / size[1] * HEIGHT)][column] = mark
    ends = f"volatility {low[0]:.1%} to {low[0] + size[0]:.1%} a year"
    rise = f"return {low[1]:.1%} to {low[1] + size[1]:.1%}"
    lines = ["|" + "".join(line).rstrip() for line in field]
    return "\n".join([*lines, "+" + "-" * WIDTH, f"{ends}, {rise}; {legend}"])
