"""What a file's columns say it is: long bars, bars of quotes, quotes as ticks, or wide closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.adapters.feeds.refusal import refused_file

MAX_SYMBOLS = 10_000
MAX_SYMBOL_CHARACTERS = 64

PRICES = ("open", "high", "low", "close")
REQUIRED = ("ts", "symbol", *PRICES)
OPTIONAL = ("volume", "spread")
KNOWN = (*REQUIRED, *OPTIONAL)
QUOTES = tuple(f"{side}_{name}" for side in ("bid", "ask") for name in PRICES)
SIZES = ("bid_size", "ask_size")
SIDES = ("bid", "ask")
VENUE = "exchange"

ACCEPTED_HEADER = (
    "ts, symbol, open, high, low, close[, volume][, spread], the same with bid_open to ask_close for the "
    "prices or with bid and ask alone, or ts and one column per symbol"
)
ACCEPTED_SYMBOL = f"1 to {MAX_SYMBOL_CHARACTERS} printable characters without space around them"
ACCEPTED_PRICE = "a finite number above 0"
ACCEPTED_SIDE = "a finite number above 0, or 0 or nothing where the row does not tell of that side"
ACCEPTED_SPREAD = "a finite number of at least 0, below the bar's low, or nothing"
ACCEPTED_VOLUME = "a finite number of at least 0, or nothing"


class Layout(NamedTuple):
    """The columns in file order, the symbols when each has its own, and whether prices are quotes or ticks."""

    columns: tuple[str, ...]
    wide_symbols: tuple[str, ...] | None
    quoted: bool = False
    ticks: bool = False


def is_symbol(text: str) -> bool:
    """Return whether ``text`` can name an instrument."""
    return 0 < len(text) <= MAX_SYMBOL_CHARACTERS and text.isprintable() and text == text.strip()


def layout_of(header: Sequence[str], *, file: str) -> Layout:
    """Return the layout that ``header`` states; ``InvalidInput`` names the column that is wrong."""
    columns = tuple(header)
    seen: set[str] = set()
    for position, name in enumerate(columns, start=1):
        if not is_symbol(name):
            raise refused_file(
                file, "has no usable name", accepted=ACCEPTED_HEADER, column=f"{position}"
            )
        if name in seen:
            raise refused_file(file, "appears twice", accepted="each name once", column=name)
        seen.add(name)
    if "ts" not in seen:
        raise refused_file(file, "is missing", accepted=ACCEPTED_HEADER, column="ts")
    if "symbol" in seen or _looks_long(columns):
        quoted = any(name in QUOTES for name in columns)
        ticks = not quoted and any(name in SIDES for name in columns)
        _check_long(columns, quoted=quoted, ticks=ticks, file=file)
        return Layout(columns, None, quoted, ticks)
    symbols = tuple(name for name in columns if name != "ts")
    if not symbols:
        raise refused_file(file, "is the only column", accepted=ACCEPTED_HEADER, column="ts")
    check_symbol_count(len(symbols), file=file)
    return Layout(columns, symbols)


def check_symbol_count(count: int, *, file: str) -> None:
    """Refuse a file that names more instruments than the bound."""
    if count > MAX_SYMBOLS:
        raise refused_file(
            file, f"names more than {MAX_SYMBOLS} symbols", accepted=f"at most {MAX_SYMBOLS}"
        )


def _looks_long(columns: Sequence[str]) -> bool:
    # OPEN and LOW are tickers, so capitals alone prove nothing; three of the four words do.
    if any(name in (*OPTIONAL, *PRICES, *QUOTES) for name in columns):
        return True
    if all(name in columns for name in SIDES):
        return True
    return sum(name.lower() in PRICES for name in columns) >= 3 or "Symbol" in columns


def _check_long(columns: Sequence[str], *, quoted: bool, ticks: bool, file: str) -> None:
    required: tuple[str, ...] = REQUIRED
    known: tuple[str, ...] = KNOWN
    if quoted:
        required = ("ts", "symbol", *QUOTES)
        known = (*required, *SIZES)
    elif ticks:
        required = ("ts", "symbol", *SIDES)
        known = (*required, *SIZES, VENUE)
    for name in required:
        if name not in columns:
            raise refused_file(file, "is missing", accepted=ACCEPTED_HEADER, column=name)
    for name in columns:
        if name not in known:
            raise refused_file(file, "is not known", accepted=ACCEPTED_HEADER, column=name)
