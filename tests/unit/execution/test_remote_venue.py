"""A remote venue: what leaves is on disk first, what has no answer is asked about, what differs freezes."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.adapters.brokers.kept import KeptPaperBroker, known
from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.adapters.brokers.reach import Reach
from quarterdeck.app.courier import Courier
from quarterdeck.cli.cancel_all import cancel_all
from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.reconcile import Dust
from quarterdeck.execution.model import (
    AdjustBooks,
    BreakerKind,
    CancelOrder,
    GetAccounts,
    GetAdjustments,
    GetBreakers,
    GetOrder,
    GetStop,
    OrderCancelled,
    OrderView,
    RaiseStop,
    ReplaceOrder,
    SubmitSignal,
)
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerOrder,
    BrokerReport,
    BrokerState,
    BrokerView,
    GetBroker,
    OutcomeUnknown,
    SettleOrder,
)
from quarterdeck.execution.service.sending import may_leave
from quarterdeck.kernel.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    Overloaded,
    Unavailable,
)
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.bus import Bus
from quarterdeck.runtime.config import BreakersSection, BrokerSection, OrdersSection, PaperSection
from quarterdeck.runtime.database import ConnectionReader
from tests.unit.execution.deck import SQL, Deck, codes

S = OrderStatus
SYMBOLS = ("AAA", "BBB")


class Line:
    """The way to a venue: ``says`` is what happens to the next requests, then nothing does."""

    def __init__(self, venue: KeptPaperBroker) -> None:
        self.venue = venue
        self.says: list[str] = []
        self.sent: list[str] = []
        self.silent = False
        self.lies: dict[str, Any] = {}

    def _mood(self) -> str:
        return self.says.pop(0) if self.says else "kind"

    async def submit(self, order: BrokerOrder) -> BrokerState:
        mood = self._mood()
        if mood == "busy":
            raise Overloaded("too many", code="THROTTLED")
        self.sent.append(order.client_id)
        if mood == "lost":
            raise OutcomeUnknown(order.client_id)
        state = await self.venue.submit(order)
        if mood == "deaf":
            raise OutcomeUnknown(order.client_id)
        return state

    async def cancel(self, client_id: str) -> BrokerState:
        if self._mood() in ("lost", "deaf"):
            raise OutcomeUnknown(client_id)
        return await self.venue.cancel(client_id)

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        return await self.venue.replace(client_id, quantity=quantity, limit=limit)

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        mood = self._mood()
        if mood == "busy":
            raise Overloaded("too many", code="THROTTLED")
        self.sent.append(order.client_id)
        if mood == "lost":
            raise OutcomeUnknown(order.client_id)
        state = await self.venue.exchange(client_id, order, filled=filled)
        if mood == "deaf":
            raise OutcomeUnknown(order.client_id)
        return state

    async def find(self, client_id: str) -> BrokerState | None:
        if self.silent:
            raise OutcomeUnknown(client_id)
        return await self.venue.find(client_id)

    async def books(self) -> BrokerBooks:
        if self.silent:
            raise Unavailable("no answer", code="UNCONNECTED")
        books = await self.venue.books()
        return BrokerBooks(
            sequence=books.sequence,
            working=books.working,
            positions=self.lies.get("positions", books.positions),
            cash=self.lies.get("cash", books.cash),
        )

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        if self.silent:
            raise Unavailable("no answer", code="UNCONNECTED")
        found = await self.venue.reports(after)
        return (*reversed(found), *found)


class World:
    """A deck, its courier and the venue; any of them can go down alone."""

    def __init__(self, path: Path, **options: Any) -> None:
        orders = options.pop("orders", OrdersSection(self_trade="allow"))
        paper = PaperSection(max_participation_fraction=1.0, order_life_bars=50)
        self.deck = Deck(remote=True, orders=orders, paper=paper, **options)
        self.path = path / "venue.requests"
        self.keys = 0
        self.bus = Bus()
        asyncio.run(self._open())
        self.deck.join("a", "b")
        self.bars()

    async def _open(self) -> None:
        venue = PaperBroker(
            contracts=self.deck.desk.contracts,
            assumed=self.deck.desk.assumptions,
            requests_per_bar=99,
        )
        kept = await KeptPaperBroker(venue, self.path).__aenter__()
        self.line = Line(kept)
        self.courier = Courier(
            self.line,
            market=kept,
            contracts=self.deck.desk.contracts,
            stop=self.deck.flag,
            may_leave=lambda name: may_leave(self.deck.service, name),
            commands=self.deck.sequencer,
            committed=self.bus.subscribe(1_000),
        )
        await self.courier.begin()

    def restart(self) -> None:
        """Both ends go down and come back, and remember what was on disk."""
        before = self.line
        self.deck.restart()
        self.bus = Bus()

        async def again() -> None:
            await before.venue.__aexit__()
            await self._open()

        asyncio.run(again())
        self.line.sent = before.sent

    def bars(self, price: int = 10_000, volume: float | None = None) -> None:
        self.deck.bars({0: price, 1: price // 2}, **({} if volume is None else {"volume": volume}))
        self.bus.publish(self.deck.sequencer.number, self.deck.last.messages)

    def turn(self, *says: str) -> None:
        self.line.says = list(says)
        asyncio.run(self.courier.turn())

    def look(self, order: OrderView) -> OrderView:
        found: OrderView = self.deck.ask(GetOrder(order_id=order.order_id))
        return found

    def replace(self, order: OrderView, **terms: object) -> OrderView:
        self.keys += 1
        decimals = {name: Decimal(str(value)) for name, value in terms.items()}
        key = f"replace {self.keys}"
        ask = ReplaceOrder(idempotency_key=key, order_id=order.order_id, **decimals)
        new: OrderView = self.deck.send(ask, order.agent)
        return new

    def borne(self, agent: str = "a", row: int = 0) -> int:
        """What is held and may still be bought at worst; it is what the orders say it is."""
        account = self.deck.desk.accounts[agent]
        held = account.holdings.get(row)
        for side, counted in (("buy", "buys"), ("sell", "sells")):
            asked = sum(
                order.reserving
                for order in self.deck.desk.book.working.values()
                if (order.agent, order.instrument, order.side.value) == (agent, row, side)
            )
            assert (0 if held is None else getattr(held, counted)) == asked
        return 0 if held is None else held.quantity + held.buys

    def broker(self) -> BrokerView:
        found: BrokerView = self.deck.ask(GetBroker())
        return found


Opens = Callable[..., World]


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[Opens]:
    worlds: list[World] = []

    def opened(**options: Any) -> World:
        worlds.append(World(tmp_path, **options))
        return worlds[-1]

    yield opened
    for world in worlds:
        asyncio.run(world.line.venue.__aexit__())


def test_an_order_leaves_after_its_commit_and_fills_by_reports(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)
    assert (order.status, world.line.sent) == (S.INTENT, [])
    world.turn()
    assert (world.look(order).status, world.line.sent) == (S.WORKING, [order.order_id])
    world.bars()
    # The bar closed here; what the venue made of it is known when it has been asked.
    assert world.look(order).status is S.WORKING
    world.turn()
    done = world.look(order)
    assert (done.status, done.filled) == (S.FILLED, 10)
    assert world.deck.desk.accounts["a"].holdings[0].quantity == 10
    assert world.deck.ask(GetAccounts()).balanced
    assert (world.broker().differences, world.broker().compared_slice) == ((), 1)


def test_bytes_leave_only_after_the_step_that_says_so_is_on_disk(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)
    seen: list[str] = []

    async def submit(asked: BrokerOrder) -> BrokerState:
        row = world.deck.connection.execute(
            "SELECT status FROM execution_orders WHERE order_id = ?", (asked.client_id,)
        ).fetchone()
        seen.append(row["status"])
        return await world.line.venue.submit(asked)

    world.line.submit = submit
    world.turn()
    assert seen == ["sent"]
    assert world.look(order).status is S.WORKING


@pytest.mark.parametrize("mood", ["lost", "deaf"])
def test_without_an_answer_an_order_is_unknown_reserved_and_never_sent_again(
    open_world: Opens, mood: str
) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)
    world.line.silent = True
    world.turn(mood)
    assert world.look(order).status is S.UNKNOWN
    for _ in range(3):
        world.restart()
        world.line.silent = True
        world.bars()
        world.turn()
    assert (world.look(order).status, world.line.sent) == (S.UNKNOWN, [order.order_id])
    assert world.deck.desk.accounts["a"].holdings[0].buys == 10
    world.deck.send(RaiseStop(reason="look"))
    with pytest.raises(Conflict) as refusal:
        world.deck.rearm(epoch=1, reason="hope")
    assert refusal.value.code == "UNKNOWN_ORDERS"
    world.line.silent = False
    world.turn()
    if mood == "deaf":
        # It had arrived, and filled meanwhile.
        assert world.look(order).filled == 10
    else:
        assert world.look(order).status is S.UNKNOWN
        settled = world.deck.send(SettleOrder(order_id=order.order_id, reason="asked by phone"))
        assert settled.status is S.CANCELLED
    world.deck.rearm(epoch=1, reason="known")
    assert world.line.sent == [order.order_id]


def test_a_crash_between_commit_and_bytes_sends_nothing_twice(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)

    async def dies(_: BrokerOrder) -> BrokerState:
        raise KeyboardInterrupt

    world.line.submit = dies
    with pytest.raises(KeyboardInterrupt):
        world.turn()
    world.restart()
    assert world.look(order).status is S.UNKNOWN
    world.turn()
    assert (world.look(order).status, world.line.sent) == (S.UNKNOWN, [])


def test_what_had_not_left_before_a_restart_leaves_after_it(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)
    world.restart()
    assert (world.look(order).status, world.line.sent) == (S.INTENT, [])
    world.turn()
    assert (world.look(order).status, world.line.sent) == (S.WORKING, [order.order_id])


def test_a_stop_between_decision_and_bytes_withholds_the_order(open_world: Opens) -> None:
    world = open_world()
    early, late = (world.deck.order("AAA", "buy", n) for n in (10, 11))

    async def submit(asked: BrokerOrder) -> BrokerState:
        state = await world.line.venue.submit(asked)
        # Raised by another process while the first is on the line.
        world.deck.flag.raise_()
        return state

    world.line.submit = submit
    world.turn()
    assert (world.look(early).status, world.look(late).status) == (S.WORKING, S.WITHHELD)
    assert world.deck.desk.accounts["a"].holdings[0].buys == 10
    third = world.deck.order("AAA", "buy", 1)
    assert codes(third) == ["STALE_EPOCH"]


@pytest.mark.parametrize("scope", ["agent", "instrument", "account"])
def test_a_narrow_stop_between_decision_and_bytes_withholds_the_order(
    open_world: Opens, scope: str
) -> None:
    world = open_world()
    early, late = (world.deck.order("AAA", "buy", n) for n in (10, 11))

    async def submit(asked: BrokerOrder) -> BrokerState:
        state = await world.line.venue.submit(asked)
        # A step of somebody else's, while the first is on the line.
        desk = world.deck.desk
        if scope == "agent":
            desk.accounts["a"].stopped = True
        elif scope == "instrument":
            desk.frozen[0] = "odd prices"
        else:
            desk.session.account_stopped = True
        return state

    world.line.submit = submit
    world.turn()
    assert (world.look(early).status, world.look(late).status) == (S.WORKING, S.WITHHELD)


def test_a_fill_of_what_was_to_be_less_is_booked_whole(open_world: Opens) -> None:
    world = open_world(orders=OrdersSection(self_trade="decrement"))
    order = world.deck.order("AAA", "buy", 10, limit="101")
    world.turn()
    world.deck.order("AAA", "sell", 3, limit="100", by="b")
    assert (world.look(order).quantity, world.borne()) == (7, 7)
    world.bars()
    world.turn()
    world.turn()
    done = world.look(order)
    # The venue had ten of it when the bar came.
    assert (done.status, done.filled, world.borne()) == (S.FILLED, 10, 10)
    assert (world.broker().differences, world.broker().unknown) == ((), ())


def test_a_stop_asks_the_venue_to_cancel_and_says_so_when_it_has(open_world: Opens) -> None:
    world = open_world()
    resting = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    unsent = world.deck.order("AAA", "buy", 10, limit=99)
    world.deck.send(RaiseStop(reason="odd"))
    assert world.look(unsent).status is S.CANCELLED
    assert world.look(resting).status is S.WORKING
    world.turn("lost")
    assert world.look(resting).status is S.WORKING
    world.restart()
    world.turn()
    assert world.look(resting).status is S.CANCELLED
    assert 0 not in world.deck.desk.accounts["a"].holdings


def test_asking_again_to_cancel_one_order_is_no_loop(open_world: Opens) -> None:
    world = open_world(breakers=BreakersSection(loop_cancels=2))
    orders = [world.deck.order("AAA", "buy", 10, limit=99) for _ in range(2)]
    world.turn()
    for number in range(3):
        ask = CancelOrder(idempotency_key=f"c{number}", order_id=orders[0].order_id)
        world.deck.send(ask, "a")
    assert world.deck.ask(GetBreakers()).breakers == ()
    world.deck.send(CancelOrder(idempotency_key="other", order_id=orders[1].order_id), "a")
    assert [each.kind for each in world.deck.ask(GetBreakers()).breakers] == [BreakerKind.LOOP]


def test_a_fill_that_crosses_the_cancel_is_booked(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    world.deck.send(CancelOrder(idempotency_key="c", order_id=order.order_id), "a")
    world.bars(9_800)
    world.turn()
    done = world.look(order)
    assert (done.status, done.filled) == (S.FILLED, 10)
    assert world.broker().differences == ()


def test_an_order_whose_signal_expires_before_it_leaves_is_never_sent(open_world: Opens) -> None:
    world = open_world()
    signal = world.deck.send(
        SubmitSignal(
            idempotency_key="s", symbol="AAA", direction="long", strength=1.0, horizon_bars=1
        ),
        "a",
    )
    order = world.deck.order("AAA", "buy", 10, signal_id=signal.signal_id)
    world.turn("busy")
    world.bars()
    world.turn()
    assert (world.look(order).status, world.line.sent) == (S.EXPIRED, [])
    assert 0 not in world.deck.desk.accounts["a"].holdings


def test_a_throttled_order_waits_and_is_sent_later(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10)
    world.turn("busy")
    assert world.look(order).status is S.INTENT
    world.turn()
    assert world.look(order).status is S.WORKING


def test_what_differs_freezes_and_is_re_armed_only_when_it_agrees(open_world: Opens) -> None:
    world = open_world()
    world.deck.order("AAA", "buy", 10)
    world.turn()
    world.bars()
    world.line.lies = {"positions": {0: 7}}
    world.turn()
    (difference,) = world.broker().differences
    assert (difference.subject, difference.ours, difference.theirs) == ("position AAA", 10, 7)
    assert difference.more == -3
    assert world.deck.ask(GetStop()).stopped_instruments == ("AAA",)
    world.restart()
    assert codes(world.deck.order("AAA", "buy", 1)) == ["FROZEN"]
    assert world.deck.order("AAA", "sell", 1).status is S.INTENT
    with pytest.raises(Conflict) as refusal:
        world.deck.rearm(epoch=0, reason="hope", instrument="AAA")
    assert refusal.value.code == "NOT_RECONCILED"
    world.turn()
    assert world.broker().differences == ()
    world.deck.rearm(epoch=0, reason="it agrees", instrument="AAA")
    assert world.deck.order("AAA", "buy", 1).status is S.INTENT


def adjustment(world: World, **changes: Any) -> AdjustBooks:
    """What a person sends who has looked at the only difference."""
    (seen,) = world.broker().differences
    asked = {"subject": seen.subject, "ours": seen.ours, "theirs": seen.theirs, "reason": "phoned"}
    return AdjustBooks(**{**asked, **changes})


def test_a_person_books_a_fill_that_nobody_told_of(open_world: Opens) -> None:
    world = open_world()
    world.deck.order("AAA", "buy", 10)
    world.turn()
    world.bars()
    world.turn()
    before = world.line.lies = {
        "positions": {0: 7},
        "cash": world.deck.desk.ledger.paid + 300_500_000,
    }
    world.turn()
    assert [(one.subject, one.more) for one in world.broker().differences] == [
        ("cash", Decimal("300.5")),
        ("position AAA", -3),
    ]
    with pytest.raises(Conflict) as refusal:
        world.deck.send(AdjustBooks(subject="cash", ours=1, theirs=2, reason="a guess"))
    assert refusal.value.code == "DIFFERENCE_CHANGED"
    sold = AdjustBooks(
        subject="position AAA", ours=10, theirs=7, reason="the broker's statement", agent="a",
        price=Decimal("100.20"), fee=Decimal("0.1"),
    )  # fmt: skip
    for wrong in ({"price": None}, {"price": Decimal(0)}, {"fee": Decimal(-1)}, {"agent": "b2"}):
        with pytest.raises(DomainError):
            world.deck.send(msgspec.structs.replace(sold, **wrong))
    done = world.deck.send(sold)
    assert (done.number, done.by, done.ours, done.theirs) == (1, "operator", 10, 7)
    assert [type(said).__name__ for said in world.deck.last.messages] == [
        "OrderFilled",
        "BooksAdjusted",
    ]
    world.restart()
    account = world.deck.desk.accounts["a"]
    assert account.holdings[0].quantity == 7
    assert world.deck.ask(GetAccounts()).balanced
    assert world.deck.desk.ledger.paid == before["cash"]
    world.line.lies = before
    world.turn()
    assert world.broker().differences == ()
    assert world.deck.ask(GetAdjustments()).adjustments == (done,)
    world.deck.rearm(epoch=0, reason="it agrees", instrument="AAA")


def test_what_is_nobodys_goes_to_the_house_and_an_order_follows_the_broker(
    open_world: Opens,
) -> None:
    world = open_world()
    world.line.lies = {"positions": {1: 40}}
    world.turn()
    world.deck.send(adjustment(world))
    assert world.deck.desk.held(world.deck.desk.symbols["BBB"]) == 40
    world.line.lies |= {"cash": -5_000_000}
    world.turn()
    with pytest.raises(InvalidInput):
        world.deck.send(adjustment(world, agent="a"))
    world.deck.send(adjustment(world))
    world.restart()
    world.line.lies = {"positions": {1: 40}, "cash": -5_000_000}
    world.turn()
    assert world.broker().differences == ()
    assert world.deck.ask(GetAccounts()).balanced
    order = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    asyncio.run(world.line.venue.replace(order.order_id, quantity=4, limit=9_900))
    world.turn()
    world.deck.send(adjustment(world))
    assert (world.look(order).quantity, world.borne()) == (4, 4)
    world.turn()
    assert world.broker().differences == ()


def test_dust_is_booked_by_rule_and_nothing_else_is(open_world: Opens) -> None:
    world = open_world(dust=Dust(cash=100, positions=True))
    world.line.lies = {"positions": {1: 9}, "cash": 100}
    world.turn()
    assert world.broker().differences == ()
    adjusted = world.deck.ask(GetAdjustments()).adjustments
    assert [(one.subject, one.by) for one in adjusted] == [
        ("position BBB", "rule"),
        ("cash", "rule"),
    ]
    assert not world.deck.ask(GetStop()).stopped_instruments
    world.line.lies = {"positions": {1: 19}, "cash": 201}
    world.turn()
    assert [one.subject for one in world.broker().differences] == ["cash", "position BBB"]
    assert world.deck.ask(GetAccounts()).balanced


def test_no_answer_is_never_flat(open_world: Opens) -> None:
    world = open_world()
    world.deck.order("AAA", "buy", 10)
    world.turn()
    world.bars()
    world.turn()
    world.line.silent = True
    world.bars()
    world.turn()
    assert world.deck.desk.accounts["a"].holdings[0].quantity == 10
    assert world.broker().differences == ()
    assert not world.deck.ask(GetStop()).stopped_instruments


def test_attached_exits_are_sent_when_their_order_fills_and_one_ends_the_other(
    open_world: Opens,
) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10, stop_loss=95, take_profit=105)
    for price in (10_000, 10_000, 10_600):
        world.turn()
        world.bars(price)
    for _ in range(3):
        world.turn()
    legs = [o for o in world.deck.desk.book.orders.values() if o.parent == order.order_id]
    assert {leg.leg.value: leg.status for leg in legs} == {
        "stop_loss": S.CANCELLED,
        "take_profit": S.FILLED,
    }
    assert 0 not in world.deck.desk.accounts["a"].holdings
    assert world.broker().differences == ()


def test_a_stop_loss_filled_before_it_was_to_be_more_goes_on_for_the_rest(
    open_world: Opens,
) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10, stop_loss=95)
    world.turn()
    world.bars(10_000, volume=4.0)
    world.turn()
    world.turn()
    world.bars(9_400, volume=20.0)
    world.turn()
    world.restart()
    told = [(o.status, o.quantity, o.filled) for o in stops_of(world, order)]
    # The venue knew of four when the bar came that filled the other six as well.
    assert told == [(S.FILLED, 4, 4), (S.INTENT, 6, 0)]
    world.turn()
    world.bars(9_300)
    world.turn()
    assert [(o.status, o.filled) for o in stops_of(world, order)] == [(S.FILLED, 4), (S.FILLED, 6)]
    assert 0 not in world.deck.desk.accounts["a"].holdings
    assert (world.broker().differences, world.broker().unknown) == ((), ())


def test_nothing_follows_a_stop_loss_that_was_to_end_when_it_filled(open_world: Opens) -> None:
    world = open_world()
    order = world.deck.order("AAA", "buy", 10, stop_loss=95)
    world.turn()
    world.bars(10_000, volume=4.0)
    world.turn()
    world.turn()
    world.bars(9_400, volume=20.0)
    stop = stops_of(world, order)[0]
    world.deck.send(CancelOrder(idempotency_key="no more", order_id=stop.order_id))
    world.turn()
    assert [(o.status, o.quantity, o.filled) for o in stops_of(world, order)] == [(S.FILLED, 4, 4)]
    assert (world.deck.desk.accounts["a"].holdings[0].quantity, world.broker().unknown) == (6, ())


def stops_of(world: World, order: OrderView) -> list[Order]:
    return [o for o in world.deck.desk.book.orders.values() if o.parent == order.order_id]


def test_an_order_at_the_venue_is_replaced_there_at_once(open_world: Opens) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98, quantity=15)
    assert (new.status, new.replaces, world.look(old).status) == (S.INTENT, old.order_id, S.WORKING)
    # Only one of the two can live: not 25.
    assert world.borne() == 15
    world.restart()
    assert world.borne() == 15
    world.turn()
    assert (world.look(old).status, world.look(new).status) == (S.CANCELLED, S.WORKING)
    assert [said.reason for step in world.deck.disk.steps for said in step.messages
            if type(said) is OrderCancelled] == [f"replaced by {new.order_id}"]  # fmt: skip
    assert (world.borne(), world.broker().differences) == (15, ())
    world.bars(9_850)
    world.turn()
    assert world.borne() == 15
    assert world.deck.desk.accounts["a"].holdings[0].quantity == 0
    world.bars(9_700)
    world.turn()
    assert (world.look(new).filled, world.broker().differences) == (15, ())


def test_what_fills_while_a_replacement_is_on_its_way_is_not_bought_twice(
    open_world: Opens,
) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98)
    # The venue sees the bar and fills 4 before the exchange arrives; the deck hears of it after.
    world.bars(9_850, volume=4.0)
    world.turn()
    assert (world.look(old).status, world.look(old).filled) == (S.CANCELLED, 4)
    assert (world.look(new).status, world.look(new).quantity) == (S.WORKING, 6)
    assert (world.borne(), world.broker().differences) == (10, ())


@pytest.mark.parametrize("mood", ["lost", "deaf"])
def test_a_replacement_without_an_answer_is_asked_about_and_never_sent_again(
    open_world: Opens, mood: str
) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98)
    world.bars(9_850, volume=4.0)
    world.line.silent = True
    world.turn(mood)
    assert (world.look(new).status, world.borne()) == (S.UNKNOWN, 10)
    with pytest.raises(Conflict) as refusal:
        world.replace(old, limit_price=97)
    assert refusal.value.code == "NOT_REPLACEABLE"
    world.restart()
    world.turn()
    world.turn()
    assert world.line.sent == [old.order_id, new.order_id]
    if mood == "deaf":
        assert (world.look(old).filled, world.look(new).quantity) == (4, 6)
    else:
        assert (world.look(new).status, world.look(old).status) == (S.UNKNOWN, S.PARTIAL)
        world.deck.send(SettleOrder(order_id=new.order_id, reason="asked by phone"))
    assert (world.borne(), world.broker().differences) == (10, ())


def test_a_replacement_that_comes_too_late_leaves_what_has_happened(open_world: Opens) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98)
    world.bars(9_800)
    world.turn()
    assert (world.look(old).status, world.look(new).status) == (S.FILLED, S.REJECTED)
    assert (world.borne(), world.broker().differences) == (10, ())


def test_a_replacement_that_waits_follows_the_fills_and_the_end_of_the_old_order(
    open_world: Opens,
) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98, quantity=12)
    world.bars(9_850, volume=4.0)
    world.turn("busy")
    assert (world.look(new).status, world.look(new).quantity) == (S.INTENT, 8)
    assert world.borne() == 12
    world.deck.send(CancelOrder(idempotency_key="c", order_id=old.order_id), "a")
    world.turn()
    assert (world.look(old).status, world.look(new).status) == (S.CANCELLED, S.CANCELLED)
    assert (world.borne(), len(world.line.sent)) == (4, 1)


def test_a_stop_before_a_replacement_leaves_cancels_both(open_world: Opens) -> None:
    world = open_world()
    old = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn()
    new = world.replace(old, limit_price=98)
    world.deck.send(RaiseStop(reason="odd"))
    world.turn()
    world.turn()
    assert (world.look(old).status, world.look(new).status) == (S.CANCELLED, S.CANCELLED)
    assert (world.borne(), len(world.line.sent)) == (0, 1)


def test_another_process_cancels_what_rests_while_the_deck_is_stuck(
    open_world: Opens, tmp_path: Path
) -> None:
    world = open_world()
    resting = [world.deck.order("AAA", "buy", n, limit=99) for n in (10, 11)]
    world.turn()
    deck = world.deck
    reach = Reach(broker=BrokerSection(), paper=deck.paper, instruments=deck.instruments)
    reach.save(tmp_path / "venue.json")
    deck.flag.raise_()
    assert set(cancel_all(tmp_path)) == {each.order_id for each in resting}
    assert cancel_all(tmp_path) == ()
    # When the deck moves again, it hears of it from the venue's reports.
    world.turn()
    assert [world.look(each).status for each in resting] == [S.CANCELLED] * 2
    assert world.broker().differences == ()
    with pytest.raises(NotFound):
        cancel_all(tmp_path / "elsewhere")


def test_a_deck_restored_with_its_venue_goes_on_without_a_difference(open_world: Opens) -> None:
    world = open_world()
    resting = world.deck.order("AAA", "buy", 10, limit=99)
    world.turn("busy")
    world.turn()
    world.bars()
    world.turn()
    copy = sqlite3.connect(":memory:", isolation_level=None)
    copy.row_factory = sqlite3.Row
    world.deck.connection.backup(copy)
    # The venue is copied a little later: it has sent and filled more than the copy knows of.
    later = world.deck.order("AAA", "buy", 5)
    world.turn()
    world.bars(9_800)
    world.turn()
    assert world.look(resting).status is S.FILLED
    requests = known(world.path.read_bytes(), ConnectionReader(copy, SQL))
    asyncio.run(world.line.venue.__aexit__())
    world.path.write_bytes(requests)
    world.deck.go_on_from(copy)
    world.restart()
    world.turn()
    assert (world.look(resting).status, world.broker().differences) == (S.WORKING, ())
    with pytest.raises(NotFound):
        world.look(later)
    world.bars(9_800)
    world.turn()
    assert (world.look(resting).status, world.broker().differences) == (S.FILLED, ())


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_line_does_the_books_agree_in_the_end(open_world: Opens, seed: int) -> None:
    world, chance = open_world(), random.Random(seed)
    price = 10_000
    for number in range(40):
        for _ in range(chance.randrange(3)):
            terms: dict[str, Any] = {"by": chance.choice("ab")}
            if chance.random() < 0.4:
                terms["limit"] = price // 100 + chance.choice((-1, 0, 1))
            world.deck.order(
                "AAA", chance.choice(("buy", "sell")), chance.randrange(1, 20), **terms
            )
        open_ = list(world.deck.desk.book.working.values())
        if open_ and chance.random() < 0.3:
            order = chance.choice(open_)
            cancel = CancelOrder(idempotency_key=f"c{number}", order_id=order.order_id)
            world.deck.send(cancel, order.agent)
        open_ = [each for each in world.deck.desk.book.working.values() if each.limit]
        if open_ and chance.random() < 0.5:
            order = chance.choice(open_)
            terms = {"quantity": chance.randrange(1, 20), "limit_price": price // 100 - 1}
            with suppress(Conflict):
                world.replace(world.deck.ask(GetOrder(order_id=order.order_id)), **terms)
        world.line.silent = chance.random() < 0.2
        if chance.random() < 0.8:
            world.turn(*(chance.choice(("kind", "lost", "deaf", "busy")) for _ in range(3)))
        if chance.random() < 0.2:
            world.restart()
        price += chance.randrange(-80, 81)
        world.bars(price, volume=chance.choice((None, 3.0, 12.0)))
        for agent in "ab":
            world.borne(agent)
    world.line.silent = False
    for _ in range(3):
        world.turn()
        world.bars(price)
    for name in world.broker().unknown:
        world.deck.send(SettleOrder(order_id=name, reason="it was lost on the line"))
    world.turn()
    world.turn()
    assert len(world.line.sent) == len(set(world.line.sent))
    assert world.broker().differences == ()
    assert world.deck.ask(GetAccounts()).balanced
