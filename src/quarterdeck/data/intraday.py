"""Makes the intraday files: a future's trades and the bars they make, and hourly bars of a pair.

The sources name no time zone. Chicago time is inferred for the trades (their first is at 17:00 of a
Sunday, when that market opens; five hours behind UTC in September) and UTC for the pair (its weeks
begin at 22:00 in winter and 21:00 in summer, as they do in New York).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol

from quarterdeck.data import ES_1M, ES_1S, ES_TRADES, EURUSD_1H

_CHICAGO_BEHIND_UTC = timedelta(hours=5)
_HOUR_MS = 3_600_000


class Write(Protocol):
    """Writes rows through a query as a Parquet file."""

    def __call__(
        self, query: str, *, header: Sequence[str], rows: Iterable[Sequence[object]], target: Path
    ) -> None:
        """Write one file."""


class Trade(NamedTuple):
    """One trade: milliseconds UTC, price, contracts."""

    ms: int
    price: Decimal
    size: int


_BARS = """
    SELECT to_timestamp(ms / 1000) AS ts, symbol, open, high, low, close, volume
    FROM read_csv(?, header = true, auto_detect = false, columns = {
        'ms': 'BIGINT', 'symbol': 'VARCHAR', 'open': 'DOUBLE', 'high': 'DOUBLE',
        'low': 'DOUBLE', 'close': 'DOUBLE', 'volume': 'DOUBLE'})
"""
_TRADES = """
    SELECT to_timestamp(ms / 1000) AS ts, symbol, price, size
    FROM read_csv(?, header = true, auto_detect = false, columns = {
        'ms': 'BIGINT', 'symbol': 'VARCHAR', 'price': 'DOUBLE', 'size': 'BIGINT'})
"""


def trades_of(content: bytes) -> Iterator[Trade]:
    """Yield every trade of the source, in its order."""
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")):
        local = datetime.fromisoformat(row["DateTime"]).replace(tzinfo=UTC)
        ms = round((local + _CHICAGO_BEHIND_UTC).timestamp() * 1000)
        yield Trade(ms, Decimal(row["Price"]), int(Decimal(row["Volume"])))


def bars_of(trades: Iterable[Trade], *, step_ms: int) -> Iterator[tuple[object, ...]]:
    """Yield the bars that trades make, stamped with their close; a span without a trade has none."""
    prices: list[Decimal] = []
    volume = bucket = 0
    for trade in trades:
        if prices and trade.ms // step_ms != bucket:
            yield _bar(bucket, prices, volume=volume, step_ms=step_ms)
            prices, volume = [], 0
        bucket = trade.ms // step_ms
        prices.append(trade.price)
        volume += trade.size
    if prices:
        yield _bar(bucket, prices, volume=volume, step_ms=step_ms)


def _bar(bucket: int, prices: list[Decimal], *, volume: int, step_ms: int) -> tuple[object, ...]:
    close = (bucket + 1) * step_ms
    return (close, "ES", prices[0], max(prices), min(prices), prices[-1], volume)


def hours_of(content: bytes) -> Iterator[tuple[object, ...]]:
    """Yield the hourly bars of the pair; the source stamps their beginning, we their close."""
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")):
        begin = datetime.strptime(row["Time"], "%d.%m.%Y %H:%M:%S.%f").replace(tzinfo=UTC)
        ms = round(begin.timestamp() * 1000) + _HOUR_MS
        numbers = (row[name] for name in ("Open", "High", "Low", "Close", "Volume"))
        yield (ms, "EURUSD", *numbers)


def build(folder: Path, *, trades: bytes, eurusd: bytes, write: Write) -> None:
    """Write the intraday files into ``folder``."""
    header = ("ms", "symbol", "open", "high", "low", "close", "volume")
    for name, step_ms in ((ES_1M, 60_000), (ES_1S, 1_000)):
        bars = bars_of(trades_of(trades), step_ms=step_ms)
        write(_BARS, header=header, rows=bars, target=folder / f"{name}.parquet")
    made = ((one.ms, "ES", one.price, one.size) for one in trades_of(trades))
    target = folder / f"{ES_TRADES}.parquet"
    write(_TRADES, header=("ms", "symbol", "price", "size"), rows=made, target=target)
    write(_BARS, header=header, rows=hours_of(eurusd), target=folder / f"{EURUSD_1H}.parquet")
