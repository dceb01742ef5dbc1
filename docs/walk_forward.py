"""Writes the walk-forward table of docs/reference/portfolio.md from the embedded closes.

`python docs/walk_forward.py` takes a minute; `--check` compares instead of writing.
"""
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import sys
from pathlib import Path

from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np

from quarterdeck.data import CLOSES_US20, path_of
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.library.bars import read_bars, slices
from quarterdeck.library.optimise import Constraints, Limits
from quarterdeck.library.walk_forward import Record, walk_forward

PAGE = Path(__file__).parent / "reference" / "portfolio.md"
BEGIN, END = "<!-- walk-forward: begin -->\n", "<!-- walk-forward: end -->\n"
WINDOW, EVERY, COST_BPS, YEAR = 504, 21, 10.0, 252
VOL_CAP = 0.20
FOLLOWERS = 10
"""Stocks that tracking follows the equal weights of all with."""
ROWS = (
    "equal-weight",
    "min-volatility",
    "max-sharpe",
    "max-return",
    "risk-parity",
    "hrp",
    "min-cvar",
    "tracking",
)


def returns_since(first: str) -> tuple[np.ndarray, int]:
    """Return joint daily returns whose first decision falls on the first session from ``first``."""
    bars = read_bars(path_of(CLOSES_US20))
    lines, instants = [], []
    for one in slices(bars):
        if one.rows.size == len(bars.symbols):
            lines.append(one.close)
            instants.append(one.at)
    closes = np.array(lines)
    begin = int(np.searchsorted(np.array(instants), parse_rfc3339(first)))
    return closes[begin - WINDOW :] / closes[begin - WINDOW - 1 : -1] - 1.0, len(bars.symbols)


def record(returns: np.ndarray, objective: str) -> Record:
    """Return one row's figures."""
    cap = VOL_CAP / YEAR**0.5 if objective == "max-return" else None
    n = returns.shape[1]
    few = Constraints(benchmark=np.full(n, 1.0 / n), max_assets=FOLLOWERS)
    return walk_forward(
        returns,
        objective=objective,
        window=WINDOW,
        every=EVERY,
        cost=COST_BPS * 1e-4,
        limits=Limits(vol_cap=cap),
        constraints=few if objective == "tracking" else None,
        periods_per_year=YEAR,
    )


def row(returns: np.ndarray, objective: str) -> str:
    """Return one line of the table."""
    found = record(returns, objective)
    sharpe = "-" if found.sharpe is None else f"{found.sharpe:.2f}"
    return (
        f"| {objective} | {found.growth:.1%} | {found.volatility:.1%} | {sharpe} | "
        f"{found.drawdown:.1%} | {found.turnover:.0%} | {found.cost:.2%} | {found.unanswered} |"
    )


def table() -> str:
    """Return the whole table."""
    returns, n = returns_since("1995-01-01T00:00:00Z")
    head = (
        f"{n} stocks, {len(returns) - WINDOW} sessions, the first decision on the first session of "
        f"1995, the last close 2022-12-28. Window {WINDOW} sessions, rebalanced every {EVERY}, "
        f"{COST_BPS:g} bps of what is traded, max-return at a volatility of {VOL_CAP:.0%}, "
        f"tracking of equal weights with at most {FOLLOWERS} stocks.\n\n"
        "| objective | return a year | volatility | Sharpe | worst drawdown | turnover a year | "
        "cost a year | no answer |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(row(returns, one) for one in ROWS) + "\n"


def main() -> int:
    """Write the table, or compare it."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    new = table()
    if sys.argv[1:] == ["--check"]:
        return 0 if old == new else 1
    PAGE.write_text(before + BEGIN + new + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
