"""What is kept of each agent, and of the deck as one: one row each."""

from __future__ import annotations

from typing import Final

import msgspec

from quarterdeck.risk.core.adapt import POLICIES, Learner, nothing_learned
from quarterdeck.risk.core.sizes import POLICIES as SIZES
from quarterdeck.risk.core.stops import Stops, Trade, no_stops
from quarterdeck.risk.model import StopHeld

BRAKE: Final = POLICIES.index("drawdown brake")


class Account(msgspec.Struct):
    """What was learned; ``said`` is what each policy of the credit line said for the next bar.

    ``equity`` and ``var99_units`` are those at the last close: what the next bar is held against.
    ``stop`` is in force as it was told last; the size's is kept with the multipliers.
    """

    learner: Learner
    stops: Stops
    sizes: Learner
    trades: dict[int, Trade] = {}
    said: tuple[float, ...] = ()
    equity: int = 0
    var99_units: int | None = None
    orders: int = 0
    doubtful: int = 0
    credit_units: int | None = None
    factors: dict[str, float] = {}
    stop: StopHeld | None = None

    @property
    def brake(self) -> float:
        """What the drawdown's policy says now, in [0.25, 1]."""
        return self.said[BRAKE] if self.said else 1.0


def fresh(before: Account | None = None, *, size: float | None = None) -> Account:
    """Return an account that has learned nothing; what is in force stays, for forgetting loosens nothing."""
    sizes = nothing_learned(len(SIZES))
    if size is not None:
        sizes = sizes._replace(held=min(sizes.held, size))
    account = Account(nothing_learned(), no_stops(), sizes)
    if before is not None:
        account.credit_units, account.stop = before.credit_units, before.stop
    return account
