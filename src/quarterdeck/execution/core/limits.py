"""A person's limits by level: which there are, what they are worth, and which one is the tightest.

A limit is set at a level: the deck, the account, an agent, an instrument or a cluster of
instruments. All levels that an order touches apply, and the tightest value wins, so that a narrower
level can only tighten a wider one.

>>> limit = LIMITS["max_order_notional"]
>>> limit.parse("12.5", ()), limit.shown(12_500_000, ())
(12500000, '12.5')
>>> limit.tightest(3, 5), limit.loosens(3, 5), limit.loosens(3, None)
(3, True, True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.execution.core.amounts import PARTS, Contract
from quarterdeck.execution.core.watch import WATCHED
from quarterdeck.execution.core.windows import WINDOW_BARS
from quarterdeck.execution.model import Code
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, text_of, to_units
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES, Clock, OrderType

PARTS_SCALE = 8
"""Decimals of fractions and of quantities as limits hold them; ``10**PARTS_SCALE == PARTS``."""
STATES = ("active", "reducing", "halted")
"""The states of trading, from loose to tight."""
ORDER_TYPES = tuple(OrderType)


class Kind(StrEnum):
    """How the value of a limit is written and held."""

    MONEY = "USD"
    FRACTION = "fraction"
    RATIO = "times"
    VAR_RATIO = "times 99 % VaR"
    QUANTITY = "quantity"
    COUNT = "count"
    BARS = "bars"
    MILLISECONDS = "ms"
    STATE = "state"
    YES = "yes or no"
    INSTANT = "instant"
    SYMBOLS = "symbols"
    TYPES = "order types"
    REGIMES = "regimes"


_SCALES = {
    Kind.MONEY: MONEY_SCALE,
    Kind.FRACTION: PARTS_SCALE,
    Kind.RATIO: PARTS_SCALE,
    Kind.VAR_RATIO: PARTS_SCALE,
    Kind.QUANTITY: PARTS_SCALE,
    Kind.COUNT: 0,
    Kind.BARS: 0,
    Kind.MILLISECONDS: 0,
}
_MOST = {
    Kind.FRACTION: PARTS,
    Kind.RATIO: 1_000 * PARTS,
    Kind.VAR_RATIO: 1_000 * PARTS,
    Kind.COUNT: 10**6,
    Kind.BARS: 10**6,
    Kind.MILLISECONDS: 10**6,
}


class Tighter(StrEnum):
    """What makes a limit tighter."""

    LOWER = "lower"
    HIGHER = "higher"
    FEWER = "fewer"
    MORE = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit that a person can set."""

    name: str
    code: Code
    kind: Kind
    meaning: str
    tighter: Tighter = Tighter.LOWER
    clock: Clock = Clock.MARKET
    zero: bool = False
    """Whether 0 is a value; without it the smallest is one unit."""

    def parse(self, text: str, contracts: Sequence[Contract]) -> int:
        """Return ``text`` as the integer that is compared.

        Raises
        ------
        InvalidInput
            If it is no value of this limit; it names what is accepted.
        """
        if self.kind in _SCALES:
            return self._number(text)
        if self.kind is Kind.INSTANT:
            return parse_rfc3339(text, field=self.name)
        names = self._names(contracts)
        if self.kind in (Kind.STATE, Kind.YES):
            if text not in names:
                raise InvalidInput.of(self.name, text[:80], ", ".join(names))
            return names.index(text)
        mask = 0
        for part in (each.strip() for each in text.split(",")):
            if part not in names:
                raise InvalidInput.of(self.name, text[:80], "a list of " + ", ".join(names))
            mask |= 1 << names.index(part)
        return mask

    def shown(self, value: int, contracts: Sequence[Contract]) -> str:
        """Return ``value`` as it is written."""
        if self.kind in _SCALES:
            return text_of(value, _SCALES[self.kind])
        if self.kind is Kind.INSTANT:
            return rfc3339(Nanos(value))
        names = self._names(contracts)
        if self.kind in (Kind.STATE, Kind.YES):
            return names[value]
        return ",".join(name for bit, name in enumerate(names) if value >> bit & 1)

    def tightest(self, one: int, other: int) -> int:
        """Return the value that both allow."""
        if self.tighter is Tighter.LOWER:
            return one if one < other else other
        if self.tighter is Tighter.HIGHER:
            return one if one > other else other
        return one & other if self.tighter is Tighter.FEWER else one | other

    def loosens(self, old: int | None, new: int | None) -> bool:
        """Return whether ``new`` in the place of ``old`` allows anything more; ``None`` is no limit."""
        if old is None:
            return False
        return new is None or self.tightest(old, new) != new

    def _number(self, text: str) -> int:
        value = to_units(text, scale=_SCALES[self.kind], field=self.name)
        least = 0 if self.zero else 1
        most = _MOST.get(self.kind)
        if value < least or (most is not None and value > most):
            edge = text_of(least, _SCALES[self.kind])
            upto = "" if most is None else f" and at most {text_of(most, _SCALES[self.kind])}"
            raise InvalidInput.of(self.name, text[:80], f"at least {edge}{upto}")
        return value

    def _names(self, contracts: Sequence[Contract]) -> tuple[str, ...]:
        match self.kind:
            case Kind.STATE:
                return STATES
            case Kind.YES:
                return ("no", "yes")
            case Kind.SYMBOLS:
                return tuple(contract.symbol for contract in contracts)
            case Kind.TYPES:
                return tuple(each.value for each in ORDER_TYPES)
            case _:
                return tuple(each.value for each in REGIMES)


