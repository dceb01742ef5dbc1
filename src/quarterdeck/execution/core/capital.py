"""How much capital may leave an account without breaking what it has promised."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.core.ledger import Account


def movable(account: Account, *, equity: int, free: int, gross: int, gross_parts: int) -> int:
    """Return the largest amount that may be moved away, in money units; 0 if none may.

    Parameters
    ----------
    account : Account
        Of its capital and of its equity at the day's and the last close some must stay: returns are
        measured on them.
    equity : int
        At the last closes, in money units.
    free : int
        Cash that no short and no working order lays claim to; may be negative.
    gross : int
        Worst-case gross exposure, in money units.
    gross_parts : int
        The limit of gross exposure over equity, in ``PARTS``.

    Examples
    --------
    >>> from quarterdeck.kernel.ids import AgentId
    >>> account = Account(AgentId("a"), 1, capital=100, cash=100, realised=0, fees=0, day_open=100,
    ...     marked=100)
    >>> movable(account, equity=100, free=80, gross=60, gross_parts=PARTS)
    40
    """
    needed = ceil_div(gross * PARTS, gross_parts) if gross else 1
    return max(
        0,
        min(
            free,
            equity - max(1, needed),
            account.capital - 1,
            account.day_open - 1,
            account.marked - 1,
        ),
    )


def scaled_peak(peak: int, *, before: int, after: int) -> int:
    """Return the peak that leaves the fall from it the same share when equity is moved.

    >>> scaled_peak(200, before=100, after=50)
    100
    """
    return peak * after // before if before > 0 else peak
