"""No unit of money appears or vanishes between fills and results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.performance.core.trades import (
    Position,
    apply_fill,
    unrealised,
)

FILL = st.tuples(
    st.integers(-50, 50).filter(bool), st.integers(0, 10**12), st.integers(-1_000, 10**6)
)


@given(st.lists(FILL, min_size=1, max_size=40))
def test_when_flat_the_round_trips_are_exactly_the_cash_that_came_in(
    fills: list[tuple[int, int, int]],
) -> None:
    position, cash, closed, realised, fees = Position(), 0, 0, 0, 0
    flat = -sum(quantity for quantity, _, _ in fills)
    for quantity, notional, fee in [*fills, *([(flat, 777, 5)] if flat else [])]:
        booked = apply_fill(position, quantity=quantity, notional=notional, fee=fee)
        cash += (-notional if quantity > 0 else notional) - fee
        fees += fee
        realised += booked.realised
        closed += booked.closed or 0
        position = booked.position
        # At every moment: cash = results so far + what is tied up in the open position.
        assert cash == closed + position.round_trip - position.cost
        assert realised - fees - position.cost == cash
    assert position == Position()
    assert cash == closed == realised - fees


@given(st.lists(FILL, min_size=1, max_size=30))
def test_the_mirror_image_earns_the_opposite(fills: list[tuple[int, int, int]]) -> None:
    long, short = Position(), Position()
    for quantity, notional, _ in fills:
        bought = apply_fill(long, quantity=quantity, notional=notional, fee=0)
        sold = apply_fill(short, quantity=-quantity, notional=notional, fee=0)
        assert bought.realised == -sold.realised
        long, short = bought.position, sold.position


def test_a_partial_sale_realises_against_the_average_cost() -> None:
    position = apply_fill(Position(), quantity=10, notional=1_000, fee=3).position
    position = apply_fill(position, quantity=10, notional=2_000, fee=3).position
    booked = apply_fill(position, quantity=-5, notional=1_000, fee=2)
    assert booked.realised == 250
    assert booked.closed is None
    assert booked.position == Position(quantity=15, cost=2_250, round_trip=242)


def test_a_short_earns_when_the_price_falls() -> None:
    short = apply_fill(Position(), quantity=-4, notional=400, fee=1).position
    assert short == Position(quantity=-4, cost=-400, round_trip=-1)
    assert unrealised(short, mark_notional=360) == 40
    booked = apply_fill(short, quantity=4, notional=360, fee=1)
    assert (booked.realised, booked.closed) == (40, 38)


def test_a_fill_through_zero_closes_one_trade_and_opens_the_next() -> None:
    long = apply_fill(Position(), quantity=2, notional=200, fee=0).position
    booked = apply_fill(long, quantity=-5, notional=600, fee=10)
    assert booked.realised == 40
    assert booked.closed == 36
    assert booked.position == Position(quantity=-3, cost=-360, round_trip=-6)


def test_an_open_position_is_worth_its_mark_less_its_cost() -> None:
    long = apply_fill(Position(), quantity=3, notional=300, fee=9).position
    assert unrealised(long, mark_notional=330) == 30
    assert unrealised(Position(), mark_notional=0) == 0


def test_a_fill_of_nothing_or_of_negative_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="quantity"):
        apply_fill(Position(), quantity=0, notional=1, fee=0)
    with pytest.raises(InvalidInput, match="notional"):
        apply_fill(Position(), quantity=1, notional=-1, fee=0)
