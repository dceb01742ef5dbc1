"""The limits that are set, level by level and version by version, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.model import Scope
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import SECOND, Nanos

CONFIRM_WITHIN = 3_600 * SECOND
"""Machine time after which a change that loosens can no longer be confirmed."""
MAX_PENDING = 100
"""Changes that may wait for confirmation at once."""

MAX_KNOWN = 100_000
"""Agents times instruments whose limits are kept added up."""

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
    believed_price_tolerance_fraction: int
    trading_state: int | None = None
    mandate_until: int | None = None
    mandate_required: int | None = None
    instruments_allowed: int | None = None
    instruments_restricted: int | None = None
    regimes_allowed: int | None = None
    believed_price_required: int | None = None
    max_believed_age_bars: int | None = None
    stop_loss_required: int | None = None
    max_stop_distance_ratio: int | None = None
    window_collar_fraction: int | None = None
    max_participation_fraction: int | None = None
    max_orders_per_day: int | None = None
    max_messages_per_bar: int | None = None
    max_identical_orders_per_bar: int | None = None
    max_cancel_ratio: int | None = None
    max_orders_per_trade: int | None = None
    loss_cooldown_bars: int | None = None
    order_types_allowed: int | None = None
    short_sales_allowed: int | None = None
    max_order_quantity: int | None = None
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
    max_decision_ms: int | None = None
    max_clock_step_ms: int | None = None
    levels: Mapping[str, str] = {}
    """Which level sets each of them, as ``agent trend``."""


ALWAYS_SET = frozenset(each.name for each in msgspec.structs.fields(Bounds) if each.required)
"""Limits that the deck always has: they can be changed there, not removed."""


LEARNED = "risk, "
"""What a level is named with where risk has set the limit, not a person."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a limit: in force, or waiting to be confirmed; ``value`` null removes it."""

    change: int
    scope: Scope
    subject: str
    name: str
    value: int | None
    previous: int | None
    by: AgentId
    reason: str
    machine_at: Nanos


@dataclass(slots=True)
class LimitBook:
    """What is set at each level, and the version that counts every change of it.

    ``clusters`` are the rows of each named group of instruments; they never change. ``version``
    counts every change of a limit, a learned one too. ``learned`` is what risk has set beside
    persons, by level; it can only tighten. ``shares`` are what it scales each agent's learned position
    limits by, in ``PARTS``.
    """

    clusters: Mapping[str, tuple[int, ...]]
    levels: dict[Level, dict[str, int]] = field(default_factory=dict)
    version: int = 0
    changes: int = 0
    pending: dict[int, Pending] = field(default_factory=dict)
    learned: dict[Level, dict[str, int]] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)
    _wide: dict[AgentId, Bounds] = field(default_factory=dict, compare=False)
    _narrow: dict[int, tuple[Level, ...]] = field(default_factory=dict, compare=False)
    _kinds: dict[tuple[object, ...], Bounds] = field(default_factory=dict, compare=False)
    _known: dict[tuple[AgentId | int, int], Bounds] = field(default_factory=dict, compare=False)

    def value(self, level: Level, name: str) -> int | None:
        """Return what is set at ``level``; ``None`` for nothing."""
        return self.levels.get(level, {}).get(name)

    def put(self, level: Level, name: str, value: int | None) -> None:
        """Set or, with ``None``, remove a limit."""
        if value is None:
            self.levels.get(level, {}).pop(name, None)
        else:
            self.levels.setdefault(level, {})[name] = value
        if not self.levels.get(level, {name: 0}):
            del self.levels[level]
        self._known.clear()
        self._wide.clear()
        self._kinds.clear()
        self._narrow.clear()

    def learn(self, level: Level, limits: dict[str, int]) -> None:
        """Take up what risk lets pass at ``level``; empty lifts it."""
        if limits:
            self.learned[level] = limits
        else:
            self.learned.pop(level, None)
        self._known.clear()

    def earned(self, agent: str, units: int) -> int:
        """Return the part of a learned position limit that an agent's trades have earned; else all of it."""
        return units * self.shares.get(agent, PARTS) // PARTS

    def bounds(self, account: str, agent: AgentId, *, row: int, symbol: str) -> Bounds:
        """Return the tightest limits for ``agent`` in instrument ``row``; -1 is none of ours."""
        wide = self._wide.get(agent)
        if wide is None:
            everywhere = ((Scope.DECK, ""), (Scope.ACCOUNT, account), (Scope.AGENT, agent))
            wide = self._wide[agent] = self._shared(bounds_of(self.levels, everywhere))
        narrow = self._narrow.get(row)
        if narrow is None:
            narrow = self._narrow[row] = self._set_for(row, symbol)
        if not narrow and not self.learned:
            return wide
        # Agents of the same limits share what they are in an instrument; what is learned is each one's.
        key = (agent if self.learned else id(wide), row)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            found = tightened(wide, levels=self.levels, touched=narrow)
            if self.learned:
                touched = [(Scope.DECK, ""), (Scope.AGENT, agent), (Scope.INSTRUMENT, symbol)]
                found = tightened(found, levels=self.learned, touched=touched, prefix=LEARNED)
            self._known[key] = found
        return found

    def _shared(self, wide: Bounds) -> Bounds:
        """Return the one object that stands for all limits like these, until any limit changes."""
        alike = (*msgspec.structs.astuple(wide)[:-1], tuple(wide.levels.items()))
        return self._kinds.setdefault(alike, wide)

    def _set_for(self, row: int, symbol: str) -> tuple[Level, ...]:
        """Return the levels of an instrument that set any limit, the widest first."""
        if row < 0:
            return ()
        levels = [(Scope.INSTRUMENT, symbol)]
        levels += [(Scope.CLUSTER, name) for name in self.clusters_of(row)]
        return tuple(level for level in levels if level in self.levels)

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
    """Return the tightest of all limits set at the levels that an order touches.

    Parameters
    ----------
    levels : mapping of Level to mapping of str to int
        Every limit that is set, by level and name.
    touched : iterable of Level
        The levels of one order, the widest first: of equal values the widest is named.
    """
    values: dict[str, int] = {}
    named: dict[str, str] = {}
    for level in touched:
        by = level_name(level)
        for name, value in levels.get(level, {}).items():
            held = values.get(name)
            kept = value if held is None else LIMITS[name].tightest(held, value)
            if kept != held:
                values[name], named[name] = kept, by
    return Bounds(levels=named, **values)


def tightened(
    wide: Bounds,
    *,
    levels: Mapping[Level, Mapping[str, int]],
    touched: Iterable[Level],
    prefix: str = "",
) -> Bounds:
    """Return ``wide`` tightened by what the levels ``touched`` set; itself where none does."""
    values: dict[str, int] = {}
    named: dict[str, str] = {}
    for level in touched:
        for name, value in levels.get(level, {}).items():
            held = values[name] if name in values else getattr(wide, name)
            kept = value if held is None else LIMITS[name].tightest(held, value)
            if kept != held:
                values[name], named[name] = kept, prefix + level_name(level)
    if not values:
        return wide
    return msgspec.structs.replace(wide, levels={**wide.levels, **named}, **values)


def level_name(level: Level) -> str:
    """Return how a level is named to people.

    >>> level_name((Scope.DECK, "")), level_name((Scope.AGENT, "trend"))
    ('deck', 'agent trend')
    """
    scope, subject = level
    return f"{scope.value} {subject}".strip()
