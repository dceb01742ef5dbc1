"""The parts of profit and loss are the ledger's, to the last unit, whatever happens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.execution.model import GetFills
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.portfolio.core.attribution import (
    Book,
    strategy_of,
    take_fill,
    totals,
    turn,
    valued,
)
from quarterdeck.portfolio.model import GetAttribution
from quarterdeck.portfolio.service.attributing import GROUPINGS, view_of
from quarterdeck.runtime.config import PaperSection
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

AGENTS, REGIMES = ("a", "b"), ("ranging", "volatile", "breakout")
MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("fill"),
            st.sampled_from(AGENTS),
            st.integers(0, 2),
            st.integers(-50, 50).filter(bool),
            st.integers(1, 10_000),
            st.integers(0, 99),
        ),
        st.tuples(
            st.just("turn"), st.sampled_from(REGIMES), st.integers(0, 2), st.integers(1, 10_000)
        ),
    ),
    max_size=60,
)


@given(MOVES, st.tuples(*(st.integers(1, 10_000) for _ in range(3))))
def test_parts_add_up_to_cash_and_stakes_after_any_fills_and_changes(
    moves: list[tuple], marks: tuple[int, int, int]
) -> None:
    book, cash, held = Book(), dict.fromkeys(AGENTS, 0), {}
    for move in moves:
        if move[0] == "turn":
            turn(book, move[2], regime=move[1], worth=move[3])
            continue
        _, agent, instrument, quantity, price, fee = move
        take_fill(
            book,
            agent=agent,
            instrument=instrument,
            quantity=quantity,
            value=quantity * price,
            fee=fee,
        )
        cash[agent] -= quantity * price + fee
        held[agent, instrument] = held.get((agent, instrument), 0) + quantity
    worths = dict(enumerate(marks))
    earned = totals(book, worths)
    for agent in AGENTS:
        stakes = sum(n * worths[i] for (who, i), n in held.items() if who == agent)
        assert earned.get(agent, 0) == cash[agent] + stakes
    assert {key for key, n in held.items() if n} == set(book.stakes)


def test_a_gain_belongs_to_the_regime_it_was_made_in() -> None:
    book = Book()
    take_fill(book, agent="a", instrument=0, quantity=10, value=1_000, fee=3)
    turn(book, 0, regime="volatile", worth=120)
    take_fill(book, agent="a", instrument=0, quantity=-10, value=-900, fee=4)
    found = {key.regime: (cell.gain, cell.cost) for key, cell in valued(book, {0: 90})}
    assert found == {"undetermined": (200, 3), "volatile": (-300, 4)}
    assert totals(book, {0: 1}) == {"a": -107}


def test_an_agent_without_a_trading_capability_has_no_strategy() -> None:
    assert strategy_of(()) == "none"
    assert strategy_of(("risk-sweep",)) == "none"


def test_every_grouping_adds_up_and_an_unknown_one_is_refused() -> None:
    book = Book(strategies={"a": "trend", "b": "breakout"})
    for agent, instrument, quantity in (("a", 0, 5), ("b", 1, -3), ("a", 1, 2)):
        take_fill(
            book,
            agent=agent,
            instrument=instrument,
            quantity=quantity,
            value=quantity * 100,
            fee=1,
        )
    turn(book, 1, regime="volatile", worth=90)
    worths = {0: 110, 1: 80}
    named = {"symbols": ("X", "Y"), "sectors": ("tech", "other")}
    covariance = np.array([[4.0, 1.0], [1.0, 9.0]])
    views = [
        view_of(book, by=by, worths=worths, covariance=covariance, **named) for by in GROUPINGS
    ]
    whole = sum(totals(book, worths).values())
    for view in views:
        assert from_units(whole, MONEY_SCALE) == view.net == sum(row.net for row in view.rows)
        assert sum(row.risk_share or 0.0 for row in view.rows) == pytest.approx(1.0)
    assert {row.name for row in views[1].rows} == {"trend", "breakout"}
    assert {row.name for row in views[2].rows} == {"X", "Y"}
    assert {row.name for row in views[3].rows} == {"tech", "other"}
    blind = view_of(book, by="agent", worths=worths, covariance=None, **named)
    assert {row.risk_share for row in blind.rows} == {None}
    with pytest.raises(InvalidInput, match="agent, strategy, symbol, sector, regime"):
        view_of(book, by="colour", worths=worths, covariance=None, **named)


@pytest.mark.parametrize(
    "assumed",
    [
        {"funding_bps_per_day": 7.0},
        {"funding_bps_per_day": -3.0, "borrow_bps_per_year": 900.0},
        {"fee_in_asset": True, "fee_bps": 300.0},
        {"fee_in_asset": True, "fee_bps": 300.0, "funding_bps_per_day": 7.0},
    ],
)
def test_what_holding_costs_and_fees_kept_in_what_was_bought_are_in_the_parts(
    assumed: dict[str, float],
) -> None:
    deck = RebalancingDeck(paper=PaperSection(**{"fee_bps": 5.0, **assumed}))
    deck.bar()
    for symbol, side, quantity in (("AAA", "buy", 300), ("BBB", "sell", 200), ("CCC", "buy", 50)):
        deck.order(symbol, side, quantity, by="mine")
    deck.walk(9)
    deck.order("AAA", "sell", 100, by="mine")
    deck.walk(9, seed=2)
    fills = deck.ask(GetFills(limit=100)).fills
    assert len(fills) == 4
    kept = sum(each.fee_asset for each in fills)
    assert (kept > 0) is ("fee_in_asset" in assumed)
    account = deck.rebalancing.accounts.holdings("mine")
    gained = account.equity - account.capital
    assert deck.portfolio.earned() == {"mine": gained}
    assert deck.portfolio.parts_earned() == gained
    for by in GROUPINGS:
        view = deck.portfolio.attribution(GetAttribution(by=by), OPERATOR_CALLER)
        assert view.net == sum(row.net for row in view.rows) == from_units(gained, MONEY_SCALE)
    digest = deck.digest()
    deck.restart()
    assert deck.digest() == digest
    assert deck.portfolio.earned() == {"mine": gained}
