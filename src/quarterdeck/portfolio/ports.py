"""What the portfolio services ask of those who keep accounts, the gate, forecasts and regimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from quarterdeck.execution.model import Decision
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.market.model import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """One instrument as integers, and what an account holds of it.

    ``price`` is the last close in price units, ``None`` before the first bar; a price unit times a
    quantity unit is worth ``unit_value`` money units. ``quantity`` is signed, ``cost`` the money paid
    (+) or received (-) for it. A trade costs ``spread_parts`` (half the spread) and ``fee_parts`` of its
    notional, in parts of 1e8, ``unit_fee`` for each 1.0 of quantity, and at least ``least_fee`` in fees.
    """

    symbol: str
    price: int | None
    unit_value: int
    quantity_scale: int
    price_scale: int
    lot: int
    min_notional: int
    quantity: int
    cost: int
    spread_parts: int = 0
    fee_parts: int = 0
    unit_fee: int = 0
    least_fee: int = 0

    @property
    def worth(self) -> int | None:
        """The money units that one quantity unit is worth at the last close."""
        return None if self.price is None else self.price * self.unit_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """An account in money units; ``stakes`` has every instrument of the deck, by index.

    ``capital`` is what was paid in, ``cost_parts`` half the spread and the fee of a trade by its value
    alone, in parts of 1e8 of its notional, where no instrument's own are known.
    """

    agent: AgentId
    capital: int
    cash: int
    equity: int
    stakes: tuple[Stake, ...]
    cost_parts: int


@dataclass(frozen=True, slots=True)
class Open:
    """What is open of an order; ``in_doubt`` where the venue's answer is missing."""

    quantity: int
    in_doubt: bool


class Accounts(Protocol):
    """Accounts, the gate's word on orders that are only thought of, and what is working."""

    def holdings(self, agent: str) -> Holdings:
        """Return the account of ``agent`` at the last closes, or refuse an unknown one."""
        ...

    def closed_at(self) -> Nanos:
        """Return the instant of the last close."""
        ...

    def closed(self, agent: str) -> str | None:
        """Return why nobody may trade for ``agent`` now: a stop, or no market; ``None`` if one may."""
        ...

    def verdict(self, agent: str, symbol: str, *, side: Side, quantity: Decimal) -> Decision:
        """Return what the gate would say to a market order of ``agent``."""
        ...

    def working(self, agent: str) -> Mapping[str, Open]:
        """Return what is open of every order of ``agent`` that is not final, by order id."""
        ...


class Treasury(Protocol):
    """What accounts are worth at the last closes, and how much of it may be moved away."""

    def agents(self) -> tuple[str, ...]:
        """Return who has an account, by name."""
        ...

    def equity(self, agent: str) -> int:
        """Return an account's equity in money units."""
        ...

    def movable(self, agent: str) -> int:
        """Return how much capital may be moved away from an account now, in money units."""
        ...


class Charges(Protocol):
    """What agents charge for a task: the cost of the inference that went into it."""

    def charge_units(self, agent: AgentId) -> int | None:
        """Return what an agent charges for a task in money units; None where it states nothing."""
        ...


class Forecasts(Protocol):
    """Who forecasts the risk of the next bar; asked within a slice, after it has heard it."""

    def volatilities(self) -> Floats:
        """Return each instrument's forecast deviation of the next bar's return; NaN where unknown."""
        ...


class Regimes(Protocol):
    """Who knows the regime of every instrument."""

    def labels(self) -> Ints:
        """Return each instrument's regime as an index into ``REGIMES``; negative where it has none."""
        ...
