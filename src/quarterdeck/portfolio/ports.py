"""What the portfolio service asks of others: answers about the present slice, known when it is heard."""

from __future__ import annotations

from typing import Protocol

from quarterdeck.market.model import Floats, Ints


class Forecasts(Protocol):
    """Who forecasts the risk of the next bar."""

    def volatilities(self) -> Floats:
        """Return each instrument's forecast deviation of the next bar's return; NaN where unknown."""
        ...


class Regimes(Protocol):
    """Who knows the regime of every instrument."""

    def labels(self) -> Ints:
        """Return each instrument's regime as an index into ``REGIMES``; negative where it has none."""
        ...
