"""What adaptation would have done over a past span to somebody who held each symbol of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.library.bars import Bars, slices
from quarterdeck.risk.core.adapt import EVIDENCE_BARS, FIRST, RATES
from quarterdeck.risk.core.bank import (
    COLUMNS,
    MIN_CLOSES,
    VOLATILITY,
    BankState,
    slow_volatility,
    update_bank,
)
from quarterdeck.risk.core.learning import follow_holding
from quarterdeck.risk.core.limits import banded_multiplier, volatility_multiplier
from quarterdeck.risk.core.timeframes import constants_for

FloatArray = npt.NDArray[np.float64]

POLICIES = ("fixed", "volatility", "credit")
BAND = 0.15
"""How much a size must change before it moves: the deck's default."""


class Outcome(NamedTuple):
    """One policy on one symbol held over a span; all figures are fractions.

    ``constant`` is the drawdown of the constant size that has the policy's volatility: only what is
    below that is more than smaller size. ``changes`` are moves of the size.
    """

    symbol: str
    policy: str
    bars: int
    mean_size: float
    changes: int
    gain: float
    worst_bar: float
    drawdown: float
    constant: float


def what_if(bars: Bars, *, start: int, end: int, timeframe: str = "1d") -> tuple[Outcome, ...]:
    """Return what each policy would have done to each symbol held from ``start`` to ``end``.

    Instants in nanoseconds; sizes are decided at a close by what was known then, and the forecasts run
    from the file's first bar. ``fixed`` is the size 1, ``volatility`` the deck's size multiplier,
    ``credit`` the share that a credit line would have been, learned from holding; ``timeframe`` is the
    bars' length, whose constants count. Raises
    ``InvalidInput`` for a span that holds no two bars and ``NotEnoughData`` where no symbol has a
    forecast in it.
    """
    if start >= end:
        raise InvalidInput.of("what_if", f"{start}..{end}", "a start before its end")
    instants, closes, now, slow = _followed(bars, end, timeframe)
    within = np.flatnonzero((instants >= start) & (instants <= end))
    if within.size < 2:
        raise InvalidInput.of("what_if", f"{start}..{end}", "a span of the file's bars")
    found: list[Outcome] = []
    for i, symbol in enumerate(bars.symbols):
        own = np.flatnonzero(np.isfinite(closes[:, i]))
        found.extend(
            _outcomes(symbol, closes[own, i], now[own, i], slow[own, i], np.isin(own, within))
        )
    if not found:
        raise NotEnoughData("bars of one symbol before the span's end", have=0, need=MIN_CLOSES)
    return tuple(found)


def _followed(
    bars: Bars, end: int, timeframe: str
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
    n = len(bars.symbols)
    constants = constants_for(timeframe).recursions
    state, out = BankState(n, recursions=constants), np.full((n, COLUMNS), np.nan)
    instants = np.unique(bars.ts[bars.ts <= end])
    closes, now, slow = (np.full((instants.size, n), np.nan) for _ in range(3))
    for t, one in zip(range(instants.size), slices(bars), strict=False):
        rows = np.array(one.rows, dtype=np.int64)
        ohl = None if bars.closes_only else (one.open, one.high, one.low)
        update_bank(state, rows, close=one.close, out=out, ohl=ohl)
        closes[t, rows] = one.close
        now[t, rows], slow[t, rows] = out[rows, VOLATILITY], slow_volatility(state)[rows]
    return instants, closes, now, slow


def _outcomes(
    symbol: str,
    close: FloatArray,
    now: FloatArray,
    slow: FloatArray,
    within: npt.NDArray[np.bool_],
) -> Iterator[Outcome]:
    """Yield each policy's outcome; nothing where there is no forecast in the span."""
    known = within & np.isfinite(now)
    if np.count_nonzero(known) < 2:
        return
    returns = close[1:] / close[:-1] - 1.0
    sizes = {
        "fixed": np.ones(close.size),
        "volatility": _by_volatility(now, slow),
        "credit": _by_credit(close, now, slow),
    }
    # A bar is held with the size of the close before it.
    held = np.flatnonzero(known[:-1] & within[1:])
    plain = returns[held]
    for policy in POLICIES:
        size = sizes[policy][:-1][held]
        earned = size * plain
        spread = plain.std()
        share = earned.std() / spread if spread > 0.0 else 1.0
        yield Outcome(
            symbol=symbol,
            policy=policy,
            bars=int(held.size),
            mean_size=float(size.mean()),
            changes=int(np.count_nonzero(np.diff(size))),
            gain=float(np.prod(1.0 + earned) - 1.0),
            worst_bar=float(-earned.min()) + 0.0,
            drawdown=_drawdown(earned),
            constant=_drawdown(share * plain),
        )


def _by_volatility(now: FloatArray, slow: FloatArray) -> FloatArray:
    held, sizes = float("nan"), np.full(now.size, np.nan)
    for t in np.flatnonzero(np.isfinite(now)).tolist():
        wanted = volatility_multiplier(float(now[t]), float(slow[t]))
        held = sizes[t] = banded_multiplier(held, wanted, band=BAND)
    return sizes


def _by_credit(close: FloatArray, now: FloatArray, slow: FloatArray) -> FloatArray:
    sizes, scale = np.empty(close.size), np.full(close.size, np.nan)
    for t in np.flatnonzero(np.isfinite(now)).tolist():
        scale[t] = volatility_multiplier(float(now[t]), float(slow[t]))
    rates = np.array(RATES)
    # Copies: a strided array would compile the kernel a second time.
    follow_holding(close.copy(), now.copy(), scale, rates, EVIDENCE_BARS, FIRST, sizes)
    return sizes


def _drawdown(earned: FloatArray) -> float:
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + earned)))
    return float((1.0 - wealth / np.maximum.accumulate(wealth)).max())
