"""The cards of the Broker port: what any broker adapter must do, each numbered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from quarterdeck.adapters.brokers.asking import MAX_QUESTIONS, ask, send_once
from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.reconcile import differences, following
from quarterdeck.execution.core.venue import Assumptions, Bar
from quarterdeck.execution.model.broker import BrokerOrder, OutcomeUnknown
from quarterdeck.kernel.errors import Conflict, DomainError, NotFound, Overloaded, Unavailable
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side, TimeInForce
from tests.contracts.hostile import Hostile

CONTRACTS = (Contract(0, "AAA", 2, 0, 5, 10, 0, 10_000), Contract(1, "BBB", 2, 0, 1, 1, 0, 10_000))
PLAIN = Assumptions(spread_parts=0, taker_parts=10_000, maker_parts=0, participation_parts=10**7)
S, L, M = OrderStatus, OrderType.LIMIT, OrderType.MARKET
Card = Callable[[PaperBroker], Awaitable[None]]
CARDS: list[tuple[str, Card]] = []


def card(say: str) -> Callable[[Card], Card]:
    def add(check: Card) -> Card:
        CARDS.append((f"B{len(CARDS) + 1:02d} {say}", check))
        return check

    return add


def flat(price: int = 10_000, volume: int | None = None) -> dict[int, Bar]:
    return {0: Bar(price, price, price, price, volume)}


def order(name: str = "o1", quantity: int = 100, **terms: object) -> BrokerOrder:
    return BrokerOrder(
        **{"client_id": name, "instrument": 0, "side": Side.BUY, "quantity": quantity, **terms}  # type: ignore[arg-type]
    )


def limit(name: str = "o1", price: int = 9_900, **terms: object) -> BrokerOrder:
    return order(name, type=L, limit=price, **terms)


async def refused(work: Awaitable[object], kind: type[DomainError], code: str) -> None:
    with pytest.raises(kind) as raised:
        await work
    assert raised.value.code == code


@card("an order is acknowledged as working")
async def _(broker: PaperBroker) -> None:
    state = await broker.submit(order())
    assert (state.status, state.filled, state.quantity) == (S.WORKING, 0, 100)


@card("an acknowledgement is reported")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    assert [r.status for r in await broker.reports(0)] == [S.WORKING]


@card("a market order fills whole where the volume allows")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat())
    state = await broker.find("o1")
    assert state is not None
    assert (state.status, state.filled) == (S.FILLED, 100)


@card("a part fills and the rest stays working")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    state = await broker.find("o1")
    assert state is not None
    assert (state.status, state.filled) == (S.PARTIAL, 40)


@card("parts add up to the whole")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    for _bar in range(3):
        broker.close(flat(volume=400))
    state = await broker.find("o1")
    assert state is not None
    assert state.status is S.FILLED
    assert [f.quantity for f in state.fills] == [40, 40, 20]


@card("every fill has an id of its own")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    for _bar in range(3):
        broker.close(flat(volume=400))
    ids = [r.fill.fill_id for r in await broker.reports(0) if r.fill]
    assert len(set(ids)) == len(ids) == 3


def rejects(say: str, bad: BrokerOrder) -> None:
    @card(f"{say} is rejected and leaves nothing behind")
    async def _(broker: PaperBroker) -> None:
        await refused(broker.submit(bad), Conflict, "REJECTED")
        assert await broker.find(bad.client_id) is None
        assert await broker.reports(0) == ()


rejects("an unknown instrument", order(instrument=9))
rejects("a quantity of zero", order(quantity=0))
rejects("a negative quantity", order(quantity=-10))
rejects("a quantity off the lot", order(quantity=15))
rejects("a price off the tick", limit(price=9_903))
rejects("a price of zero", limit(price=0))
rejects("a limit order without a limit", order(type=L))
rejects("a market order with a limit", order(limit=9_900))
rejects("a stop order without a stop", order(type=OrderType.STOP))
rejects("a post-only market order", order(post_only=True))
rejects(
    "a stop that is for at once",
    order(type=OrderType.STOP, stop=10_100, time_in_force=TimeInForce.IOC),
)


@card("the same order under the same id is answered as it stands and taken once")
async def _(broker: PaperBroker) -> None:
    first = await broker.submit(order())
    assert await broker.submit(order()) == first
    assert len(await broker.reports(0)) == 1


@card("the same id for another order is refused")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    await refused(broker.submit(order(quantity=50)), Conflict, "DUPLICATE_ID")


@card("an id is not free again when its order has ended")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat())
    assert (await broker.submit(order())).status is S.FILLED
    broker.close(flat())
    assert (await broker.books()).positions == {0: 100}


@card("a working order is cancelled")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    assert (await broker.cancel("o1")).status is S.CANCELLED


@card("a cancelled order fills no more")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    await broker.cancel("o1")
    broker.close(flat())
    assert (await broker.books()).positions == {}


@card("cancelling twice changes nothing")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    assert await broker.cancel("o1") == await broker.cancel("o1")
    assert len(await broker.reports(0)) == 2


@card("a cancel that loses the race answers with the fill")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat())
    assert (await broker.cancel("o1")).status is S.FILLED


@card("a cancel after a part keeps the part")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    state = await broker.cancel("o1")
    assert (state.status, state.filled) == (S.CANCELLED, 40)
    assert (await broker.books()).positions == {0: 40}


@card("cancelling an unknown order is refused")
async def _(broker: PaperBroker) -> None:
    await refused(broker.cancel("nobody"), NotFound, "NOT_FOUND")


@card("a replacement changes quantity and limit under the same id")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    assert (await broker.replace("o1", quantity=50, limit=9_800)).quantity == 50
    broker.close(flat(9_850))
    assert (await broker.books()).positions == {}
    broker.close(flat(9_795))
    assert (await broker.books()).positions == {0: 50}


@card("a replacement that loses the race is rejected and the fill stands")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat())
    await refused(broker.replace("o1", quantity=50, limit=None), Conflict, "REJECTED")
    assert (await broker.books()).positions == {0: 100}


@card("a replacement below what has filled is rejected and the order stands")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    await refused(broker.replace("o1", quantity=40, limit=None), Conflict, "REJECTED")
    assert len((await broker.books()).working) == 1


@card("replacing an unknown order is refused")
async def _(broker: PaperBroker) -> None:
    await refused(broker.replace("nobody", quantity=10, limit=None), NotFound, "NOT_FOUND")


@card("an order takes another's place: the one ends and the other works, at once")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    state = await broker.exchange("o1", limit("o2", 9_800, quantity=50), filled=0)
    assert (state.client_id, state.status, state.quantity) == ("o2", S.WORKING, 50)
    assert [w.client_id for w in (await broker.books()).working] == ["o2"]
    told = [(r.client_id, r.status) for r in await broker.reports(1)]
    assert told == [("o1", S.CANCELLED), ("o2", S.WORKING)]
    broker.close(flat(9_850))
    assert (await broker.books()).positions == {}


@card("what filled meanwhile is taken off the order that takes the place")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    state = await broker.exchange("o1", limit("o2", quantity=100), filled=0)
    assert state.quantity == 60
    assert [r.quantity for r in await broker.reports(0) if r.client_id == "o2"] == [60]


@card("an exchange that loses the race is rejected, and neither order is touched")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    await refused(broker.exchange("o1", order("o2", 40), filled=0), Conflict, "REJECTED")
    assert [w.client_id for w in (await broker.books()).working] == ["o1"]
    for _bar in range(2):
        broker.close(flat(volume=400))
    await refused(broker.exchange("o1", order("o2"), filled=0), Conflict, "REJECTED")
    assert await broker.find("o2") is None


@card("an exchange asked for twice is answered as it stands")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    first = await broker.exchange("o1", limit("o2", 9_800), filled=0)
    assert await broker.exchange("o1", limit("o2", 9_800), filled=0) == first
    await refused(broker.exchange("o1", limit("o2", 9_700), filled=0), Conflict, "DUPLICATE_ID")


@card("an order that is off the lot takes nobody's place")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    await refused(broker.exchange("o1", limit("o2", 9_803), filled=0), Conflict, "REJECTED")
    await refused(broker.exchange("nobody", limit("o2"), filled=0), NotFound, "NOT_FOUND")
    other = limit("o2", side=Side.SELL)
    await refused(broker.exchange("o1", other, filled=0), Conflict, "REJECTED")
    assert [w.client_id for w in (await broker.books()).working] == ["o1"]


@card("asking for an order that never was answers that it never was")
async def _(broker: PaperBroker) -> None:
    assert await broker.find("nobody") is None


@card("too many requests are refused definitely and taken by nobody")
async def _(broker: PaperBroker) -> None:
    for n in range(20):
        await broker.submit(limit(f"n{n}"))
    await refused(broker.submit(limit("late")), Overloaded, "THROTTLED")
    assert await broker.find("late") is None


@card("cancelling and asking are never throttled")
async def _(broker: PaperBroker) -> None:
    for n in range(20):
        await broker.submit(limit(f"n{n}"))
    for n in range(20):
        assert (await broker.cancel(f"n{n}")).status is S.CANCELLED
    assert (await broker.books()).working == ()


@card("after the throttle the same order is taken")
async def _(broker: PaperBroker) -> None:
    for n in range(20):
        await broker.submit(limit(f"n{n}"))
    broker.close({})
    assert (await broker.submit(limit("late"))).status is S.WORKING


@card("reports are numbered without a gap and can be read from any number on")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close(flat(volume=400))
    await broker.cancel("o1")
    assert [r.sequence for r in await broker.reports(0)] == [1, 2, 3]
    assert await broker.reports(2) == (await broker.reports(0))[2:]


@card("what happened while nobody listened is told afterwards")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    heard = (await broker.reports(0))[-1].sequence
    broker.close(flat())
    told = following(await broker.reports(heard), after=heard)
    assert sum(report.fill.quantity for report in told if report.fill) == 100


@card("the books are the sum of the fills at their sequence number")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order("a"))
    await broker.submit(order("b", quantity=30, side=Side.SELL))
    broker.close(flat())
    books = await broker.books()
    assert books.positions == {0: 70}
    assert books.sequence == len(await broker.reports(0))


@card("a flat position is left out and working orders are all there")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order("a"))
    await broker.submit(order("b", side=Side.SELL))
    await broker.submit(limit("c"))
    broker.close(flat())
    books = await broker.books()
    assert (books.positions, [w.client_id for w in books.working]) == ({}, ["c"])


@card("at once: what there is fills and the rest expires")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order(time_in_force=TimeInForce.IOC))
    broker.close(flat(volume=400))
    state = await broker.find("o1")
    assert state is not None
    assert (state.status, state.filled) == (S.EXPIRED, 40)


@card("whole or not at all: too little fills nothing")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order(time_in_force=TimeInForce.FOK))
    broker.close(flat(volume=400))
    state = await broker.find("o1")
    assert state is not None
    assert (state.status, state.filled) == (S.EXPIRED, 0)


@card("a limit is kept")
async def _(broker: PaperBroker) -> None:
    await broker.submit(limit())
    broker.close({0: Bar(10_000, 10_000, 9_895, 10_000)})
    state = await broker.find("o1")
    assert state is not None
    assert [f.price for f in state.fills] == [9_900]


@card("a stop waits for its price")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order(type=OrderType.STOP, stop=10_100))
    broker.close(flat())
    assert (await broker.books()).positions == {}
    broker.close(flat(10_200))
    assert (await broker.books()).positions == {0: 100}


@card("a fill never comes from the bar the order was made in")
async def _(broker: PaperBroker) -> None:
    broker.close(flat())
    await broker.submit(order())
    assert (await broker.books()).positions == {}


@card("the fee is the taker's for what takes and the maker's for what rested")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order("take"))
    await broker.submit(limit("rest"))
    broker.close({0: Bar(10_000, 10_000, 9_800, 10_000)})
    fees = [s.fills[0].fee for s in [await broker.find("take"), await broker.find("rest")] if s]
    assert fees == [1_000_000, 0]


@card("no bar of the instrument, no fill")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order())
    broker.close({1: Bar(1, 1, 1, 1)})
    state = await broker.find("o1")
    assert state is not None
    assert state.status is S.WORKING


@card("orders of one bar share its volume in the order they were taken")
async def _(broker: PaperBroker) -> None:
    await broker.submit(order("a", quantity=30))
    await broker.submit(order("b", quantity=30))
    broker.close(flat(volume=400))
    states = [await broker.find("a"), await broker.find("b")]
    assert [s.filled for s in states if s] == [30, 10]


def broker() -> PaperBroker:
    return PaperBroker(contracts=CONTRACTS, assumed=(PLAIN, PLAIN), requests_per_bar=20)


def test_there_are_at_least_forty_cards() -> None:
    assert len(CARDS) >= 40


@pytest.mark.parametrize("check", [c for _, c in CARDS], ids=[name for name, _ in CARDS])
def test_card(check: Card) -> None:
    asyncio.run(check(broker()))  # type: ignore[arg-type]


@pytest.mark.parametrize("mood", ["never", "twice", "wrong id", "wrong fill", "kind"])
def test_an_order_is_sent_once_and_asked_for_until_it_is_known(mood: str) -> None:
    async def check() -> None:
        hostile = Hostile(broker(), mood, silent=MAX_QUESTIONS - 1)
        state = await send_once(hostile, order())
        assert state is not None
        assert (state.client_id, state.status) == ("o1", S.WORKING)
        assert hostile.sent == ["o1"]

    asyncio.run(check())


def test_what_the_broker_does_not_know_stays_unknown_and_is_not_sent_again() -> None:
    async def check() -> None:
        lost = Hostile(broker(), "lost")
        assert await send_once(lost, order()) is None
        silent = Hostile(broker(), "never", silent=MAX_QUESTIONS)
        assert await send_once(silent, order()) is None
        assert (lost.sent, silent.sent) == (["o1"], ["o1"])
        found = await ask(silent, "o1")
        assert found is not None
        assert found.status is S.WORKING

    asyncio.run(check())


def test_a_definite_refusal_is_passed_on() -> None:
    async def check() -> None:
        with pytest.raises(Unavailable):
            await send_once(Hostile(broker(), "unconnected"), order())
        with pytest.raises(OutcomeUnknown):
            await Hostile(broker(), "lost").submit(order())

    asyncio.run(check())


def test_reports_out_of_order_and_repeated_are_booked_once_in_order() -> None:
    async def check() -> None:
        real = broker()
        hostile = Hostile(real, "twice")
        await hostile.submit(order())
        for _ in range(3):
            real.close(flat(volume=400))
        told = following(await hostile.reports(0), after=0)
        assert [report.fill.quantity for report in told if report.fill] == [40, 40, 20]
        assert following(await hostile.reports(0), after=told[-1].sequence) == ()

    asyncio.run(check())


def test_comparing_books_names_every_difference_and_twice_is_as_once() -> None:
    async def check() -> None:
        real = broker()
        await real.submit(order("a"))
        await real.submit(limit("b"))
        real.close(flat())
        books = await real.books()
        assert differences({0: 100}, {"b": 100}, books=books) == ()
        found = differences({0: 60, 1: 5}, {"c": 10}, books=books)
        assert [(d.instrument, d.client_id, d.ours, d.theirs) for d in found] == [
            (0, None, 60, 100),
            (1, None, 5, 0),
            (None, "b", 0, 100),
            (None, "c", 10, 0),
        ]
        assert differences({0: 60, 1: 5}, {"c": 10}, books=books) == found

    asyncio.run(check())
