"""Whatever is traded, the ledger sums to zero and the money is all accounted for."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.execution.core.amounts import Contract, fee_of
from quarterdeck.execution.core.ledger import (
    Account,
    Holding,
    Ledger,
    book_trade,
    books_agree,
    capital_lines,
    fill_lines,
    worth,
)
from quarterdeck.kernel.ids import AgentId

SHARES = (
    Contract(0, "AAA", 2, 0, 1, 1, 0, 10_000),
    Contract(1, "BBB", 3, 3, 1, 1, 0, 1),
)
CAPITAL = 100_000_000_000

trades = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(-500, 500).filter(bool),
        st.integers(1, 50_000),
    ),
    max_size=30,
)


def traded(history: list[tuple[int, int, int]], fee_parts: int) -> tuple[Account, Ledger]:
    agent = AgentId("a")
    account = Account(agent, 1, CAPITAL, CAPITAL, 0, 0, CAPITAL, CAPITAL)
    ledger = Ledger()
    ledger.post(capital_lines(agent, CAPITAL))
    for row, quantity, price in history:
        contract = SHARES[row]
        holding = account.holdings.setdefault(row, Holding())
        notional = quantity * price * contract.unit_value
        fee = fee_of(abs(notional), fee_parts)
        account.realised += book_trade(holding, quantity, price=price, contract=contract).realised
        account.cash -= notional + fee
        account.fees += fee
        ledger.post(
            fill_lines(agent, contract.symbol, quantity=quantity, notional=notional, fee=fee)
        )
    return account, ledger


@settings(max_examples=250)
@given(trades, st.integers(0, 1_000_000), st.tuples(st.integers(1, 50_000), st.integers(1, 50_000)))
def test_equity_is_capital_and_profit_less_fees_to_the_last_unit(
    history: list[tuple[int, int, int]], fee_parts: int, closes: tuple[int, int]
) -> None:
    account, ledger = traded(history, fee_parts)
    value = worth(account, dict(enumerate(closes)), SHARES)
    assert value.equity == account.capital + account.realised + value.unrealised - account.fees
    assert ledger.unbalanced == 0
    assert books_agree(ledger, [account], SHARES)


@settings(max_examples=250)
@given(trades)
def test_a_position_is_the_sum_of_its_fills(history: list[tuple[int, int, int]]) -> None:
    account, ledger = traded(history, 10_000)
    for contract in SHARES:
        total = sum(quantity for row, quantity, _ in history if row == contract.index)
        held = account.holdings.get(contract.index, Holding())
        assert held.quantity == total
        assert (held.quantity == 0) <= (held.cost == 0)
        assert held.cost * held.quantity >= 0
        key = (f"agent:a:position:{contract.symbol}", contract.symbol)
        assert ledger.balances.get(key, 0) == total


@settings(max_examples=250)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 9_999)), min_size=1, max_size=10),
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 9_999)), min_size=1, max_size=10),
)
def test_the_remainder_rule_loses_less_than_a_unit_per_fill(
    bought: list[tuple[int, int]], sold: list[tuple[int, int]]
) -> None:
    contract = SHARES[1]
    holding, realised, exact = Holding(), 0, Fraction(0)
    cost, quantity = Fraction(0), 0
    for amount, price in bought:
        book_trade(holding, amount, price=price, contract=contract)
        cost, quantity = cost + amount * price, quantity + amount
    for amount, price in sold:
        closing = min(amount, quantity)
        if not closing:
            break
        realised += book_trade(holding, -closing, price=price, contract=contract).realised
        exact += closing * price - cost * closing / quantity
        cost, quantity = cost - cost * closing / quantity, quantity - closing
    assert abs(realised - exact) <= len(sold)


@given(trades)
def test_an_entry_that_does_not_balance_is_noticed(history: list[tuple[int, int, int]]) -> None:
    account, ledger = traded(history, 0)
    ledger.post(capital_lines(AgentId("a"), 5)[:1])
    account.cash += 5
    assert not books_agree(ledger, [account], SHARES)
