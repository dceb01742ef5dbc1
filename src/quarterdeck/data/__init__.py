"""The embedded market data: real history from registry packages, with its NOTICE.

It says which files ship and what each instrument in them is. It hears nothing and asks nothing.
It keeps no state: the files are read by ``adapters.feeds``, and importing this package reads none.
In the daily files ``ts`` is the UTC midnight that names the trading session, not the minute it closed;
elsewhere it is the instant at which the bar closed or the trade was made.
``build.py`` makes the files again from their sources; ``NOTICE`` names those and their licences.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.time import MINUTE, SECOND, Nanos, parse_rfc3339

DAILY_US = "daily_us"
"""Six instruments' daily open, high, low, close and volume: the default replay."""

CLOSES_US20 = "closes_us20"
"""Twenty stocks' adjusted daily closes, for the analytics."""

ES_1M = "es_1m"
"""One future's one-minute bars over two sessions, made from its trades."""

ES_1S = "es_1s"
"""The same by the second; a second without a trade has no bar."""

EURUSD_1H = "eurusd_1h"
"""A currency pair's hourly ask prices of 2017."""

ES_TRADES = "es_trades"
"""The 500,000 trades that the bars of ``es_1m`` and ``es_1s`` are made from: ts, price, size."""

AT_CLOSE = (ES_1M, ES_1S, EURUSD_1H)
"""Files whose bars are stamped with their close; the others name a session by its midnight."""

INDEX = "index, traded as a notional instrument"
STOCK = "stock"
FUTURE = "future"
CURRENCY_PAIR = "currency pair"


class EmbeddedInstrument(NamedTuple):
    """One instrument of an embedded file: what it is, and its first and last session."""

    symbol: str
    name: str
    kind: str
    currency: str
    first: Nanos
    last: Nanos


_DAILY_SPAN = ("2004-08-19", "2013-03-01")
_CLOSES_SPAN = ("1990-01-02", "2022-12-28")

_DAILY_ROWS = (
    ("SPX", "S&P 500 index", INDEX),
    ("IXIC", "NASDAQ Composite index", INDEX),
    ("AAPL", "Apple Inc.", STOCK),
    ("IBM", "International Business Machines Corp.", STOCK),
    ("MSFT", "Microsoft Corp.", STOCK),
    ("GOOG", "Google Inc., the share class listed before 2014", STOCK),
)

_CLOSES_ROWS = (
    ("AAPL", "Apple Inc."),
    ("AMD", "Advanced Micro Devices Inc."),
    ("BAC", "Bank of America Corp."),
    ("BBY", "Best Buy Co. Inc."),
    ("CVX", "Chevron Corp."),
    ("GE", "General Electric Co."),
    ("HD", "Home Depot Inc."),
    ("JNJ", "Johnson & Johnson"),
    ("JPM", "JPMorgan Chase & Co."),
    ("KO", "Coca-Cola Co."),
    ("LLY", "Eli Lilly and Co."),
    ("MRK", "Merck & Co. Inc."),
    ("MSFT", "Microsoft Corp."),
    ("PEP", "PepsiCo Inc."),
    ("PFE", "Pfizer Inc."),
    ("PG", "Procter & Gamble Co."),
    ("RRC", "Range Resources Corp."),
    ("UNH", "UnitedHealth Group Inc."),
    ("WMT", "Walmart Inc."),
    ("XOM", "Exxon Mobil Corp."),
)

_INTRADAY = {
    ES_1M: ("ES", "E-mini S&P 500 future", FUTURE, "2013-09-01T22:01:00Z", "2013-09-03T18:52:00Z"),
    ES_1S: ("ES", "E-mini S&P 500 future", FUTURE, "2013-09-01T22:00:01Z", "2013-09-03T18:51:45Z"),
    EURUSD_1H: (
        "EURUSD",
        "euro in US dollars, ask",
        CURRENCY_PAIR,
        "2017-01-01T23:00:00Z",
        "2017-12-29T22:00:00Z",
    ),
}

NAMES: tuple[str, ...] = (DAILY_US, CLOSES_US20, ES_1M, ES_1S, EURUSD_1H)
"""The embedded files of bars, by the names ``path_of`` takes."""

TRADED = {ES_1M: MINUTE, ES_1S: SECOND}
"""The files of bars that ``es_trades`` made, and how long their bars are in nanoseconds."""

FILES: tuple[str, ...] = (*NAMES, ES_TRADES)
"""Every embedded file: the bars, and the trades some of them are made from."""


def path_of(name: str) -> Path:
    """Return where the embedded file ``name`` lies; ``NotFound`` when nothing ships under it."""
    if name not in FILES:
        raise NotFound(
            f"no embedded data named {name!r}; there are {', '.join(FILES)}",
            field="name",
            value=name,
            accepted=", ".join(FILES),
        )
    return Path(__file__).parent / f"{name}.parquet"


def regime_head() -> bytes:
    """Return the text of the trained regime head; ``scripts/train_regimes`` makes it again."""
    return (Path(__file__).parent / "regime_head.json").read_bytes()


def digest_of(name: str) -> str:
    """Return the SHA-256 of the embedded file ``name`` as it lies on disk, in hexadecimal."""
    return hashlib.sha256(path_of(name).read_bytes()).hexdigest()


def instruments_of(name: str) -> tuple[EmbeddedInstrument, ...]:
    """Return the instruments of the embedded file ``name``, in the file's order."""
    path_of(name)
    if name == DAILY_US:
        first, last = (parse_rfc3339(day) for day in _DAILY_SPAN)
        return tuple(
            EmbeddedInstrument(symbol, title, kind, "USD", first, last)
            for symbol, title, kind in _DAILY_ROWS
        )
    if name in _INTRADAY or name == ES_TRADES:
        symbol, title, kind, *span = _INTRADAY[ES_1S if name == ES_TRADES else name]
        first, last = (parse_rfc3339(instant) for instant in span)
        return (EmbeddedInstrument(symbol, title, kind, "USD", first, last),)
    first, last = (parse_rfc3339(day) for day in _CLOSES_SPAN)
    return tuple(
        EmbeddedInstrument(symbol, title, STOCK, "USD", first, last)
        for symbol, title in _CLOSES_ROWS
    )
