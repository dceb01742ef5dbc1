"""What a slice does to the desk: fills, expiries, marks, and the windows that open anew."""

from __future__ import annotations

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import Contract, fee_of
from quarterdeck.execution.core.book import Order, release
from quarterdeck.execution.core.ledger import (
    Account,
    Closed,
    Holding,
    book_trade,
    capital_lines,
    fill_lines,
)
from quarterdeck.execution.core.session import Tally
from quarterdeck.execution.core.venue import Bar, fill_price
from quarterdeck.execution.model import EquityMarked, OrderCancelled, OrderFilled
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.ids import FillId
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.time import DAY
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.market.model import BarsClosed
from quarterdeck.runtime.sequencer import Step


def open_account(desk: Desk, joined: AgentRegistered, step: Step) -> None:
    """Give an agent its account and pay its capital in."""
    if joined.agent in desk.accounts:
        return
    capital = joined.capital_units
    account = Account(
        agent=joined.agent,
        number=len(desk.accounts) + 1,
        capital=capital,
        cash=capital,
        realised=0,
        fees=0,
        day_open=capital,
        marked=capital,
    )
    desk.accounts[joined.agent] = account
    desk.tallies.setdefault(joined.agent, Tally())
    store.write_account(step, account)
    store.write_tally(step, joined.agent, desk.tallies[joined.agent])
    store.write_entry(
        step,
        desk.ledger,
        entry=f"capital-{joined.agent}",
        scale=MONEY_SCALE,
        lines=capital_lines(joined.agent, capital),
        memo=f"capital of {joined.agent}",
    )
    step.record(
        desk.account, "capital_paid", agent=joined.agent, capital=text_of(capital, MONEY_SCALE)
    )


def close_slice(desk: Desk, bars: BarsClosed, step: Step) -> None:
    """Fill and expire working orders by the slice's bars, then mark every account at its closes."""
    arrived = {
        int(row): Bar(*units)
        for row, units in zip(bars.rows.tolist(), bars.price_units.tolist(), strict=True)
    }
    if bars.at // DAY != desk.session.at // DAY or desk.session.slice < 0:
        for account in desk.accounts.values():
            account.day_open = account.marked
    session = desk.session
    session.slice, session.at, session.timeframe = bars.index, bars.at, bars.timeframe
    session.warming_up, session.ended = bars.warming_up, bars.last
    store.write_session(step, session)
    for order in list(desk.book.working.values()):
        _work(desk, order, arrived.get(_instrument(order)), step=step)
    _mark_prices(desk, bars, arrived, step=step)
    _mark_accounts(desk, step)


def end_order(desk: Desk, order: Order, *, status: OrderStatus, reason: str, step: Step) -> None:
    """End a working order without a fill and free what it had reserved."""
    desk.book.end(order, status, at=step.at)
    release(desk.accounts[order.agent], order, book=desk.book)
    store.write_order_end(step, order)
    step.say(
        OrderCancelled(
            at=step.at,
            slice=step.slice,
            order_id=order.order_id,
            agent=order.agent,
            symbol=order.symbol,
            status=status,
            reason=reason,
        )
    )
    step.record(
        desk.account,
        f"order_{status.value}",
        order_id=order.order_id,
        agent=order.agent,
        symbol=order.symbol,
        slice=step.slice,
        reason=reason,
    )


def _instrument(order: Order) -> int:
    assert order.instrument is not None
    return order.instrument


def _work(desk: Desk, order: Order, bar: Bar | None, *, step: Step) -> None:
    waited = desk.session.slice - order.slice
    if waited < 1:
        return
    if bar is not None:
        price = fill_price(
            bar,
            desk.contracts[_instrument(order)],
            buy=order.side.sign > 0,
            limit=order.limit,
            spread_parts=desk.terms.spread_parts,
        )
        if price is not None:
            _fill(desk, order, price, step=step)
            return
    life = desk.terms.life_bars
    if waited >= life:
        reason = f"not filled within {life} bars"
        end_order(desk, order, status=OrderStatus.EXPIRED, reason=reason, step=step)


