"""What holding a position costs by the day: funding between longs and shorts, and borrowing to be short."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div
from quarterdeck.execution.core.venue import Assumptions

YEAR_DAYS = 365


def carry_of(
    quantity: int, price: int, *, contract: Contract, assumed: Assumptions, days: int
) -> int:
    """Return what a position costs (+) or earns (-) its holder over ``days``, in money units.

    Parameters
    ----------
    quantity : int
        Signed quantity units, positive long.
    price : int
        Price units that it is valued at: the last close of the day before.
    contract : Contract
        Gives the worth of a price unit times a quantity unit.
    assumed : Assumptions
        ``funding_parts`` of its value a day is what a long pays and a short is paid, the other way
        round where it is negative; ``borrow_parts`` a year of 365 days is what a short pays besides.
    days : int
        UTC days that have begun since the last time, 1 or more.

    Returns
    -------
    int
        Rounded against the holder to a whole money unit.

    Examples
    --------
    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> dear = Assumptions(0, 0, 0, funding_parts=PARTS // 1_000, borrow_parts=PARTS // 10)
    >>> carry_of(5, 10_000, contract=share, assumed=dear, days=1)
    500000
    >>> carry_of(-5, 10_000, contract=share, assumed=dear, days=1)
    -363013
    """
    value = quantity * price * contract.unit_value
    yearly = value * assumed.funding_parts * YEAR_DAYS
    if quantity < 0:
        yearly -= value * assumed.borrow_parts
    return ceil_div(yearly * days, PARTS * YEAR_DAYS)
