"""Random states of the gate, by seed: limits at three levels, two agents, and all that surrounds an order."""

from __future__ import annotations

import random

from msgspec.structs import replace

from quarterdeck.execution.core.amounts import PARTS, Contract, Terms
from quarterdeck.execution.core.belief import Belief
from quarterdeck.execution.core.breakers import Breaker
from quarterdeck.execution.core.exposure import NO_CROWD, NO_SUMS, Exposure
from quarterdeck.execution.core.gate import judge
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.core.limits_book import Bounds, Level, bounds_of
from quarterdeck.execution.core.scene import Around, Scene, Standing, Together, scene_of
from quarterdeck.execution.core.watch import Watch
from quarterdeck.execution.core.windows import Agent, Bar, Market
from quarterdeck.execution.model import BreakerKind, BreakerState, Code, Scope
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos

MONEY = 1_000_000
MOST = 400_000 * MONEY
RANGES: dict[str, tuple[int, int]] = {
    "max_order_notional": (1, MOST),
    "max_position_notional": (1, MOST),
    "max_gross_exposure_ratio": (PARTS // 2, 5 * PARTS),
    "max_orders_per_bar": (2, 7),
    "max_daily_loss_fraction": (PARTS // 10, PARTS),
    "price_collar_fraction": (PARTS // 10, PARTS // 2),
    "max_missed_bars": (1, 3),
    "believed_price_tolerance_fraction": (PARTS // 10, PARTS),
    "trading_state": (0, 2),
    "instruments_allowed": (1, 3),
    "order_types_allowed": (1, 15),
    "short_sales_allowed": (0, 1),
    "max_order_quantity": (0, 10**8),
    "max_concentration_fraction": (0, 2 * PARTS),
    "max_net_exposure_ratio": (0, 3 * PARTS),
    "max_credit_notional": (0, MOST),
    "max_var99_fraction": (0, PARTS),
    "max_instrument_notional": (0, MOST),
    "max_cluster_notional": (0, MOST),
    "max_account_notional": (0, MOST),
    "max_same_direction_count": (0, 3),
    "max_open_orders_count": (1, 9),
    "max_open_notional": (0, MOST),
    "mandate_until": (8, 12),
    "mandate_required": (0, 1),
    "instruments_restricted": (0, 3),
    "regimes_allowed": (1, 511),
    "believed_price_required": (0, 1),
    "max_believed_age_bars": (0, 3),
    "stop_loss_required": (0, 1),
    "max_stop_distance_ratio": (0, 40 * PARTS),
    "window_collar_fraction": (0, 2 * PARTS),
    "max_participation_fraction": (0, PARTS),
    "max_orders_per_day": (0, 5),
    "max_messages_per_bar": (0, 5),
    "max_identical_orders_per_bar": (0, 2),
    "max_cancel_ratio": (0, PARTS),
    "max_orders_per_trade": (0, 9),
    "loss_cooldown_bars": (0, 9),
    "max_decision_ms": (0, 9),
    "max_clock_step_ms": (0, 9),
}
"""Every limit with the values that are tried; the first eight are always set."""
ALWAYS = 8
CHANCE = 0.025
"""How often a level sets one of its limits."""


def bounds_from(rng: random.Random) -> Bounds:
    """The tightest of three levels."""
    names = list(RANGES)
    deck = {name: rng.randint(*RANGES[name]) for name in names[:ALWAYS]}
    levels: dict[Level, dict[str, int]] = {(Scope.DECK, ""): deck}
    for level in ((Scope.AGENT, "a"), (Scope.INSTRUMENT, "AAA")):
        levels[level] = {
            name: rng.randint(*RANGES[name]) for name in names if rng.random() < CHANCE
        }
    return bounds_of(levels, levels)


def contracts_from(rng: random.Random) -> tuple[Contract, ...]:
    """Two instruments of one kind."""
    tick, lot = rng.randint(1, 50), rng.choice([1, 10, 100])
    spare, least = rng.randint(0, 3), rng.choice([0, 0, rng.randint(0, 50) * MONEY])
    unit_fee = rng.choice([0, rng.randint(1, MONEY // 10)])
    return tuple(
        Contract(row, name, 2, 4 - spare, tick, lot, least, 10**spare, unit_fee)
        for row, name in enumerate(("AAA", "BBB"))
    )


def account_from(rng: random.Random, name: str) -> Account:
    """An agent with stakes, some of them working."""
    account = Account(
        agent=AgentId(name),
        number=1,
        capital=0,
        realised=0,
        fees=0,
        cash=rng.randint(-10_000, 4_000_000) * MONEY,
        day_open=rng.randint(1, 1_000_000) * MONEY,
        marked=0,
        orders_in_bar=rng.choice([0, 0, 0, 1, 3]),
    )
    for row in (0, 1):
        if rng.random() < 0.6:
            quantity = rng.choice([0, rng.randint(-3_000, 3_000)])
            buys, sells = (rng.choice([0, rng.randint(1, 2_000)]) for _ in range(2))
            holding = Holding(quantity, quantity * 1_000, buys, sells)
            holding.buy_price = rng.randint(1, 40_000) if buys else 0
            holding.sell_price = rng.randint(1, 40_000) if sells else 0
            if not holding.empty:
                account.holdings[row] = holding
    return account


def intent_from(rng: random.Random, price: int, *, tick: int) -> Intent:
    """An order of any type, near the price or far from it."""
    market, stops = rng.random() < 0.4, rng.random() < 0.1
    near = max(1, price + rng.randint(-price // 20 - 1, price // 20 + 1))
    if rng.random() < 0.95:
        near = max(tick, near // tick * tick)
    buy = rng.random() < 0.5
    return Intent(
        buy=buy,
        market=market,
        quantity=rng.choice([None, rng.randint(1, 10_000), rng.randint(1, 10_000)]),
        limit=None if market else rng.choice([near] * 9 + [rng.randint(1, 50_000)]),
        epoch=rng.choice([None] * 9 + [5, 5, 4]),
        stop=near if stops else None,
        reduce_only=rng.random() < 0.1,
        post_only=not market and rng.random() < 0.05,
        stop_loss=rng.choice([None, None, tick if buy else 100_000 * tick]),
        belief=rng.choice(
            [None] * 5
            + [Belief(price, Nanos(9)), Belief(price, None), Belief(price * 2, Nanos(10))]
        ),
    )


def window_from(rng: random.Random, intent: Intent) -> Agent:
    """What the agent did in this bar and the ones before."""
    window = Agent(
        bars=[
            Bar(rng.randint(0, 8), rng.randint(0, 30), 25, rng.randint(0, 25), rng.randint(0, 9))
        ],
        day_orders=rng.choice([0, 3, 9]),
        day=0,
        losses={0: rng.randint(0, 9)} if rng.random() < 0.3 else {},
    )
    bar = window.bar(9)
    bar.sent, bar.cancelled = rng.randint(0, 4), rng.randint(0, 2)
    if rng.random() < 0.3:
        alike = f"0 {'buy' if intent.buy else 'sell'} {intent.limit} {intent.stop}"
        times = {rng.randint(1, 3_000): rng.randint(1, 2) for _ in range(3)}
        window.same, bar.accepted = {alike: times}, sum(times.values())
    return window


def market_from(rng: random.Random, price: int) -> Market:
    """The last bars of the instrument."""
    closes = [max(1, price + rng.randint(-price // 10 - 1, price // 10 + 1)) for _ in range(20)]
    volumes = [rng.randint(0, 20_000) for _ in range(rng.choice([3, 20]))]
    return Market(closes, volumes, rng.choice([None, "ranging", "volatile"]))


def standing_from(rng: random.Random) -> Standing:
    """Mostly open; now and then stopped, frozen or closed."""
    standing = Standing(True, True, 4, 4, False, 5, None, False)
    if rng.random() < 0.85:
        return standing
    return replace(
        standing,
        raised=rng.choice([4, 5]),
        agent_stopped=rng.random() < 0.2,
        frozen=rng.choice([None, "stopped"]),
        closed=rng.choice([None, None, "the feed has ended"]),
        reducing_passes=rng.random() < 0.5,
        absent=rng.choice([None, "not heard of"]),
    )


def watch_from(rng: random.Random) -> Watch:
    """What was noticed of the machine."""
    watch = Watch()
    for _ in range(rng.choice([3, 20])):
        watch.took(rng.randint(0, 9) / 1_000)
    return watch


def state(seed: int) -> tuple[Scene, Intent]:
    """The state and the order of ``seed``."""
    rng = random.Random(seed)
    table, bounds = contracts_from(rng), bounds_from(rng)
    terms = Terms(
        order_notional=0,
        position_notional=0,
        gross_parts=0,
        orders_per_bar=0,
        loss_parts=0,
        collar_parts=rng.randint(1, PARTS // 2),
        missed_bars=0,
        fee_parts=rng.randint(0, PARTS // 100),
        spread_parts=20_000,
        life_bars=5,
        least_fee=rng.choice([0, rng.randint(1, 100) * MONEY]),
    )
    one, other = account_from(rng, "a"), account_from(rng, "b")
    prices = {row: rng.randint(1, 40_000) for row in (0, 1)}
    risks = {row: rng.randint(0, PARTS // 4) for row in (0, 1)}
    exposure = Exposure()
    exposure.update(
        {one.agent: one, other.agent: other},
        prices=prices,
        contracts=table,
        fee_parts=terms.fee_parts,
        var_parts=risks,
    )
    breakers: dict[BreakerKind, Breaker] = {}
    if rng.random() < 0.15:
        kind = rng.choice(list(BreakerKind))
        breakers[kind] = Breaker(
            kind, Scope.AGENT, "a", rng.choice([BreakerState.OPEN, BreakerState.HALF_OPEN])
        )
    intent = intent_from(rng, prices[0], tick=table[0].tick)
    learned = rng.choice([MOST, rng.randint(0, MOST)])
    scene = scene_of(
        standing_from(rng),
        one,
        contract=table[0],
        intent=intent,
        price=prices[0],
        missed=rng.choice([0] * 9 + [2, 4]),
        terms=terms,
        bounds=bounds,
        position_limit=min(bounds.max_position_notional, learned),
        limit_version=1,
        sums=exposure.agents.get(one.agent, NO_SUMS),
        around=Around(
            crowd=exposure.crowds.get(0, NO_CROWD),
            account_gross=exposure.gross,
            clusters=rng.choice([(), (exposure.cluster([0]), exposure.cluster([0, 1]))]),
            together=rng.choice(
                [
                    None,
                    Together(
                        exposure.cluster([0, 1]), rng.randint(0, MOST), rng.randint(0, 2 * PARTS)
                    ),
                ]
            ),
            var_parts=risks[0],
            open_orders=rng.randint(0, 5),
            breakers=breakers,
            cool_down_bars=5,
            slice=9,
            at=Nanos(10),
            timeframe="1d",
            window=window_from(rng, intent),
            market=market_from(rng, prices[0]),
            watch=watch_from(rng),
            clock_step_ms=rng.randint(0, 9),
        ),
    )
    return scene, intent


class Tried:
    """What was tried: states, those with headroom, and the codes that refused in any of them."""

    def __init__(self) -> None:
        self.states = 0
        self.with_headroom = 0
        self.codes: set[Code] = set()

    def try_state(self, seed: int) -> str | None:
        """Return what is wrong with the headroom in the state of ``seed``, ``None`` if it is exact."""
        scene, intent = state(seed)
        assert scene.contract is not None
        verdict = judge(scene, intent)
        self.states += 1
        self.codes.update(control.code for control, _ in verdict.breaches)
        headroom, lot = verdict.headroom, scene.contract.lot
        if headroom % lot:
            return f"seed {seed}: {headroom} is not whole lots"
        if judge(scene, replace(intent, quantity=headroom + lot)).accepted:
            return f"seed {seed}: {headroom} and one lot more passes"
        if headroom:
            self.with_headroom += 1
            if not judge(scene, replace(intent, quantity=headroom)).accepted:
                return f"seed {seed}: {headroom} does not pass"
        return None
