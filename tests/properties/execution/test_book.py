"""What the book keeps beside its orders follows from them, whatever happened in between."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.execution.core.book import Book, Order, release, reserve
from quarterdeck.execution.core.breakers import Breaker, count
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.ledger import Account
from quarterdeck.execution.core.stp import crossing, may_cross
from quarterdeck.execution.core.windows import WINDOW_BARS, Agent
from quarterdeck.execution.model import BreakerKind, Decision, Scope
from quarterdeck.kernel.ids import AgentId, OrderId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side

AGENTS, ROWS = ("a", "b"), 3


def account(name: str) -> Account:
    return Account(
        agent=AgentId(name), number=1, capital=0, cash=0, realised=0, fees=0, day_open=0, marked=0
    )


def order(number: int, chance: random.Random) -> Order:
    limit = chance.choice([None, 98, 99, 100, 101])
    return Order(
        number=number,
        order_id=OrderId(f"ord-{number}"),
        agent=AgentId(chance.choice(AGENTS)),
        symbol="S",
        instrument=chance.randrange(ROWS),
        side=chance.choice((Side.BUY, Side.SELL)),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        quantity=chance.randint(1, 9),
        limit=limit,
        worst_price=limit or 105,
        status=OrderStatus.WORKING,
        decision=Decision(status="accepted"),
        at=Nanos(0),
        slice=0,
        task_id=None,
        signal_id=None,
        key=str(number),
        limit_version=1,
        reduce_only=chance.random() < 0.1,
        stop=chance.choice([None, None, None, 100]),
    )


def holds(book: Book, accounts: dict[AgentId, Account]) -> None:
    for row in range(ROWS):
        for side in Side:
            there = [o for o in book.working.values() if (o.instrument, o.side) == (row, side)]
            assert book.limits(row, side) == Counter(o.limit for o in there)
            for name, owner in accounts.items():
                mine = [o for o in there if o.agent == name and not o.reduce_only]
                holding = owner.holdings.get(row)
                worst = 0
                if holding is not None:
                    worst = holding.buy_price if side is Side.BUY else holding.sell_price
                assert worst == max((o.worst_price for o in mine), default=0)


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_the_worst_prices_and_limits_of_a_book_are_those_of_its_orders(seed: int) -> None:
    chance, book = random.Random(seed), Book()
    accounts = {AgentId(name): account(name) for name in AGENTS}
    for number in range(1, 40):
        if chance.random() < 0.6 or not book.working:
            new = order(number, chance)
            book.add(new)
            reserve(accounts[new.agent], new)
        else:
            old = chance.choice(list(book.working.values()))
            freed = old.reserving
            book.end(old, OrderStatus.CANCELLED, at=Nanos(0))
            release(accounts[old.agent], old, quantity=freed, book=book)
        if chance.random() < 0.2 and book.working:
            aside = chance.choice(list(book.working.values()))
            before = list(book.working)
            book.set_aside(aside)
            book.put_back(aside)
            assert list(book.working) == before
        holds(book, accounts)


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_the_quick_look_misses_no_order_that_could_be_traded_with(seed: int) -> None:
    chance, book = random.Random(seed), Book()
    for number in range(1, 12):
        book.add(order(number, chance))
    limit = chance.choice([None, 98, 99, 100, 101])
    intent = Intent(
        buy=chance.random() < 0.5,
        market=limit is None,
        quantity=1,
        limit=limit,
        stop=chance.choice([None, None, 100]),
    )
    last = chance.choice([None, 99, 100])
    other = Side.SELL if intent.buy else Side.BUY
    if not may_cross(intent, book.limits(0, other), last=last):
        assert crossing(intent, book.inside(0), instrument=0, last=last) == []


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40),
    st.integers(1, 8),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_events_that_count_are_the_last_ones_inside_the_window(
    gaps: list[tuple[int, int]], most: int, window: int, bars: int
) -> None:
    breaker = Breaker(BreakerKind.RAPID_LOSS, Scope.DECK, "")
    at = slice_ = 0
    plain: list[tuple[int, int]] = []
    for later, further in gaps:
        at, slice_ = at + later, slice_ + further
        opens = count(breaker, at=Nanos(at), slice_=slice_, most=most, window=window, bars=bars)
        plain.append((at, slice_))
        plain = [e for e in plain if e[0] > at - window or e[1] > slice_ - bars][-most:]
        alone = [(when, bar) for when, bar, times in breaker.events for _ in range(times)]
        assert alone == plain
        assert opens == (len(plain) >= most)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=60))
def test_what_an_agent_did_in_the_window_is_the_sum_of_its_bars(did: list[tuple[int, int]]) -> None:
    window, slice_ = Agent(), 0
    for later, what in did:
        slice_ += later
        bar = window.bar(slice_)
        bar.sent, bar.accepted = bar.sent + 1, bar.accepted + (what > 0)
        bar.cancelled, bar.trades = bar.cancelled + (what > 1), bar.trades + (what > 2)
        for now in (slice_, slice_ + 1, slice_ + 7):
            there = [each for each in window.bars if each.slice > now - WINDOW_BARS]
            sums = window.sums(now)
            assert sums.slice == now
            assert (sums.sent, sums.accepted) == (
                sum(each.sent for each in there),
                sum(each.accepted for each in there),
            )
            assert (sums.cancelled, sums.trades) == (
                sum(each.cancelled for each in there),
                sum(each.trades for each in there),
            )
