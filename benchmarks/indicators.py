"""The full indicator set (RSI, MACD, ADX and DI, Bollinger, ATR) against TA-Lib, live and in batch.

Live: 1,000 symbols, one closed bar each per slice; TA-Lib 0.8's stateful handles get the same bars.
Batch: one million bars of one symbol. Times are CPU times of the same process, the best of three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from benchmarks._reporting import Figures, main, progress
from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np  # noqa: E402
import talib  # noqa: E402
from talib import stream  # noqa: E402

from quarterdeck.market.core.indicators import (  # noqa: E402
    batch_indicators,
    indicator_state,
    update_indicators,
)
from quarterdeck.market.model import INDICATOR_NAMES  # noqa: E402
from quarterdeck.maths.arrays import Floats  # noqa: E402

SYMBOLS, BARS, BATCH_BARS, STREAM_BARS = 1_000, 1_000, 1_000_000, 40
OSCILLATORS = ("rsi", "adx", "plus_di", "minus_di")


def prices(bars: int, symbols: int, *, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return high, low and close of random walks with ragged ranges."""
    draws = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draws.normal(0.0, 0.01, (bars, symbols)), axis=0))
    spread = np.abs(draws.normal(0.0, 0.006, (2, bars, symbols)))
    return close * (1.0 + spread[0]), close * (1.0 - spread[1]), close


def cpu_s(work: Callable[[], object], times: int = 3) -> float:
    """Return the least CPU time of some calls."""
    took = []
    for _ in range(times):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def by_talib(high: Floats, low: Floats, close: Floats) -> tuple[Floats, ...]:
    """Return the eleven columns in our order."""
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    return (
        talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9),
        talib.ADX(high, low, close, 14),
        talib.PLUS_DI(high, low, close, 14),
        talib.MINUS_DI(high, low, close, 14),
        upper,
        middle,
        lower,
        talib.ATR(high, low, close, 14),
    )


def live_ns() -> float:
    """Return our CPU nanoseconds per symbol and bar."""
    high, low, close = prices(BARS, SYMBOLS, seed=1)
    rows, out = np.arange(SYMBOLS), np.empty((SYMBOLS, len(INDICATOR_NAMES)))

    def run() -> None:
        state = indicator_state(SYMBOLS)
        for t in range(BARS):
            update_indicators(state, rows, high[t], low[t], close[t], out)

    run()
    return cpu_s(run) / (SYMBOLS * BARS) * 1e9


def talib_live_ns() -> float:
    """Return TA-Lib's CPU nanoseconds per symbol and bar through its stateful handles."""
    high, low, close = prices(100 + STREAM_BARS, SYMBOLS, seed=2)
    h, l, c = (np.ascontiguousarray(x.T) for x in (high, low, close))  # noqa: E741
    handles = []
    for s in range(SYMBOLS):
        past = (h[s, :100], l[s, :100], c[s, :100])
        handles.append(
            (
                stream.RSI(past[2], 14).update,
                stream.MACD(past[2], 12, 26, 9).update,
                stream.BBANDS(past[2], 20, 2.0, 2.0).update,
                stream.ADX(*past, 14).update,
                stream.PLUS_DI(*past, 14).update,
                stream.MINUS_DI(*past, 14).update,
                stream.ATR(*past, 14).update,
            )
        )
    bars = [
        list(zip(h[:, t].tolist(), l[:, t].tolist(), c[:, t].tolist(), strict=True))
        for t in range(100, 100 + STREAM_BARS)
    ]

    def run() -> None:
        for slice_ in bars:
            for (rsi, macd, bands, *ranged), bar in zip(handles, slice_, strict=True):
                rsi(bar[2])
                macd(bar[2])
                bands(bar[2])
                for one in ranged:
                    one(*bar)

    return cpu_s(run) / (SYMBOLS * STREAM_BARS) * 1e9


def worst_error() -> float:
    """Return the largest relative difference from TA-Lib, from the first bar it defines."""
    worst = 0.0
    for seed in range(20):
        high, low, close = (np.ascontiguousarray(x[:, 0]) for x in prices(5_000, 1, seed=seed))
        ours = batch_indicators(high, low, close)
        theirs = by_talib(high, low, close)
        for k, name in enumerate(INDICATOR_NAMES):
            scale = np.maximum(np.abs(theirs[k]), 100.0 if name in OSCILLATORS else close)
            defined = ~np.isnan(theirs[k])
            if (defined != ~np.isnan(ours[:, k])).any():
                raise SystemExit(f"{name} is not defined where TA-Lib defines it")
            error = np.abs(ours[defined, k] - theirs[k][defined]) / scale[defined]
            worst = max(worst, float(error.max()))
    return worst


def measure() -> Figures:
    """Take the four figures and what they are made of."""
    progress("live")
    ours = live_ns()
    theirs = talib_live_ns()
    progress("batch")
    high, low, close = (np.ascontiguousarray(x[:, 0]) for x in prices(BATCH_BARS, 1, seed=3))
    batch = cpu_s(lambda: batch_indicators(high, low, close))
    peers = cpu_s(lambda: by_talib(high, low, close))
    return {
        "ns_per_symbol_bar": ours,
        "talib_stream_ns_per_symbol_bar": theirs,
        "vs_talib_stream_ratio": theirs / ours,
        "batch_ns_per_bar": batch / BATCH_BARS * 1e9,
        "talib_batch_ns_per_bar": peers / BATCH_BARS * 1e9,
        "batch_vs_talib_ratio": peers / batch,
        "max_rel_error_vs_talib": worst_error(),
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "indicators",
            measure,
            claims={
                "ns_per_symbol_bar": "at most 30",
                "vs_talib_stream_ratio": "at least 50",
                "batch_vs_talib_ratio": "at least 1.5",
                "max_rel_error_vs_talib": "at most 1e-10",
            },
        )
    )