def _money(name: str, code: Code, meaning: str) -> Limit:
    return Limit(name=name, code=code, kind=Kind.MONEY, meaning=meaning, zero=True)


def _count(name: str, code: Code, meaning: str) -> Limit:
    return Limit(name=name, code=code, kind=Kind.COUNT, meaning=meaning, zero=True)


def _share(name: str, code: Code, meaning: str, *, kind: Kind = Kind.FRACTION) -> Limit:
    return Limit(name=name, code=code, kind=kind, meaning=meaning, zero=True)


_ALL = (
    Limit(
        name="trading_state",
        code=Code.TRADING_STATE,
        kind=Kind.STATE,
        tighter=Tighter.HIGHER,
        meaning="active; reducing: only orders that reduce pass; halted: none does",
    ),
    Limit(
        name="mandate_until",
        code=Code.MANDATE,
        kind=Kind.INSTANT,
        meaning="market instant at which the mandate to trade ends",
    ),
    Limit(
        name="mandate_required",
        code=Code.MANDATE,
        kind=Kind.YES,
        tighter=Tighter.HIGHER,
        meaning="whether positions are opened only while some level sets mandate_until",
    ),
    Limit(
        name="instruments_allowed",
        code=Code.NOT_ALLOWED,
        kind=Kind.SYMBOLS,
        tighter=Tighter.FEWER,
        meaning="instruments that may be traded; the others are only reduced",
    ),
    Limit(
        name="instruments_restricted",
        code=Code.NOT_ALLOWED,
        kind=Kind.SYMBOLS,
        tighter=Tighter.MORE,
        meaning="instruments that are only reduced, whatever instruments_allowed says",
    ),
    Limit(
        name="order_types_allowed",
        code=Code.ORDER_TYPE,
        kind=Kind.TYPES,
        tighter=Tighter.FEWER,
        meaning="order types that may be used",
    ),
    Limit(
        name="regimes_allowed",
        code=Code.REGIME,
        kind=Kind.REGIMES,
        tighter=Tighter.FEWER,
        meaning="market regimes in which positions may be opened",
    ),
    Limit(
        name="short_sales_allowed",
        code=Code.SHORT_SALE,
        kind=Kind.YES,
        meaning="whether more may be sold than is held",
    ),
    Limit(
        name="believed_price_required",
        code=Code.FALSE_PREMISE,
        kind=Kind.YES,
        tighter=Tighter.HIGHER,
        meaning="whether every order must say the price its agent believes",
    ),
    _share(
        "believed_price_tolerance_fraction",
        Code.FALSE_PREMISE,
        "how far a believed price may be from the last close",
    ),
    Limit(
        name="max_believed_age_bars",
        code=Code.FALSE_PREMISE,
        kind=Kind.BARS,
        zero=True,
        meaning="how many bars old a belief may be",
    ),
    Limit(
        name="max_missed_bars",
        code=Code.STALE_DATA,
        kind=Kind.BARS,
        zero=True,
        meaning="bars an instrument may lack",
    ),
    Limit(
        name="max_order_quantity",
        code=Code.ORDER_QUANTITY,
        kind=Kind.QUANTITY,
        zero=True,
        meaning="largest order, in units of the instrument",
    ),
    _money("max_order_notional", Code.ORDER_NOTIONAL, "largest order, at its worst-case price"),
    _share("price_collar_fraction", Code.PRICE_COLLAR, "distance of a limit from the last close"),
    _share(
        "window_collar_fraction",
        Code.WINDOW_COLLAR,
        f"distance of a limit from every close of the last {WINDOW_BARS} bars",
        kind=Kind.RATIO,
    ),
    _share(
        "max_participation_fraction",
        Code.PARTICIPATION,
        f"largest order as a share of the mean volume of the last {WINDOW_BARS} bars; "
        "where the source has no volume it does not apply",
        kind=Kind.RATIO,
    ),
    _money(
        "max_position_notional",
        Code.POSITION_LIMIT,
        "largest position of one agent in one instrument",
    ),
    _share(
        "max_concentration_fraction",
        Code.CONCENTRATION,
        "largest position of one agent in one instrument, in parts of its equity",
        kind=Kind.RATIO,
    ),
    _share(
        "max_gross_exposure_ratio",
        Code.GROSS_EXPOSURE,
        "gross exposure of one agent, in parts of its equity",
        kind=Kind.RATIO,
    ),
    _share(
        "max_net_exposure_ratio",
        Code.NET_EXPOSURE,
        "net exposure of one agent, in parts of its equity",
        kind=Kind.RATIO,
    ),
    _money("max_credit_notional", Code.CREDIT_LINE, "gross exposure of one agent, in money"),
    _share(
        "max_var99_fraction",
        Code.VAR_BUDGET,
        "99 % value at risk over one bar of one agent's positions, added up, in parts of its equity",
    ),
    _money(
        "max_instrument_notional",
        Code.INSTRUMENT_LIMIT,
        "gross exposure of all agents in one instrument",
    ),
    _money(
        "max_cluster_notional",
        Code.CLUSTER_EXPOSURE,
        "gross exposure of all agents in each cluster of the instrument",
    ),
    _money("max_account_notional", Code.ACCOUNT_EXPOSURE, "gross exposure of all agents together"),
    _count(
        "max_same_direction_count",
        Code.SAME_DIRECTION,
        "agents that are positioned the same way in one instrument",
    ),
    _count("max_open_orders_count", Code.OPEN_ORDERS, "working orders of one agent"),
    _money(
        "max_open_notional", Code.OPEN_NOTIONAL, "worst-case value of one agent's working orders"
    ),
    _count("max_orders_per_bar", Code.ORDER_RATE, "orders accepted from one agent in a bar"),
    _count(
        "max_orders_per_day", Code.ORDERS_PER_DAY, "orders accepted from one agent in a UTC day"
    ),
    _count(
        "max_messages_per_bar",
        Code.MESSAGE_RATE,
        "orders, refused ones too, and cancels of one agent in a bar; a cancel always passes",
    ),
    _count(
        "max_identical_orders_per_bar",
        Code.DUPLICATE_ORDER,
        "orders accepted in a bar with the same instrument, side, quantity and price",
    ),
    _share(
        "max_cancel_ratio",
        Code.CANCEL_RATIO,
        f"cancelled over accepted orders of the last {WINDOW_BARS} bars, from {WINDOW_BARS} orders on",
    ),
    _count(
        "max_orders_per_trade",
        Code.ORDER_TO_TRADE,
        f"orders sent per fill over the last {WINDOW_BARS} bars, from {WINDOW_BARS} orders on",
    ),
    _share(
        "max_daily_loss_fraction",
        Code.DAILY_LOSS,
        "loss of one agent since the close of the day before",
    ),
    Limit(
        name="loss_cooldown_bars",
        code=Code.COOLDOWN,
        kind=Kind.BARS,
        zero=True,
        tighter=Tighter.HIGHER,
        meaning="bars after a loss in an instrument in which the agent opens nothing there",
    ),
    Limit(
        name="stop_loss_required",
        code=Code.STOP_LOSS_MISSING,
        kind=Kind.YES,
        tighter=Tighter.HIGHER,
        meaning="whether an order that opens must have a stop-loss attached, which its agent cannot cancel",
    ),
    Limit(
        name="max_stop_distance_ratio",
        code=Code.STOP_LOSS_MISSING,
        kind=Kind.VAR_RATIO,
        meaning="how far from its price an order's attached stop-loss may be, in 99 % value at risk of a "
        "bar; an instrument without a forecast does not count",
    ),
    Limit(
        name="max_decision_ms",
        code=Code.GATE_LATENCY,
        kind=Kind.MILLISECONDS,
        clock=Clock.MACHINE,
        zero=True,
        meaning=f"how long half of the last {WATCHED} decisions may have taken",
    ),
    Limit(
        name="max_clock_step_ms",
        code=Code.CLOCK_STEP,
        kind=Kind.MILLISECONDS,
        clock=Clock.MACHINE,
        zero=True,
        meaning="how far the machine's clock may have jumped since the last bar",
    ),
)

LIMITS: Mapping[str, Limit] = {limit.name: limit for limit in _ALL}
"""Every limit by name, in the order in which they are documented."""
