"""A slice of the embedded history, and what a bad feed makes of it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.adapters.feeds.replay import RawSlice, ReplayFeed, replay_of
from quarterdeck.app.simulation.faults import BarFault, FaultPlan
from quarterdeck.data import instruments_of, path_of
from quarterdeck.kernel.time import Nanos

_FACTORS = {
    "nan": float("nan"),
    "infinite": float("inf"),
    "zero": 0.0,
    "negative": -1.0,
    "huge": 1e15,
    "absurd": 10.0,
}


@lru_cache(maxsize=2)
def _history(source: str) -> Bars:
    return read_bars(path_of(source))


def feed_of(plan: FaultPlan) -> ReplayFeed:
    """Return the replay of ``plan`` as the exchange made it, before any fault."""
    bars = _history(plan.source)
    symbols = [bars.symbols[place] for place in plan.symbols]
    about = {one.symbol: (one.kind, one.currency) for one in instruments_of(plan.source)}
    chosen = np.isin(bars.symbol_index, plan.symbols)
    instants = np.unique(bars.ts[chosen])
    first = min(plan.first, instants.size - plan.slices)
    start, end = instants[first], instants[first + plan.slices - 1]
    clean = replay_of(
        bars, symbols=symbols, start=Nanos(int(start)), end=Nanos(int(end)), about=about
    )
    return replace(clean, digest=f"{clean.digest[:32]}-{plan.seed}")


class BadFeed(ReplayFeed):
    """The same replay with the plan's faults in it; asking twice gives the same."""

    faults: dict[int, list[BarFault]]

    def slice(self, index: int) -> RawSlice:
        """Return slice ``index`` with what the feed did to it."""
        raw = ReplayFeed.slice(self, index)
        faults = self.faults.get(index)
        return raw if faults is None else _spoiled(raw, faults)


def bad_feed(clean: ReplayFeed, faults: tuple[BarFault, ...]) -> ReplayFeed:
    """Return ``clean`` with ``faults`` in it."""
    bad = BadFeed(*(getattr(clean, name) for name in ReplayFeed.__dataclass_fields__))
    by_slice: dict[int, list[BarFault]] = {}
    for fault in faults:
        by_slice.setdefault(fault.slice, []).append(fault)
    object.__setattr__(bad, "faults", by_slice)
    return bad


def _spoiled(raw: RawSlice, faults: list[BarFault]) -> RawSlice:
    arrays = [array.copy() for array in (raw.open, raw.high, raw.low, raw.close)]
    kept = np.ones(raw.rows.size, dtype=np.bool_)
    for fault in faults:
        for place in np.flatnonzero((raw.rows == fault.row) | (fault.row < 0)):
            if fault.kind == "missing":
                kept[place] = False
            elif fault.kind == "crossed":
                arrays[1][place], arrays[2][place] = arrays[2][place] * 0.5, arrays[1][place] * 2.0
            else:
                for array in arrays:
                    array[place] = float(array[place]) * _FACTORS[fault.kind]
    o, h, low, c = (array[kept] for array in arrays)
    return RawSlice(raw.index, raw.at, raw.rows[kept], o, h, low, c, raw.volume[kept])
