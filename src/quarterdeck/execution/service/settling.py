"""What a slice does to the desk: fills, expiries, marks, and the windows that open anew."""

from __future__ import annotations

import math
from collections.abc import Sequence

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.carry import carry_of
from quarterdeck.execution.core.ledger import Account, capital_lines, funding_lines
from quarterdeck.execution.core.session import Tally
from quarterdeck.execution.core.signals import Signal
from quarterdeck.execution.core.venue import Bar
from quarterdeck.execution.model import EquityMarked, HoldingCharged
from quarterdeck.execution.service.breakers import (
    open_breakers,
    open_market_breakers,
    watch_bar,
    watch_close,
)
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.service.matching import work_orders
from quarterdeck.execution.service.signals import expire_signals
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
    arrived = bars_of(desk.contracts, bars)
    days = bars.at // DAY - desk.session.at // DAY
    if days or desk.session.slice < 0:
        for account in desk.accounts.values():
            account.day_open = account.marked
    if desk.session.slice >= 0 and days > 0 and not desk.remote:
        _carry(desk, days, step=step)
    session = desk.session
    session.slice, session.at, session.timeframe = bars.index, bars.at, bars.timeframe
    session.warming_up, session.ended = bars.warming_up, bars.last
    store.write_session(step, session)
    work_orders(desk, arrived, step)
    _drop(desk, expire_signals(desk, step), step=step)
    _mark_prices(desk, bars, arrived, step=step)
    _mark_accounts(desk, step)
    watch_close(desk, step=step)
    step.say(NumbersPublished(name="execution.breakers_count", values=open_breakers(desk)))
    markets = open_market_breakers(desk)
    if markets:
        step.say(NumbersPublished(name="execution.market_breakers_count", values=markets))


def _carry(desk: Desk, days: int, *, step: Step) -> None:
    """Charge every account what its positions have cost since the last day, at the last closes."""
    for account in desk.accounts.values():
        costs = {
            row: carry_of(
                holding.quantity,
                desk.prices[row],
                contract=desk.contracts[row],
                assumed=desk.assumptions[row],
                days=days,
            )
            for row, holding in account.holdings.items()
            if holding.quantity
        }
        if not any(costs.values()):
            continue
        cost = sum(costs.values())
        account.cash -= cost
        store.write_entry(
            step,
            desk.ledger,
            entry=step.new_id("carry"),
            scale=MONEY_SCALE,
            lines=funding_lines(account.agent, cost),
            memo=f"{days} days of holding",
        )
        step.record(
            desk.account,
            "holding_charged",
            agent=account.agent,
            slice=step.slice,
            days=days,
            cost=text_of(cost, MONEY_SCALE),
        )
        step.say(
            HoldingCharged(
                at=step.at,
                slice=step.slice,
                agent=account.agent,
                instruments=tuple(costs),
                cost_units=tuple(costs.values()),
            )
        )


def _drop(desk: Desk, expired: Sequence[Signal], *, step: Step) -> None:
    """End what follows a signal that is over and has not left for the venue: it would be late."""
    for signal in expired:
        for order in desk.book.of(signal.agent):
            if order.status is OrderStatus.INTENT and order.signal_id == signal.signal_id:
                reason = "its signal expired before it left"
                end_order(desk, order, status=OrderStatus.EXPIRED, reason=reason, step=step)


def bars_of(contracts: Sequence[Contract], bars: BarsClosed) -> dict[int, Bar]:
    """Return the slice's bars; a volume or spread that the source does not have is ``None``."""
    found = {}
    rows = bars.rows.tolist()
    spreads = [-1] * len(rows) if bars.spread_units is None else bars.spread_units.tolist()
    trades = _trades_of(contracts, bars)
    for row, units, volume, spread in zip(
        rows, bars.price_units.tolist(), bars.volume.tolist(), spreads, strict=True
    ):
        scale = contracts[row].quantity_scale
        whole = None if math.isnan(volume) else int(volume * 10**scale)
        opened, high, low, close = units
        quoted = None if spread < 0 else spread
        found[row] = Bar(opened, high, low, close, whole, quoted, trades.get(row))
    return found


def _trades_of(
    contracts: Sequence[Contract], bars: BarsClosed
) -> dict[int, tuple[tuple[int, int], ...]]:
    """Return the trades of each row that has any, in its units; less than a unit is none."""
    if bars.trades is None:
        return {}
    found, first = {}, 0
    prices, sizes = bars.trades.price_units.tolist(), bars.trades.size.tolist()
    for row, count in zip(bars.rows.tolist(), bars.trades.counts.tolist(), strict=True):
        units = 10 ** contracts[row].quantity_scale
        last = first + count
        if count:
            whole = (int(size * units) for size in sizes[first:last])
            found[row] = tuple(zip(prices[first:last], whole, strict=True))
        first = last
    return found


def _mark_prices(desk: Desk, bars: BarsClosed, arrived: dict[int, Bar], *, step: Step) -> None:
    missed = bars.missed.tolist()
    desk.exposure.reprice()
    for contract in desk.contracts:
        row = contract.index
        bar = arrived.get(row)
        if bar is not None:
            desk.prices[row], desk.missed[row] = bar.close, 0
            watch_bar(desk, row, close=bar.close, volume=bar.volume, step=step)
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
