"""Forecasts of instruments as they are shown, with how each has held."""

from __future__ import annotations

import math

import numpy as np

from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.market.model import Floats, Ints
from quarterdeck.risk.core.backtest import HitCounts
from quarterdeck.risk.core.bank import VOLATILITY
from quarterdeck.risk.core.filters import MIN_RESIDUALS
from quarterdeck.risk.core.judgement import JudgementState, recently, since_start
from quarterdeck.risk.core.tails import Tails
from quarterdeck.risk.model import CoverageView, RiskView
from quarterdeck.risk.store import coverage_view, shares_of


def risk_view(
    symbol: str,
    forecast: Floats,
    *,
    tails: Tails,
    have: int,
    missed: int,
    stale_after: int,
    doubt: float,
    multiplier: float,
    limit: tuple[int, int | None],
    coverage: tuple[CoverageView, ...],
) -> RiskView:
    """Return the forecast of one instrument; ``have`` are its residuals, ``missed`` slices without a bar."""
    known = have >= MIN_RESIDUALS and missed < stale_after
    reason = None
    if have < MIN_RESIDUALS:
        # What was learned before it went stale stays in force; before that there is nothing learned.
        lacking = f"not enough data: {have} of {MIN_RESIDUALS} residuals"
        reason = f"{lacking}; only the limits that persons set hold"
    elif not known:
        reason = f"stale: no bar for {missed} slices"
    elif missed:
        reason = f"of {missed} slices ago: it has had no bar since"
    elif doubt > 0.0:
        reason = f"in doubt: {math.exp(doubt):.3g} times the last close; the loss is the way back"
    line = forecast if known else np.full(forecast.size, np.nan)
    levels = shares_of(tails, line[1::2], line[2::2])
    version, units = limit
    return RiskView(
        symbol=symbol,
        volatility=float(line[VOLATILITY]) if known else None,
        var95=levels[tails.at95].var,
        es95=levels[tails.at95].es,
        var99=levels[tails.at99].var,
        es99=levels[tails.at99].es,
        levels=levels,
        multiplier=multiplier if known else None,
        position_limit=None if units is None else from_units(units, MONEY_SCALE),
        limit_version=version,
        coverage=coverage,
        have=have,
        need=MIN_RESIDUALS,
        reason=reason,
    )


def held_so_far(
    state: JudgementState, row: int, counts: Ints, *, tails: Tails
) -> tuple[CoverageView, ...]:
    """Return how the forecast of each tail has held; ``counts`` are the running counts by tail."""
    return tuple(
        coverage_view(
            since_start(state, row, level, counts=HitCounts(*line[:-1]), tail=tail),
            recently(state, row, level, tail=tail),
            tail=tail,
        )
        for level, (tail, line) in enumerate(zip(tails.shares, counts.tolist(), strict=True))
    )
