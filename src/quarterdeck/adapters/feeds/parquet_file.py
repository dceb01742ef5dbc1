"""Reads Parquet through duckdb, column by column, without touching the network or extensions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.bars import Floats, Indices, Longs
from quarterdeck.adapters.feeds.checks import Mask, RawBars
from quarterdeck.adapters.feeds.instants import ACCEPTED, TsForm, TsReader, nanos_of, unit_of
from quarterdeck.adapters.feeds.layout import (
    ACCEPTED_SYMBOL,
    PRICES,
    VENUE,
    Layout,
    check_symbol_count,
    is_symbol,
    layout_of,
)
from quarterdeck.adapters.feeds.quotes import middle_of, two_sided
from quarterdeck.adapters.feeds.refusal import Fault, refused_file
from quarterdeck.adapters.feeds.ticks import RawTicks

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NUMBER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\)")
_WHOLE = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")
_TIME = re.compile(r"DATE|TIMESTAMP(_S|_MS| WITH TIME ZONE)?")
_NANOSECOND_TIMES = ("TIMESTAMP_NS", "TIMESTAMPTZ_NS")
_TEXT = re.compile(r"VARCHAR|ENUM\(.*\)", re.DOTALL)
_PATTERN_CHARACTERS = frozenset("*?[")

_FROM = "FROM read_parquet($path, hive_partitioning = false)"


def read_parquet(path: Path, *, file: str, max_bars: int) -> RawBars | RawTicks:
    """Return the bars or ticks of the Parquet file, in the file's row order."""
    import duckdb

    if _PATTERN_CHARACTERS & set(str(path)):
        raise refused_file(file, "has a pattern for a path", accepted="a path without * ? [")
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    try:
        with duckdb.connect(":memory:", config=dict(offline)) as connection:
            return _read(connection, path, file=file, max_bars=max_bars)
    except duckdb.Error as error:
        why = (str(error).splitlines() or ["no reason given"])[0]
        raise refused_file(
            file, f"is not readable as Parquet ({why})", accepted="an intact Parquet file"
        ) from None


def _read(
    connection: DuckDBPyConnection, path: Path, *, file: str, max_bars: int
) -> RawBars | RawTicks:
    found = {"path": str(path)}
    described = connection.execute(f"DESCRIBE SELECT * {_FROM}", found).fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    layout = layout_of(list(types), file=file)
    _check_types(layout, types, file=file)
    (count,) = connection.execute(f"SELECT count(*) {_FROM}", found).fetchall()[0]
    width = 1 if layout.wide_symbols is None else len(layout.wide_symbols)
    if int(count) * width > max_bars:
        raise refused_file(file, f"has more than {max_bars} bars", accepted=f"at most {max_bars}")
    if int(count) == 0:
        raise refused_file(file, "has no rows", accepted="at least one bar")
    selected = [f"{_time_expression(types['ts'])} AS c0"]
    unread = ("ts", "symbol", VENUE) if layout.ticks else ("ts", "symbol")
    names = [name for name in layout.columns if name not in unread]
    selected += [f'CAST("{_quoted(n)}" AS DOUBLE) AS v{k}' for k, n in enumerate(names)]
    if layout.wide_symbols is None:
        selected.append("coalesce(CAST(symbol AS VARCHAR), '') AS s0")
    columns = connection.execute(f"SELECT {', '.join(selected)} {_FROM}", found).fetchnumpy()
    ts, untimed, shown = _instants(columns["c0"], types["ts"])
    values = {name: np.ma.asarray(columns[f"v{k}"]) for k, name in enumerate(names)}
    first = None
    if untimed.any():
        at = int(np.argmax(untimed))
        first = Fault(at + 1, "ts", shown(at), ACCEPTED)
    if layout.wide_symbols is None:
        if layout.quoted:
            return _quotes(columns["s0"], values, ts=ts, untimed=untimed, first=first, file=file)
        if layout.ticks:
            return _ticks(columns["s0"], values, ts=ts, untimed=untimed, first=first, file=file)
        return _long(columns["s0"], values, ts=ts, untimed=untimed, first=first, file=file)
    return _wide(layout.wide_symbols, values, ts=ts, untimed=untimed, first=first)


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _check_types(layout: Layout, types: dict[str, str], *, file: str) -> None:
    for name in layout.columns:
        kind = types[name]
        if name == "ts":
            good = (
                any(p.fullmatch(kind) for p in (_TIME, _WHOLE, _TEXT)) or kind in _NANOSECOND_TIMES
            )
            accepted = "a timestamp, a date, whole epoch numbers or text"
        elif name == "symbol" and layout.wide_symbols is None:
            good, accepted = _TEXT.fullmatch(kind) is not None, "text"
        elif name == VENUE and layout.ticks:
            continue
        else:
            good, accepted = _NUMBER.fullmatch(kind) is not None, "numbers"
        if not good:
            shown = kind if len(kind) <= 40 else kind[:37] + "..."
            raise refused_file(file, f"has the type {shown}", accepted=accepted, column=name)


def _time_expression(kind: str) -> str:
    if kind in _NANOSECOND_TIMES:
        return "epoch_ns(ts)"
    if _TIME.fullmatch(kind):
        # A date or instant without an end has no number; it becomes NULL and is refused by row.
        return "CASE WHEN isfinite(ts) THEN epoch_us(ts) END"
    return "TRY_CAST(ts AS BIGINT)" if _WHOLE.fullmatch(kind) else "CAST(ts AS VARCHAR)"


