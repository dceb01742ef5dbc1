"""Which rows are true: the checks every file goes through, and the repair that drops the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.bars import Bars, Floats, Indices, Longs, frozen
from quarterdeck.adapters.feeds.layout import (
    ACCEPTED_PRICE,
    ACCEPTED_SPREAD,
    ACCEPTED_VOLUME,
    PRICES,
)
from quarterdeck.adapters.feeds.refusal import Fault, refused, refused_file
from quarterdeck.kernel.time import Nanos, rfc3339

Mask = npt.NDArray[np.bool_]

ACCEPTED_ORDER = "a time after the symbol's previous row"


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """Bars as read: cells that could not be read are marked, nothing else has been judged.

    ``row`` is the row of the file; ``unreadable`` marks bars with such a cell, ``first`` is the
    first such cell in file order, and ``malformed`` counts rows that gave no bar at all. ``one_sided``
    counts bars and ticks of quotes without bid or ask, ``crossed`` ticks with the bid above the ask; they
    are not among these.
    """

    row: Longs
    ts: Longs
    symbol_index: Indices
    symbols: tuple[str, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    unreadable: Mask
    first: Fault | None
    malformed: int
    closes_only: bool
    spread: Floats | None = None
    one_sided: int = 0
    crossed: int = 0


def accepted_bars(raw: RawBars, *, file: str) -> Bars:
    """Return ``raw`` as bars; ``InvalidInput`` names the first row and column that is not true."""
    numeric = _first_untrue(raw)
    faults = [fault for fault in (numeric, raw.first) if fault is not None]
    # A row with two wrong cells is reported once, by the one that could not be read.
    worst = min(faults, key=lambda fault: (fault.row, fault is numeric), default=None)
    readable = ~raw.unreadable if worst is None else ~raw.unreadable & (raw.row < worst.row)
    disorder = _first_disorder(raw, readable)
    if disorder is not None:
        raise refused(file, disorder)
    if worst is not None:
        raise refused(file, worst)
    return _bars(raw, np.ones(raw.ts.size, dtype=np.bool_), file=file)


def repaired_bars(raw: RawBars, *, file: str) -> Bars:
    """Return the bars of ``raw`` that are true, counting the others in ``dropped``."""
    kept = ~raw.unreadable & ~_untrue(raw)
    kept[kept] = ~out_of_order(raw.ts[kept], raw.symbol_index[kept])
    return _bars(raw, kept, file=file)


def _bars(raw: RawBars, kept: Mask, *, file: str) -> Bars:
    dropped = raw.malformed + int(kept.size - np.count_nonzero(kept))
    if not kept.any():
        why = "has no rows" if dropped == 0 else f"has no true row ({dropped} dropped)"
        if (raw.one_sided or raw.crossed) and dropped == 0:
            why = f"has no bar with both bid and ask ({raw.one_sided} with one)"
            if raw.crossed:
                why = f"{why[:-1]}, {raw.crossed} crossed)"
        raise refused_file(file, why, accepted="at least one bar")
    used, numbered = np.unique(raw.symbol_index[kept], return_inverse=True)
    close = frozen(raw.close[kept])
    open_, high, low = (
        close if raw.closes_only else frozen(prices[kept])
        for prices in (raw.open, raw.high, raw.low)
    )
    return Bars(
        ts=frozen(raw.ts[kept]),
        symbol_index=frozen(numbered.astype(np.int32)),
        symbols=tuple(raw.symbols[k] for k in used.tolist()),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=frozen(raw.volume[kept]),
        dropped=dropped,
        closes_only=raw.closes_only,
        spread=None if raw.spread is None else frozen(raw.spread[kept]),
        one_sided=raw.one_sided,
        crossed=raw.crossed,
    )


def _columns(raw: RawBars) -> tuple[tuple[str, Floats], ...]:
    if raw.closes_only:
        return (("close", raw.close),)
    return tuple(zip(PRICES, (raw.open, raw.high, raw.low, raw.close), strict=True))


def _not_a_price(prices: Floats) -> Mask:
    return ~(np.isfinite(prices) & (prices > 0.0))


def _not_a_volume(volume: Floats) -> Mask:
    return ~(np.isnan(volume) | (np.isfinite(volume) & (volume >= 0.0)))


def _not_a_spread(spread: Floats, low: Floats) -> Mask:
    return ~(np.isnan(spread) | (np.isfinite(spread) & (spread >= 0.0) & (spread < low)))


def _high_too_low(raw: RawBars) -> Mask:
    return raw.high < np.maximum(np.maximum(raw.open, raw.close), raw.low)


def _low_too_high(raw: RawBars) -> Mask:
    return raw.low > np.minimum(raw.open, raw.close)


def _untrue(raw: RawBars) -> Mask:
    wrong = _not_a_volume(raw.volume)
    if raw.spread is not None:
        wrong |= _not_a_spread(raw.spread, raw.low)
    for _, prices in _columns(raw):
        wrong |= _not_a_price(prices)
    if not raw.closes_only:
        wrong |= _high_too_low(raw) | _low_too_high(raw)
    return wrong


def _first_untrue(raw: RawBars) -> Fault | None:
    wrong = _untrue(raw) & ~raw.unreadable
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    row, symbol = int(raw.row[at]), raw.symbols[int(raw.symbol_index[at])]
    for name, prices in _columns(raw):
        if _not_a_price(prices[at : at + 1])[0]:
            column = symbol if raw.closes_only else name
            return Fault(row, column, _shown(prices[at]), ACCEPTED_PRICE)
    if _not_a_volume(raw.volume[at : at + 1])[0]:
        return Fault(row, "volume", _shown(raw.volume[at]), ACCEPTED_VOLUME)
    if raw.spread is not None and _not_a_spread(raw.spread[at : at + 1], raw.low[at : at + 1])[0]:
        return Fault(row, "spread", _shown(raw.spread[at]), ACCEPTED_SPREAD)
    high, low = float(raw.high[at]), float(raw.low[at])
    others = {"open": float(raw.open[at]), "close": float(raw.close[at]), "low": low}
    for name in ("low", "open", "close"):
        if high < others[name]:
            wanted = f"at least the {name}, {others[name]!r}"
            return Fault(row, "high", _shown(raw.high[at]), wanted)
    name = "open" if low > others["open"] else "close"
    return Fault(row, "low", _shown(raw.low[at]), f"at most the {name}, {others[name]!r}")


def _shown(number: np.float64) -> str:
    return repr(float(number))


def out_of_order(ts: Longs, symbol_index: Indices, *, again: bool = False) -> Mask:
    """Mark rows not later than every earlier row of their symbol; a time may come ``again``."""
    wrong = np.zeros(ts.size, dtype=np.bool_)
    order = np.argsort(symbol_index, kind="stable")
    grouped = symbol_index[order]
    bounds = np.flatnonzero(grouped[1:] != grouped[:-1]) + 1
    for rows in np.split(order, bounds):
        times = ts[rows]
        wrong[rows[1:]] = times[1:] < np.maximum.accumulate(times)[:-1] + (not again)
    return wrong


def _first_disorder(raw: RawBars, considered: Mask) -> Fault | None:
    positions = np.flatnonzero(considered)
    wrong = out_of_order(raw.ts[positions], raw.symbol_index[positions])
    if not wrong.any():
        return None
    at = positions[int(np.argmax(wrong))]
    symbol = raw.symbols[int(raw.symbol_index[at])]
    earlier = positions[(positions < at) & (raw.symbol_index[positions] == raw.symbol_index[at])]
    same = earlier[raw.ts[earlier] == raw.ts[at]]
    found = rfc3339(Nanos(int(raw.ts[at])))
    if same.size:
        wanted = f"each time once for {symbol} (row {int(raw.row[same[0]])} has it too)"
        return Fault(int(raw.row[at]), "ts", found, wanted)
    latest = earlier[int(np.argmax(raw.ts[earlier]))]
    previous = rfc3339(Nanos(int(raw.ts[latest])))
    wanted = f"{ACCEPTED_ORDER}: {symbol} is at {previous} in row {int(raw.row[latest])}"
    return Fault(int(raw.row[at]), "ts", found, wanted)
