"""The real series heads are trained on: twenty stocks' closes, with random signs, with made-up ranges."""

from __future__ import annotations

import numpy as np

from quarterdeck.data import CLOSES_US20, instruments_of, path_of
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.detector import Bars, aligned, batch_features
from quarterdeck.regime.core.labels import ex_post_labels

SIGNS_SEED = 20_040_818


def closes() -> tuple[Ints, dict[str, Floats]]:
    """Return the days (nanoseconds) and the adjusted closes of the embedded twenty stocks."""
    import duckdb

    symbols = [one.symbol for one in instruments_of(CLOSES_US20)]
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    query = f"SELECT epoch_ns(ts) AS ts, {listed} FROM read_parquet(?) ORDER BY ts"
    found = duckdb.execute(query, [str(path_of(CLOSES_US20))]).fetchnumpy()
    days = np.asarray(found["ts"], dtype=np.int64)
    return days, {symbol: np.asarray(found[symbol], dtype=np.float64) for symbol in symbols}


def sign_flipped(close: Floats, *, seed: int) -> Floats:
    """Return the path of the same returns with random signs: its volatility stays, trends do not."""
    moves = np.diff(np.log(close))
    signs = np.random.default_rng([SIGNS_SEED, seed]).choice([-1.0, 1.0], moves.size)
    return close[0] * np.exp(np.concatenate(([0.0], np.cumsum(moves * signs))))


def bars_of(close: Floats, *, ranged: int | None = None) -> Bars:
    """Return bars around closes: each opens at the close before.

    With a seed in ``ranged`` part of every move happens before the open, and high and low are those
    of a Brownian bridge, so that a head sees ranges as real bars have them.
    """
    before = np.concatenate((close[:1], close[:-1]))
    unknown = np.full(close.size, np.nan)
    if ranged is None:
        return aligned(before, np.maximum(before, close), np.minimum(before, close), close, unknown)
    draws = np.random.default_rng([SIGNS_SEED, 1, ranged])
    x, y = np.log(before), np.log(close)
    move = y - x
    size = np.sqrt(np.convolve(move * move, np.ones(21) / 21.0)[: move.size] + 1e-12)
    start = x + 0.25 * move + 0.25 * size * draws.normal(size=move.size)
    start[0] = y[0]
    bridge = 0.8 * size
    # The extremes of a Brownian bridge from start to y with standard deviation ``bridge``.
    up, down = (
        np.sqrt((y - start) ** 2 - 2.0 * bridge**2 * np.log(draws.uniform(1e-12, 1.0, move.size)))
        for _ in range(2)
    )
    high, low = 0.5 * (start + y + up), 0.5 * (start + y - down)
    return aligned(np.exp(start), np.exp(high), np.exp(low), close, unknown)


def rows_of(bars: Bars, *, first: int = 0) -> tuple[Floats, Ints]:
    """Return features and ex-post labels of one whole series, from bar ``first`` on."""
    features = batch_features(bars, batch_indicators(bars.high, bars.low, bars.close))
    return features[first:], ex_post_labels(bars.close)[first:]
