"""The two refusals that every question about instruments or history shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quarterdeck.kernel.errors import InvalidInput, NotFound

MAX_PAGE: Final = 1_000
"""Most rows of a page of history."""

BEYOND_ALL: Final = 2**62
"""Above every row number: the ``before`` of the first page."""


def page(limit: int, before: int | None, *, most: int = MAX_PAGE) -> dict[str, int]:
    """Return the values of a paged statement; a limit outside 1 to ``most`` is refused."""
    check_limit(limit, most=most)
    return {"limit": limit, "before": BEYOND_ALL if before is None else before}


def check_limit(limit: int, *, most: int, field: str = "limit") -> None:
    """Refuse a number of rows outside 1 to ``most``."""
    if not 1 <= limit <= most:
        raise InvalidInput.of(field, limit, f"1 to {most}")


def unknown_symbol(symbol: str, known: Iterable[str]) -> NotFound:
    """Return the refusal of ``symbol``, which is none of ``known``."""
    return NotFound(
        f"unknown symbol {symbol[:40]!r}",
        code="UNKNOWN_INSTRUMENT",
        field="symbol",
        value=symbol[:40],
        accepted=", ".join(sorted(known))[:400],
    )
