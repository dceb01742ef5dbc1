"""The limits that are set, level by level and version by version, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.model import Scope
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import SECOND, Nanos

CONFIRM_WITHIN = 3_600 * SECOND
"""Machine time after which a change that loosens can no longer be confirmed."""
MAX_PENDING = 100
"""Changes that may wait for confirmation at once."""

Level = tuple[Scope, str]
"""A scope and its subject; the deck's subject is empty."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The tightest value of each limit for one agent in one instrument; ``None`` is no limit.

    Those that the configuration always names have no default. Integers as :mod:`limits` holds them.
    """

    max_missed_bars: int
    max_order_notional: int
    price_collar_fraction: int
    max_position_notional: int
    max_gross_exposure_ratio: int
    max_orders_per_bar: int
    max_daily_loss_fraction: int
    trading_state: int | None = None
    mandate_until: int | None = None
    instruments_allowed: int | None = None
    order_types_allowed: int | None = None
    regimes_allowed: int | None = None
    short_sales: int | None = None
    believed_price_required: int | None = None
    believed_price_tolerance_fraction: int | None = None
    max_believed_age_bars: int | None = None
    max_order_quantity: int | None = None
    window_collar_fraction: int | None = None
    max_participation_fraction: int | None = None
    max_concentration_fraction: int | None = None
    max_net_exposure_ratio: int | None = None
    max_credit_notional: int | None = None
    max_var99_fraction: int | None = None
    max_instrument_notional: int | None = None
    max_cluster_notional: int | None = None
    max_account_notional: int | None = None
    max_same_direction_count: int | None = None
    max_open_orders_count: int | None = None
    max_open_notional: int | None = None
    max_orders_per_day: int | None = None
    max_messages_per_bar: int | None = None
    max_identical_orders_per_bar: int | None = None
    max_cancel_ratio: int | None = None
    max_orders_per_trade: int | None = None
    loss_cooldown_bars: int | None = None


ALWAYS_SET = frozenset(
    each.name for each in msgspec.structs.fields(Bounds) if each.default is msgspec.NODEFAULT
)
"""Limits that the deck always has: they can be changed there, not removed."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A change that loosens, until it is confirmed, overtaken or too old."""

    change: int
    scope: Scope
    subject: str
    name: str
    value: int | None
    previous: int
    by: AgentId
    reason: str
    machine_at: Nanos


@dataclass(slots=True)
class LimitBook:
    """What is set at each level, and the version that counts every change of it.

    ``clusters`` are the rows of each named group of instruments; they never change.
    """

    clusters: Mapping[str, tuple[int, ...]]
    levels: dict[Level, dict[str, int]] = field(default_factory=dict)
    version: int = 0
    changes: int = 0
    pending: dict[int, Pending] = field(default_factory=dict)

    def value(self, level: Level, name: str) -> int | None:
        """Return what is set at ``level``; ``None`` for nothing."""
        return self.levels.get(level, {}).get(name)

    def put(self, level: Level, name: str, value: int | None) -> None:
        """Set or, with ``None``, remove a limit."""
        if value is None:
            self.levels.get(level, {}).pop(name, None)
        else:
            self.levels.setdefault(level, {})[name] = value
        if not self.levels.get(level, {0: 0}):
            del self.levels[level]

    def overtaken(self, level: Level, name: str) -> list[int]:
        """Return the numbers of the changes that wait for the same limit, oldest first."""
        return [
            number
            for number, each in self.pending.items()
            if ((each.scope, each.subject), each.name) == (level, name)
        ]

    def clusters_of(self, row: int) -> list[str]:
        """Return the clusters that instrument ``row`` is in."""
        return [name for name, rows in self.clusters.items() if row in rows]


def bounds_of(levels: Mapping[Level, Mapping[str, int]], touched: Iterable[Level]) -> Bounds:
    """Return the tightest of all limits set at the levels that an order touches."""
    merged: dict[str, int] = {}
    for level in touched:
        for name, value in levels.get(level, {}).items():
            held = merged.get(name)
            merged[name] = value if held is None else LIMITS[name].tightest(held, value)
    return Bounds(**merged)