def _fill(desk: Desk, order: Order, price: int, *, step: Step) -> None:
    contract, account = desk.contracts[_instrument(order)], desk.accounts[order.agent]
    notional = price * order.quantity * contract.unit_value
    fee = fee_of(notional, desk.terms.fee_parts)
    desk.book.end(order, OrderStatus.FILLED, at=step.at)
    order.filled, order.value = order.quantity, notional
    release(account, order, book=desk.book)
    store.write_order_end(step, order)
    closed = _trade(account, order, price, contract=contract, fee=fee, step=step)
    tally = desk.tallies[account.agent]
    tally.filled += 1
    store.write_tally(step, account.agent, tally)
    filled = OrderFilled(
        at=step.at,
        slice=step.slice,
        fill_id=FillId(step.new_id("fill")),
        order_id=order.order_id,
        agent=account.agent,
        instrument=contract.index,
        symbol=contract.symbol,
        side=order.side,
        quantity_units=order.quantity,
        price_units=price,
        fee_units=fee,
        realised_units=closed.realised,
        closed=closed.quantity > 0,
        order_status=order.status,
    )
    desk.counters.fills += 1
    store.write_fill(step, filled, number=desk.counters.fills, account=desk.account)
    _book(desk, filled, contract=contract, step=step)
    step.say(filled)


def _trade(
    account: Account, order: Order, price: int, *, contract: Contract, fee: int, step: Step
) -> Closed:
    """Change the account by a fill; its row is written when the slice is marked."""
    holding = account.holdings.setdefault(contract.index, Holding())
    signed = order.side.sign * order.quantity
    closed = book_trade(holding, signed, price=price, contract=contract)
    store.write_position(step, account.agent, instrument=contract.index, holding=holding)
    if holding.empty:
        del account.holdings[contract.index]
    account.cash -= signed * price * contract.unit_value + fee
    account.realised += closed.realised
    account.fees += fee
    return closed


def _book(desk: Desk, fill: OrderFilled, *, contract: Contract, step: Step) -> None:
    """Enter a fill in the ledger and the audit chain."""
    signed = fill.side.sign * fill.quantity_units
    lines = fill_lines(
        fill.agent,
        fill.symbol,
        quantity=signed,
        notional=signed * fill.price_units * contract.unit_value,
        fee=fill.fee_units,
    )
    store.write_entry(
        step,
        desk.ledger,
        entry=fill.fill_id,
        lines=lines,
        scale=contract.quantity_scale,
        memo=f"{fill.side.value} {fill.symbol} for {fill.order_id}",
    )
    step.record(
        desk.account,
        "order_filled",
        order_id=fill.order_id,
        fill_id=fill.fill_id,
        agent=fill.agent,
        symbol=fill.symbol,
        side=fill.side.value,
        slice=fill.slice,
        quantity=text_of(fill.quantity_units, contract.quantity_scale),
        price=text_of(fill.price_units, contract.price_scale),
        fee=text_of(fill.fee_units, MONEY_SCALE),
    )


def _mark_prices(desk: Desk, bars: BarsClosed, arrived: dict[int, Bar], *, step: Step) -> None:
    missed = bars.missed.tolist()
    for contract in desk.contracts:
        row = contract.index
        bar = arrived.get(row)
        if bar is not None:
            desk.prices[row], desk.missed[row] = bar.close, 0
        elif row in desk.prices:
            desk.missed[row] = missed[row]
        else:
            continue
        step.write(
            "execution.mark_saved",
            instrument=row,
            price_units=desk.prices[row],
            missed=desk.missed[row],
        )


def _mark_accounts(desk: Desk, step: Step) -> None:
    accounts = tuple(desk.accounts.values())
    values = tuple(desk.worth_of(account) for account in accounts)
    exposure: dict[str, float | None] = {}
    refusals: dict[str, float | None] = {}
    for account, value in zip(accounts, values, strict=True):
        account.marked, account.orders_in_bar = value.equity, 0
        store.write_account(step, account)
        # Against no equity or a debt, exposure has no ratio.
        exposure[account.agent] = value.gross / value.equity if value.equity > 0 else None
        refusals[account.agent] = float(desk.tallies[account.agent].refused_recently)
    for agent, tally in desk.tallies.items():
        if tally.refused_recently:
            tally.refused_recently = 0
            store.write_tally(step, agent, tally)
    step.say(
        EquityMarked(
            at=step.at,
            slice=step.slice,
            agents=tuple(account.agent for account in accounts),
            cash_units=tuple(account.cash for account in accounts),
            equity_units=tuple(value.equity for value in values),
            realised_units=tuple(account.realised for account in accounts),
            unrealised_units=tuple(value.unrealised for value in values),
            gross_units=tuple(value.gross for value in values),
        )
    )
    step.say(NumbersPublished(name="execution.gross_exposure_ratio", values=exposure))
    step.say(NumbersPublished(name="execution.refusals_count", values=refusals))
