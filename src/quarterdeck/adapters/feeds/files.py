"""Reads bars from a CSV or Parquet file, or says which row and column is not true.

Long files have ``ts, symbol, open, high, low, close[, volume]``; quotes as ticks have ``ts, symbol, bid,
ask`` and are made into bars of one second; wide files have ``ts`` and one column of closes per symbol,
where an empty cell is a gap. What the file holds is told by its first
bytes, not by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.adapters.feeds.checks import accepted_bars, repaired_bars
from quarterdeck.adapters.feeds.csv_file import read_csv
from quarterdeck.adapters.feeds.layout import ACCEPTED_HEADER
from quarterdeck.adapters.feeds.parquet_file import read_parquet
from quarterdeck.adapters.feeds.refusal import refused_file
from quarterdeck.adapters.feeds.ticks import (
    STALE_AFTER,
    RawTicks,
    accepted_ticks,
    bars_of_ticks,
    repaired_ticks,
    stale_nanos,
)
from quarterdeck.kernel.errors import InvalidInput

Repair = Literal["drop"]

MAX_BARS = 50_000_000
MAX_BYTES = 2 * 1024**3

_PARQUET_MAGIC = b"PAR1"
_PARQUET_SUFFIXES = (".parquet", ".pq")
_LOOKED_AT = 4096


def read_bars(
    path: str | PathLike[str],
    *,
    repair: Repair | None = None,
    symbols: Sequence[str] | None = None,
    max_bars: int = MAX_BARS,
    max_bytes: int = MAX_BYTES,
    stale_after: float = STALE_AFTER,
) -> Bars:
    """Return the bars of a CSV or Parquet file; ``InvalidInput`` names the row and column at fault.

    Rows count from 1 without the header. ``repair="drop"`` leaves faulty bars out and counts them
    in ``Bars.dropped``; a row that is not later than all kept rows of its symbol is faulty, so of
    duplicates the first stays. ``symbols`` keeps those instruments only, numbered in that order;
    the whole file is still checked. ``ts`` is RFC 3339 (naive is UTC) or a whole epoch number. Of quotes
    as ticks a side counts for ``stale_after`` seconds after it was last told of.
    """
    held = stale_nanos(stale_after)
    if repair not in (None, "drop"):
        raise InvalidInput.of("repair", repair, "drop, or nothing")
    source = Path(path)
    file = str(source) if str(source).isprintable() else repr(str(source))
    try:
        parquet = _is_parquet(source, file=file, max_bytes=max_bytes)
        if parquet:
            raw = read_parquet(source, file=file, max_bars=max_bars)
        else:
            raw = read_csv(source, file=file, stop_at_fault=repair is None, max_bars=max_bars)
    except OSError as error:
        why = error.strerror or "no reason given"
        raise refused_file(file, f"cannot be read ({why})", accepted="a readable file") from None
    if isinstance(raw, RawTicks):
        true = accepted_ticks(raw, file=file) if repair is None else repaired_ticks(raw)
        raw = bars_of_ticks(true, stale_after=held)
    bars = accepted_bars(raw, file=file) if repair is None else repaired_bars(raw, file=file)
    return bars if symbols is None else only(bars, symbols)


def only(bars: Bars, symbols: Sequence[str]) -> Bars:
    """Return the bars of ``symbols``, numbered in that order; an unknown one is refused."""
    wanted = tuple(symbols)
    known = {symbol: k for k, symbol in enumerate(bars.symbols)}
    shown = ", ".join(bars.symbols[:20]) + (", ..." if len(bars.symbols) > 20 else "")
    if not wanted:
        raise InvalidInput.of("symbols", "", f"at least one of {shown}")
    renumbered = np.full(len(bars.symbols), -1, dtype=np.int32)
    for position, symbol in enumerate(wanted):
        if symbol not in known:
            raise InvalidInput.of("symbols", symbol, f"one of {shown}")
        if renumbered[known[symbol]] >= 0:
            raise InvalidInput.of("symbols", symbol, "each symbol once")
        renumbered[known[symbol]] = position
    rows = np.flatnonzero(renumbered[bars.symbol_index] >= 0)
    index = renumbered[bars.symbol_index[rows]]
    return bars.taken(rows, symbols=wanted, symbol_index=index)


def _is_parquet(source: Path, *, file: str, max_bytes: int) -> bool:
    if not source.exists():
        raise refused_file(file, "does not exist", accepted="a CSV or Parquet file")
    if not source.is_file():
        raise refused_file(file, "is not a file", accepted="a CSV or Parquet file")
    size = source.stat().st_size
    if size > max_bytes:
        raise refused_file(file, f"has {size} bytes", accepted=f"at most {max_bytes}")
    if size == 0:
        raise refused_file(file, "is empty", accepted=ACCEPTED_HEADER)
    with source.open("rb") as opened:
        start = opened.read(_LOOKED_AT)
    if start.startswith(_PARQUET_MAGIC):
        return True
    if source.suffix.lower() in _PARQUET_SUFFIXES:
        raise refused_file(file, "is not Parquet", accepted="an intact Parquet file")
    if b"\0" in start:
        raise refused_file(file, "is binary", accepted="CSV text or Parquet")
    return False