def _instants(column: npt.NDArray[np.generic], kind: str) -> tuple[Longs, Mask, _Shown]:
    """Return the instants, where there is none, and how to show a cell that is refused."""
    missing = np.ma.getmaskarray(np.ma.asarray(column))
    if _TEXT.fullmatch(kind):
        texts = [
            "" if gone else str(text)
            for text, gone in zip(np.ma.getdata(column).tolist(), missing.tolist(), strict=True)
        ]
        ts, bad = TsReader().read(texts)
        untimed = np.zeros(ts.size, dtype=np.bool_)
        untimed[bad] = True
        return ts, untimed, _Shown(texts)
    numbers = np.where(missing, 0, np.ma.getdata(column)).astype(np.int64)
    if kind in _NANOSECOND_TIMES:
        form = TsForm.NANOSECONDS
    elif _TIME.fullmatch(kind):
        form = TsForm.MICROSECONDS
    else:
        # All NULL leaves no first number; every row is refused below whatever the unit.
        form = unit_of(int(numbers[int(np.argmin(missing))]))
    ts, outside = nanos_of(numbers, form)
    shown = [*map(str, numbers.tolist())] if (outside | missing).any() else []
    for at in np.flatnonzero(missing).tolist():
        shown[at] = "null"
    return ts, outside | missing, _Shown(shown)


class _Shown:
    """The texts of the ts cells, for a refusal."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def __call__(self, at: int) -> str:
        return self._texts[at]


def _plain(column: np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]) -> Floats:
    return np.ma.filled(column, np.nan).astype(np.float64, copy=False)


def _named(names: npt.NDArray[np.generic], *, file: str) -> tuple[Indices, tuple[str, ...], Mask]:
    """Return each row's symbol by number, the symbols, and which rows have none that can be one."""
    codes: dict[str, int] = {}
    index = np.array([codes.setdefault(n, len(codes)) for n in names.tolist()], dtype=np.int32)
    check_symbol_count(len(codes), file=file)
    unnamed = np.zeros(index.size, dtype=np.bool_)
    for name, code in codes.items():
        if not is_symbol(name):
            unnamed |= index == code
    return index, tuple(codes), unnamed


def _long(
    names: npt.NDArray[np.generic],
    values: dict[str, np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]],
    *,
    ts: Longs,
    untimed: Mask,
    first: Fault | None,
    file: str,
) -> RawBars:
    index, symbols, unnamed = _named(names, file=file)
    if unnamed.any():
        at = int(np.argmax(unnamed))
        if first is None or at + 1 < first.row:
            first = Fault(at + 1, "symbol", str(names[at]), ACCEPTED_SYMBOL)
    open_, high, low, close = (_plain(values[name]) for name in PRICES)
    volume, spread = values.get("volume"), values.get("spread")
    return RawBars(
        row=np.arange(1, ts.size + 1, dtype=np.int64),
        ts=ts,
        symbol_index=index,
        symbols=symbols,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=np.full(ts.size, np.nan) if volume is None else _plain(volume),
        unreadable=untimed | unnamed,
        first=first,
        malformed=0,
        closes_only=False,
        spread=None if spread is None else _plain(spread),
    )


def _quotes(
    names: npt.NDArray[np.generic],
    values: dict[str, np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]],
    *,
    ts: Longs,
    untimed: Mask,
    first: Fault | None,
    file: str,
) -> RawBars:
    """Return the bars in the middle of bid and ask, without those that lack one."""
    middle = middle_of({name: _plain(column) for name, column in values.items()})
    told = dict(zip(PRICES, middle.prices, strict=True)) | {"spread": middle.spread}
    masked = {name: np.ma.asarray(column) for name, column in told.items()}
    raw = _long(names, masked, ts=ts, untimed=untimed, first=first, file=file)
    # What cannot be read at all is refused, whatever its sides.
    return two_sided(raw, middle.two_sided | raw.unreadable)


def _ticks(
    names: npt.NDArray[np.generic],
    values: dict[str, np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]],
    *,
    ts: Longs,
    untimed: Mask,
    first: Fault | None,
    file: str,
) -> RawTicks:
    index, symbols, unnamed = _named(names, file=file)
    if unnamed.any():
        at = int(np.argmax(unnamed))
        if first is None or at + 1 < first.row:
            first = Fault(at + 1, "symbol", str(names[at]), ACCEPTED_SYMBOL)
    return RawTicks(
        row=np.arange(1, ts.size + 1, dtype=np.int64),
        ts=ts,
        symbol_index=index,
        symbols=symbols,
        bid=_plain(values["bid"]),
        ask=_plain(values["ask"]),
        unreadable=untimed | unnamed,
        first=first,
        malformed=0,
    )


def _wide(
    symbols: tuple[str, ...],
    values: dict[str, np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]],
    *,
    ts: Longs,
    untimed: Mask,
    first: Fault | None,
) -> RawBars:
    present = np.stack([~np.ma.getmaskarray(values[symbol]) for symbol in symbols], axis=1)
    prices = np.stack([np.ma.getdata(values[symbol]) for symbol in symbols], axis=1)
    at, column = np.nonzero(present)
    close = prices[at, column].astype(np.float64, copy=False)
    return RawBars(
        row=at.astype(np.int64) + 1,
        ts=ts[at],
        symbol_index=column.astype(np.int32),
        symbols=symbols,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=np.full(at.size, np.nan),
        unreadable=untimed[at],
        first=first,
        malformed=int(np.count_nonzero(untimed & ~present.any(axis=1))),
        closes_only=True,
    )
