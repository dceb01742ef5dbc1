"""What may be lost in the next bar, from bars at once or slice by slice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import NotEnoughData
from quarterdeck.library.bars import Bars, BarSlice
from quarterdeck.risk.core.backtest import HitCounts
from quarterdeck.risk.core.bank import (
    LEVELS,
    MIN_CLOSES,
    BankState,
    batch_bank,
    check_levels,
    columns,
    update_bank,
)
from quarterdeck.risk.core.judgement import Judgement, JudgementState, judge_slice, since_start
from quarterdeck.risk.core.timeframes import constants_for

FloatArray = npt.NDArray[np.float64]


class RiskForecast(NamedTuple):
    """The forecast made at each bar for the next one of its symbol, in the order of the bars.

    ``volatility`` is (bars,), ``var`` and ``es`` (bars, levels): positive fractions of the close, NaN
    until the symbol has 301 bars.
    """

    levels: tuple[float, ...]
    volatility: FloatArray
    var: FloatArray
    es: FloatArray


def forecast_risk(
    bars: Bars,
    *,
    levels: tuple[float, ...] = LEVELS,
    guarded: bool = False,
    timeframe: str = "1d",
) -> RiskForecast:
    """Forecast volatility, VaR and ES of every symbol's next bar, strictly from what came before it.

    Where the bars have a range an expert uses it; ten symbols or more make a market whose state
    counts, too. ``guarded`` corrects the scale slowly where coverage fails; ``timeframe`` such as
    ``1h`` takes the constants of bars of that length. Raises ``NotEnoughData``
    where no symbol has 301 bars and ``InvalidInput`` for levels that are none.
    """
    check_levels(levels)
    most = int(np.bincount(bars.symbol_index, minlength=1).max())
    if most < MIN_CLOSES:
        raise NotEnoughData("bars of one symbol for a risk forecast", have=most, need=MIN_CLOSES)
    instants, at = np.unique(bars.ts, return_inverse=True)
    tables = []
    for values in (bars.open, bars.high, bars.low, bars.close):
        table = np.full((instants.size, len(bars.symbols)), np.nan)
        table[at, bars.symbol_index] = values
        tables.append(table)
    made = batch_bank(
        tables[3],
        ohl=None if bars.closes_only else (tables[0], tables[1], tables[2]),
        levels=levels,
        guarded=(guarded,) * len(levels),
        recursions=constants_for(timeframe).recursions,
    )[at, bars.symbol_index]
    return RiskForecast(
        levels=levels,
        volatility=made[:, 0].copy(),
        var=made[:, 1::2].copy(),
        es=made[:, 2::2].copy(),
    )


class RiskForecaster:
    """The same forecasts slice by slice, bit for bit; it must be told of every slice in order."""

    def __init__(
        self,
        n: int,
        *,
        levels: tuple[float, ...] = LEVELS,
        guarded: bool = False,
        timeframe: str = "1d",
    ) -> None:
        self._state = BankState(
            n,
            levels=levels,
            guarded=(guarded,) * len(levels),
            recursions=constants_for(timeframe).recursions,
        )
        self._made = np.full((n, columns(len(levels))), np.nan)

    def update(self, one: BarSlice, *, closes_only: bool = False) -> FloatArray:
        """Return volatility, then VaR and ES of each level, of all n symbols: (n, 1 + 2 levels)."""
        update_bank(
            self._state,
            np.array(one.rows, dtype=np.int64),
            close=one.close,
            out=self._made,
            ohl=None if closes_only else (one.open, one.high, one.low),
        )
        return self._made.copy()


def judge_forecast(bars: Bars, made: RiskForecast) -> dict[str, tuple[Judgement, ...]]:
    """Return by symbol how its forecasts at each level have held, each judged by the bar after it."""
    found = {}
    for index, symbol in enumerate(bars.symbols):
        own = np.flatnonzero(bars.symbol_index == index)
        close = bars.close[own]
        loss = np.asarray(1.0 - close[1:] / close[:-1])
        pairs = np.stack((made.var[own], made.es[own]), axis=2).reshape(own.size, -1)
        forecast = np.column_stack((made.volatility[own], pairs))[:-1]
        found[symbol] = _judged(loss, forecast, levels=made.levels)
    return found


def _judged(
    loss: FloatArray, forecast: FloatArray, *, levels: tuple[float, ...]
) -> tuple[Judgement, ...]:
    state, row = JudgementState(1, len(levels)), np.zeros(1, dtype=np.int64)
    tails = np.array([round(1.0 - level, 12) for level in levels])
    for t in range(loss.size):
        judge_slice(state, row, loss=loss[t : t + 1], forecast=forecast[t : t + 1], tails=tails)
    judged = []
    for level, tail in enumerate(tails.tolist()):
        var = forecast[:, 1 + 2 * level]
        known = np.isfinite(var)
        hits = HitCounts.of(np.asarray(loss[known] > var[known]))
        judged.append(since_start(state, 0, level, counts=hits, tail=tail))
    return tuple(judged)
