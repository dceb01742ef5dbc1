"""Returns of a file, and how mean and covariance are estimated from them as the command line says."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.time import Nanos
from quarterdeck.library.bars import Bars
from quarterdeck.library.optimise import Estimate, View
from quarterdeck.library.regimes import detect_regimes
from quarterdeck.library.risk import forecast_risk
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.portfolio.core.conditioned import COMMON, likeness_of


@dataclass(frozen=True, slots=True)
class EstimateAsked:
    """Estimates as written on the command line; ``risk_aversion`` is per period."""

    covariance: str = "sample"
    mean: str = "sample"
    half_life: float | None = None
    gaps: str = "refuse"
    min_history: int | None = None
    market: str | None = None
    risk_aversion: float | None = None
    views: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Simple returns (t, n) of symbols and the instants (t + 1,) between which they lie."""

    symbols: tuple[str, ...]
    returns: Floats
    instants: Ints

    @property
    def as_of(self) -> Nanos:
        """The last instant."""
        return Nanos(int(self.instants[-1]))

    def last(self, periods: int) -> History:
        """Return the last ``periods`` returns alone."""
        if len(self.returns) < periods:
            raise NotEnoughData("--lookback", have=len(self.returns), need=periods)
        return replace(
            self, returns=self.returns[-periods:], instants=self.instants[-periods - 1 :]
        )


def history_of(bars: Bars, asked: EstimateAsked) -> History:
    """Return the returns of ``bars``: of the instants that all symbols share, or with gaps as NaN.

    Symbols with fewer closes than ``min_history`` are left out and named.
    """
    counts = np.bincount(bars.symbol_index, minlength=len(bars.symbols))
    least = asked.min_history
    if least is not None and least < 2:
        raise InvalidInput.of("--min-history", least, "2 closes or more")
    kept = np.flatnonzero(counts >= (least or 0))
    if kept.size < counts.size:
        short = (
            name for name, count in zip(bars.symbols, counts, strict=True) if count < (least or 0)
        )
        print(f"left out, with fewer than {least} closes: {', '.join(short)}", file=sys.stderr)
    if kept.size == 0:
        raise NotEnoughData("closes of one symbol", have=int(counts.max()), need=least or 0)
    instants, at = np.unique(bars.ts, return_inverse=True)
    closes = np.full((instants.size, counts.size), np.nan)
    closes[at, bars.symbol_index] = bars.close
    symbols, closes = tuple(bars.symbols[i] for i in kept), closes[:, kept]
    whole = np.isfinite(closes).all(axis=1)
    if asked.gaps != "pairwise":
        instants, closes = instants[whole], closes[whole]
    if len(closes) < 3:
        fewest = kept[int(np.argmin(counts[kept]))]
        raise NotEnoughData(
            f"closes that all symbols share ({bars.symbols[fewest]} has {counts[fewest]} in all)",
            have=len(closes),
            need=3,
        )
    returns = np.ascontiguousarray(closes[1:] / closes[:-1] - 1.0)
    return History(symbols, returns, instants.astype(np.int64))


def estimate_of(asked: EstimateAsked, *, bars: Bars, history: History) -> Estimate:
    """Return the estimate that was asked for, with what it needs from the bars."""
    symbols, n = history.symbols, len(history.symbols)
    how = Estimate(
        covariance=asked.covariance,
        mean=asked.mean,
        half_life=asked.half_life,
        gaps=asked.gaps,
        market=weights_of("--market", asked.market, symbols=symbols),
        risk_aversion=asked.risk_aversion,
        views=tuple(_view(text, symbols) for text in asked.views),
    )
    if asked.gaps == "pairwise":
        _refuse_strangers(history)
    if asked.covariance == "forecast":
        made = forecast_risk(bars).volatility
        last = [int(np.flatnonzero(bars.symbol_index == _at(bars, one))[-1]) for one in symbols]
        unknown = [symbols[i] for i in range(n) if not np.isfinite(made[last[i]])]
        if unknown:
            names = ", ".join(unknown)
            raise NotEnoughData(f"bars for a forecast of {names}", have=0, need=301)
        return replace(how, volatilities=made[last])
    if asked.covariance == "regime":
        labels = _labels(bars, history)
        # A return belongs to the regimes it began in; the present ones hold for the next.
        return replace(how, likeness=likeness_of(labels[:-1], labels[-1]))
    return how


def weights_of(field: str, text: str | None, *, symbols: tuple[str, ...]) -> Floats | None:
    """Return numbers by symbol, written as A=0.5,B=0.5; the rest is 0."""
    if text is None:
        return None
    weights = np.zeros(len(symbols))
    for part in text.split(","):
        symbol, _, weight = part.partition("=")
        weights[place_of(field, symbol, symbols=symbols)] = number_of(field, weight)
    return weights


def place_of(field: str, symbol: str, *, symbols: tuple[str, ...]) -> int:
    """Return the place of a symbol, or refuse one that is not there."""
    if symbol not in symbols:
        raise InvalidInput.of(field, symbol, f"a symbol of the file: {', '.join(symbols[:20])}")
    return symbols.index(symbol)


def number_of(field: str, text: str) -> float:
    """Return a number that was typed."""
    try:
        return float(text)
    except ValueError:
        raise InvalidInput.of(field, text, "a number") from None


def _at(bars: Bars, symbol: str) -> int:
    return bars.symbols.index(symbol)


def _labels(bars: Bars, history: History) -> Ints:
    """Return the regime of every symbol at every instant; -1 where it has none."""
    found = detect_regimes(bars)
    labels = np.full((history.instants.size, len(history.symbols)), -1, dtype=np.int64)
    for column, symbol in enumerate(history.symbols):
        told = found[symbol]
        place = np.searchsorted(told.ts, history.instants)
        labels[:, column] = told.labels[place]
    return labels


def _refuse_strangers(history: History) -> None:
    """Refuse symbols that share too little history, by name."""
    here = np.isfinite(history.returns).astype(np.float64)
    counts = here.T @ here
    if counts.min() < COMMON:
        one, other = divmod(int(np.argmin(counts)), len(history.symbols))
        names = f"{history.symbols[one]} and {history.symbols[other]}"
        raise NotEnoughData(f"common returns of {names}", have=int(counts.min()), need=COMMON)


def _view(text: str, symbols: tuple[str, ...]) -> View:
    about, _, rest = text.partition("=")
    told, _, confidence = rest.partition(":")
    exposure = np.zeros(len(symbols))
    for sign, part in zip((1.0, -1.0), about.split("/", 1), strict=False):
        exposure[place_of("--view", part, symbols=symbols)] += sign
    return View(exposure, number_of("--view", told), number_of("--view", confidence))
