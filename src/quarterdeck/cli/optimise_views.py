"""A walk forward as a table, and the efficient frontier as characters."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from quarterdeck.kernel.errors import DomainError
from quarterdeck.library.optimise import Constraints, Estimate, Limits, optimize
from quarterdeck.library.walk_forward import walked
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.optimum import Optimum

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
            walked(
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


def frontier(returns: Floats) -> list[tuple[float, float]]:
    """Return volatility and mean, per period, of efficient long-only portfolios, calmest first."""
    calm = optimize(returns, objective="min-volatility")
    top = float(returns[:, int(returns.mean(axis=0).argmax())].std(ddof=1))
    found = [(calm.volatility, float(calm.expected_return or 0.0))]
    for step in range(1, POINTS):
        cap = calm.volatility + (top - calm.volatility) * step / (POINTS - 1)
        try:
            one = optimize(returns, objective="max-return", limits=Limits(vol_cap=cap))
        except DomainError:
            continue
        found.append((one.volatility, float(one.expected_return or 0.0)))
    return found


def drawn(returns: Floats, found: Optimum, *, year: int) -> str:
    """Return the frontier (.), the symbols (o) and the portfolio (X), volatility across, return up."""
    deviations, means = returns.std(axis=0, ddof=1), returns.mean(axis=0)
    assets = list(zip(deviations.tolist(), means.tolist(), strict=True))
    own = [(found.volatility, float(found.expected_return or 0.0))]
    layers = ((".", frontier(returns)), ("o", assets), ("X", own))
    points = [point for _, layer in layers for point in layer]
    low = [min(point[axis] for point in points) for axis in (0, 1)]
    size = [max(point[axis] for point in points) - low[axis] or 1.0 for axis in (0, 1)]
    field = [[" "] * (WIDTH + 1) for _ in range(HEIGHT + 1)]
    for mark, layer in layers:
        for across, up in layer:
            column = round((across - low[0]) / size[0] * WIDTH)
            field[HEIGHT - round((up - low[1]) / size[1] * HEIGHT)][column] = mark
    root = math.sqrt(year)
    ends = f"volatility {low[0] * root:.1%} to {(low[0] + size[0]) * root:.1%} a year"
    rise = f"return {low[1] * year:.1%} to {(low[1] + size[1]) * year:.1%}"
    lines = ["|" + "".join(line).rstrip() for line in field]
    return "\n".join([*lines, "+" + "-" * WIDTH, f"{ends}, {rise}; . frontier, o symbol, X this"])
