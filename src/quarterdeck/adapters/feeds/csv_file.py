"""Reads CSV row by row, so that every refusal can name the row and the column it met."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from quarterdeck.adapters.feeds.bars import Floats, Indices, Longs
from quarterdeck.adapters.feeds.checks import Mask, RawBars
from quarterdeck.adapters.feeds.instants import ACCEPTED, TsReader
from quarterdeck.adapters.feeds.layout import (
    ACCEPTED_HEADER,
    ACCEPTED_PRICE,
    ACCEPTED_SIDE,
    ACCEPTED_SPREAD,
    ACCEPTED_SYMBOL,
    ACCEPTED_VOLUME,
    OPTIONAL,
    PRICES,
    QUOTES,
    SIDES,
    Layout,
    check_symbol_count,
    is_symbol,
    layout_of,
)
from quarterdeck.adapters.feeds.quotes import middle_of, two_sided
from quarterdeck.adapters.feeds.refusal import Fault, refused_file
from quarterdeck.adapters.feeds.ticks import RawTicks

CHUNK_ROWS = 16_384
MAX_LINE_CHARACTERS = 1_000_000
_ACCEPTED = {
    "volume": ACCEPTED_VOLUME,
    "spread": ACCEPTED_SPREAD,
    "bid": ACCEPTED_SIDE,
    "ask": ACCEPTED_SIDE,
}


def read_csv(path: Path, *, file: str, stop_at_fault: bool, max_bars: int) -> RawBars | RawTicks:
    """Return the bars or ticks of the CSV file; with ``stop_at_fault`` nothing after the first is read."""
    # Bytes that are not UTF-8 become surrogates, which no number, time or symbol accepts: the
    # refusal then names their cell, which a decoding error could not.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        records = _records(text)
        header = next(records, None)
        if header is None:
            raise refused_file(file, "is empty", accepted=ACCEPTED_HEADER)
        if isinstance(header, _Unsplit):
            why = f"has no readable header ({header[0]})"
            raise refused_file(file, why, accepted=ACCEPTED_HEADER)
        layout = layout_of([name.strip() for name in header], file=file)
        gathered = _Gathered(layout, file=file)
        while chunk := list(islice(records, CHUNK_ROWS)):
            gathered.add(chunk)
            if gathered.bars > max_bars:
                raise refused_file(
                    file, f"has more than {max_bars} bars", accepted=f"at most {max_bars}"
                )
            if stop_at_fault and gathered.first is not None:
                break
    return gathered.raw()


class _Unsplit(list[str]):
    """A row that could not be split into cells; its one entry says why."""


def _records(text: TextIO) -> Iterator[list[str]]:
    """Yield the cells of each row; blank lines count as rows unless they end the file."""
    lines = iter(partial(text.readline, MAX_LINE_CHARACTERS), "")
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    blank = 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Unsplit([str(error)])
            continue
        if not record:
            blank += 1
            continue
        while blank:
            blank -= 1
            yield []
        yield record


class _Gathered:
    """The columns gathered so far, chunk by chunk."""

    def __init__(self, layout: Layout, *, file: str) -> None:
        self.first: Fault | None = None
        self.bars = 0
        self._layout = layout
        self._file = file
        self._rows_seen = 0
        self._malformed = 0
        self._ts_reader = TsReader()
        self._codes: dict[str, int] = {}
        self._symbols: list[str] = list(layout.wide_symbols or ())
        self._two_sided: list[Mask] = []
        self._parts: list[tuple[Longs, Longs, Indices, Floats, Mask]] = []

    def add(self, chunk: Sequence[list[str]]) -> None:
        """Take in the next rows of the file."""
        width = len(self._layout.columns)
        rows = np.arange(1, len(chunk) + 1, dtype=np.int64) + self._rows_seen
        self._rows_seen += len(chunk)
        whole = chunk
        # A row that could not be split has one entry, and every layout has two columns or more.
        kept = np.fromiter(map(len, chunk), dtype=np.int64, count=len(chunk)) == width
        if not kept.all():
            self._note_malformed(chunk, rows=rows, kept=kept)
            whole, rows = [cells for cells in chunk if len(cells) == width], rows[kept]
        if not whole:
            return
        cells = dict(zip(self._layout.columns, zip(*whole, strict=True), strict=True))
        faults: list[Fault] = []
        ts, bad = self._ts_reader.read(cells["ts"])
        unreadable = np.zeros(ts.size, dtype=np.bool_)
        unreadable[bad] = True
        if bad:
            faults.append(Fault(int(rows[bad[0]]), "ts", cells["ts"][bad[0]], ACCEPTED))
        if self._layout.wide_symbols is None:
            part = self._long(cells, rows=rows, ts=ts, unreadable=unreadable, faults=faults)
        else:
            part = self._wide(cells, rows=rows, ts=ts, unreadable=unreadable, faults=faults)
        for fault in faults:
            self._note(fault)
        self._parts.append(part)
        self.bars += part[0].size

    def raw(self) -> RawBars | RawTicks:
        """Return everything gathered."""
        if not self._parts and self._malformed == 0:
            raise refused_file(self._file, "has no rows", accepted="at least one bar")
        empty = np.zeros(0, dtype=np.int64)
        depth = 1 if self._layout.wide_symbols is not None else 6
        parts = self._parts or [
            (empty, empty, empty.astype(np.int32), np.zeros((depth, 0)), empty.astype(np.bool_))
        ]
        row, ts, index, values, unreadable = (
            np.concatenate([part[k] for part in parts], axis=-1) for k in range(5)
        )
        if self._layout.ticks:
            return RawTicks(
                row=row,
                ts=ts,
                symbol_index=index,
                symbols=tuple(self._symbols),
                bid=values[0],
                ask=values[1],
                unreadable=unreadable,
                first=self.first,
                malformed=self._malformed,
            )
        closes_only = depth == 1
        spread = self._layout.quoted or "spread" in self._layout.columns
        close = values[0] if closes_only else values[3]
        raw = RawBars(
            row=row,
            ts=ts,
            symbol_index=index,
            symbols=tuple(self._symbols),
            open=close if closes_only else values[0],
            high=close if closes_only else values[1],
            low=close if closes_only else values[2],
            close=close,
            volume=np.full(ts.size, np.nan) if closes_only else values[4],
            unreadable=unreadable,
            first=self.first,
            malformed=self._malformed,
            closes_only=closes_only,
            spread=values[5] if spread and not closes_only else None,
        )
        return two_sided(raw, np.concatenate(self._two_sided)) if self._two_sided else raw

    def _note(self, fault: Fault) -> None:
        if self.first is None or fault.row < self.first.row:
            self.first = fault

    def _note_malformed(self, chunk: Sequence[list[str]], *, rows: Longs, kept: Mask) -> None:
        at = int(np.argmin(kept))
        self._malformed += int(np.count_nonzero(~kept))
        columns, record = self._layout.columns, chunk[at]
        cells = 0 if isinstance(record, _Unsplit) else len(record)
        found = record[0] if isinstance(record, _Unsplit) else f"{cells} cells"
        column = columns[min(cells, len(columns) - 1)]
        self._note(Fault(int(rows[at]), column, found, f"{len(columns)} cells"))

    def _long(
        self,
        cells: dict[str, tuple[str, ...]],
        *,
        rows: Longs,
        ts: Longs,
        unreadable: Mask,
        faults: list[Fault],
    ) -> tuple[Longs, Longs, Indices, Floats, Mask]:
        index = self._indices(cells["symbol"])
        unnamed = index < 0
        if unnamed.any():
            at = int(np.argmax(unnamed))
            faults.append(Fault(int(rows[at]), "symbol", cells["symbol"][at], ACCEPTED_SYMBOL))
        unreadable = unreadable | unnamed
        quoted, ticks = self._layout.quoted, self._layout.ticks
        found: dict[str, Floats] = {}
        for name in QUOTES if quoted else SIDES if ticks else (*PRICES, *OPTIONAL):
            if name not in cells:
                continue
            texts = cells[name]
            if quoted or ticks or name in OPTIONAL:
                texts = tuple(text or "nan" for text in texts)
            found[name], bad = _floats(texts)
            if bad:
                accepted = _ACCEPTED.get(name, ACCEPTED_PRICE)
                faults.append(Fault(int(rows[bad[0]]), name, texts[bad[0]], accepted))
                unreadable[bad] = True
        values = np.full((6, ts.size), np.nan)
        if quoted:
            middle = middle_of(found)
            values[:4], values[5] = middle.prices, middle.spread
            self._two_sided.append(middle.two_sided | unreadable)
        else:
            for k, name in enumerate(SIDES if ticks else (*PRICES, *OPTIONAL)):
                values[k] = found.get(name, values[k])
        return rows, ts, np.where(unnamed, 0, index).astype(np.int32), values, unreadable

    def _wide(
        self,
        cells: dict[str, tuple[str, ...]],
        *,
        rows: Longs,
        ts: Longs,
        unreadable: Mask,
        faults: list[Fault],
    ) -> tuple[Longs, Longs, Indices, Floats, Mask]:
        symbols = self._symbols
        values = np.empty((ts.size, len(symbols)))
        present = np.ones(values.shape, dtype=np.bool_)
        wrong = np.repeat(unreadable[:, None], len(symbols), axis=1)
        for k, symbol in enumerate(symbols):
            texts = cells[symbol]
            absent = [not text or text.isspace() for text in texts]
            if any(absent):
                present[:, k] = ~np.array(absent)
                texts = tuple("nan" if gone else t for t, gone in zip(texts, absent, strict=True))
            values[:, k], bad = _floats(texts)
            if bad:
                faults.append(Fault(int(rows[bad[0]]), symbol, texts[bad[0]], ACCEPTED_PRICE))
                wrong[bad, k] = True
        self._malformed += int(np.count_nonzero(unreadable & ~present.any(axis=1)))
        at, column = np.nonzero(present)
        return (
            rows[at],
            ts[at],
            column.astype(np.int32),
            values[None, at, column],
            wrong[at, column],
        )

    def _indices(self, names: Sequence[str]) -> Indices:
        codes = self._codes
        for name in dict.fromkeys(names):
            if name not in codes:
                codes[name] = len(self._symbols) if is_symbol(name) else -1
                if codes[name] >= 0:
                    self._symbols.append(name)
        check_symbol_count(len(self._symbols), file=self._file)
        return np.array([codes[name] for name in names], dtype=np.int32)


def _floats(texts: Sequence[str]) -> tuple[Floats, list[int]]:
    """Return ``texts`` as numbers (NaN where unreadable) and the unreadable positions."""
    joined = "".join(texts)
    # float() also reads 1_000 and other scripts' digits; a file that has them is not trusted.
    if joined.isascii() and "_" not in joined:
        try:
            return np.array(list(map(float, texts)), dtype=np.float64), []
        except ValueError:
            pass
    numbers = [_float(text) for text in texts]
    bad = [k for k, number in enumerate(numbers) if number is None]
    return np.array([np.nan if n is None else n for n in numbers], dtype=np.float64), bad


def _float(text: str) -> float | None:
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None
