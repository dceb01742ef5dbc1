"""Text for a terminal: columns as wide as what is in them, and money."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "


def lined_up(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row; every column but the last is as wide as its longest cell."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        GAP.join(
            [*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in rows
    ]


def money(amount: str | None) -> str:
    """Return an amount of money to the cent, or a dash where it is not known."""
    return "-" if amount is None else f"{float(amount):,.2f}"


def times(count: int) -> str:
    """Return how often something happened."""
    return "once" if count == 1 else f"{count:,} times"


def second(at: str | None) -> str:
    """Return an instant to the second, or a dash where there is none."""
    return "-" if at is None else f"{at[:19]}Z"
