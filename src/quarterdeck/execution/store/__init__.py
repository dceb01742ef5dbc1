"""Between memory and the database: rows out of values, values out of rows, units to decimals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from quarterdeck.execution.core.amounts import (
    BASE_CURRENCY,
    Contract,
    Terms,
    decimal_of,
    money_up,
    parts_down,
    parts_of_bps,
)
from quarterdeck.execution.core.book import RECENT_ORDERS, Order
from quarterdeck.execution.core.ledger import Account, Holding, Ledger, Line
from quarterdeck.execution.core.session import Session, Tally
from quarterdeck.execution.core.venue import Assumptions
from quarterdeck.execution.model import (
    Decision,
    FillView,
    LedgerLine,
    OrderFilled,
    OrderView,
)
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId, FillId, OrderId
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import (
    Leg,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from quarterdeck.runtime.config import LimitsSection, PaperModel, PaperSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

Row = Mapping[str, Any]


def terms_of(limits: LimitsSection, paper: PaperSection) -> Terms:
    """Return the configured limits and assumptions as integers, limits rounded to the tight side.

    What the gate keeps for spread and fee is the dearest of all instruments.
    """
    every = (paper, *(_modelled(paper, model) for model in paper.models))
    return Terms(
        order_notional=to_units(
            limits.max_order_notional, scale=MONEY_SCALE, field="limits.max_order_notional"
        ),
        position_notional=to_units(
            limits.max_position_notional, scale=MONEY_SCALE, field="limits.max_position_notional"
        ),
        gross_parts=parts_down(limits.max_gross_exposure_ratio),
        orders_per_bar=limits.max_orders_per_bar,
        loss_parts=parts_down(limits.max_daily_loss_fraction),
        collar_parts=parts_down(limits.price_collar_fraction),
        missed_bars=limits.max_missed_bars,
        fee_parts=parts_of_bps(max(each.fee_bps for each in every)),
        spread_parts=parts_of_bps(max(each.half_spread_bps for each in every)),
        life_bars=paper.order_life_bars,
        least_fee=money_up(max(each.min_fee_usd for each in every)),
    )


def assumptions_of(paper: PaperSection, symbols: Collection[str]) -> tuple[Assumptions, ...]:
    """Return what the paper venue assumes of each instrument, as integers.

    Raises
    ------
    InvalidInput
        If a model names an instrument that there is not, or that another has named.
    """
    models: dict[str, PaperModel] = {}
    for model in paper.models:
        for symbol in model.symbols:
            if symbol not in symbols or symbol in models:
                accepted = f"each of {', '.join(symbols)} at most once"[:400]
                raise InvalidInput.of(f"paper.models {model.name}", symbol[:64], accepted)
            models[symbol] = model
    return tuple(
        assumed_of(_modelled(paper, models[symbol]) if symbol in models else paper)
        for symbol in symbols
    )


def _modelled(paper: PaperSection, model: PaperModel) -> PaperSection:
    said = msgspec.structs.asdict(model)
    named = {key: said[key] for key in said if key not in ("name", "symbols")}
    return msgspec.structs.replace(
        paper, **{key: value for key, value in named.items() if value is not None}
    )


def assumed_of(paper: PaperSection) -> Assumptions:
    """Return what the paper venue assumes where no model says otherwise, as integers."""
    return Assumptions(
        spread_parts=parts_of_bps(paper.half_spread_bps),
        taker_parts=parts_of_bps(paper.fee_bps),
        maker_parts=parts_of_bps(paper.fee_bps * paper.maker_fee_fraction),
        participation_parts=parts_down(paper.max_participation_fraction),
        impact_parts=parts_of_bps(paper.impact_bps),
        queue_parts=parts_down(paper.queue_fill_fraction),
        latency_bars=paper.latency_bars,
        life_bars=paper.order_life_bars,
        funding_parts=parts_of_bps(paper.funding_bps_per_day),
        borrow_parts=parts_of_bps(paper.borrow_bps_per_year),
        unit_fee=money_up(paper.unit_fee_usd),
        least_fee=money_up(paper.min_fee_usd),
        fee_in_asset=paper.fee_in_asset,
    )


def write_session(step: Step, session: Session) -> None:
    """Write where trading stands."""
    step.write(
        "execution.session_saved",
        slice=session.slice,
        at=session.at,
        timeframe=session.timeframe,
        warming_up=int(session.warming_up),
        ended=int(session.ended),
        acknowledged=session.acknowledged,
        handled=session.handled,
        account_stopped=int(session.account_stopped),
        account_stops=session.account_stops,
    )


def read_session(reader: Reader) -> Session:
    """Return where trading stood."""
    for row in reader.rows("execution.session"):
        return Session(
            slice=row["slice"],
            at=Nanos(row["at"]),
            timeframe=row["timeframe"],
            warming_up=bool(row["warming_up"]),
            ended=bool(row["ended"]),
            acknowledged=row["acknowledged"],
            handled=row["handled"],
            account_stopped=bool(row["account_stopped"]),
            account_stops=row["account_stops"],
        )
    return Session()


def write_account(step: Step, account: Account) -> None:
    """Write an account's money and windows."""
    step.put(
        "execution.account_saved",
        account.agent,
        row=lambda: {
            "agent": account.agent,
            "number": account.number,
            "capital_units": account.capital,
            "cash_units": account.cash,
            "realised_units": account.realised,
            "fees_units": account.fees,
            "day_open_units": account.day_open,
            "marked_units": account.marked,
            "stops": account.stops,
            "stopped": int(account.stopped),
            "orders_in_bar": account.orders_in_bar,
        },
    )


def write_position(step: Step, agent: AgentId, *, instrument: int, holding: Holding) -> None:
    """Write a position; a closed one stays as a row of zeros."""
    step.put(
        "execution.position_saved",
        agent,
        instrument,
        row=lambda: {
            "agent": agent,
            "instrument": instrument,
            "quantity_units": holding.quantity,
            "cost_units": holding.cost,
        },
    )


def read_accounts(reader: Reader) -> dict[AgentId, Account]:
    """Return all accounts with their positions, in the order of their registration."""
    accounts = {}
    for row in reader.rows("execution.accounts"):
        agent = AgentId(row["agent"])
        accounts[agent] = Account(
            agent=agent,
            number=row["number"],
            capital=row["capital_units"],
            cash=row["cash_units"],
            realised=row["realised_units"],
            fees=row["fees_units"],
            day_open=row["day_open_units"],
            marked=row["marked_units"],
            stops=row["stops"],
            stopped=bool(row["stopped"]),
            orders_in_bar=row["orders_in_bar"],
        )
    for row in reader.rows("execution.positions"):
        accounts[AgentId(row["agent"])].holdings[row["instrument"]] = Holding(
            quantity=row["quantity_units"], cost=row["cost_units"]
        )
    return accounts


def write_tally(step: Step, agent: AgentId, tally: Tally) -> None:
    """Write a caller's counts; those by code are written where they change."""
    step.put(
        "execution.tally_saved",
        agent,
        row=lambda: {
            "agent": agent,
            "accepted": tally.accepted,
            "refused": tally.refused,
            "filled": tally.filled,
            "refused_recently": tally.refused_recently,
        },
    )


def read_tallies(reader: Reader) -> dict[AgentId, Tally]:
    """Return every caller's counts."""
    tallies = {
        AgentId(row["agent"]): Tally(
            row["accepted"], row["refused"], row["filled"], row["refused_recently"]
        )
        for row in reader.rows("execution.tallies")
    }
    for row in reader.rows("execution.refusals"):
        tallies[AgentId(row["agent"])].refusals[row["code"]] = row["orders"]
    return tallies


def write_order(step: Step, order: Order, *, account: str) -> None:
    """Write a new order."""
    step.write(
        "execution.order_saved",
        number=order.number,
        order_id=order.order_id,
        account=account,
        agent=order.agent,
        symbol=order.symbol,
        instrument=order.instrument,
        side=order.side.value,
        type=order.type.value,
        quantity_units=order.quantity,
        limit_units=order.limit,
        worst_units=order.worst_price,
        status=order.status.value,
        decision=msgspec.json.encode(order.decision).decode(),
        at=order.at,
        slice=order.slice,
        final_at=order.final_at,
        task_id=order.task_id,
        signal_id=order.signal_id,
        idempotency_key=order.key,
        limit_version=order.limit_version,
        stop_units=order.stop,
        time_in_force=order.time_in_force.value,
        reduce_only=int(order.reduce_only),
        post_only=int(order.post_only),
        triggered=int(order.triggered),
        stop_loss_units=order.stop_loss,
        take_profit_units=order.take_profit,
        parent_id=order.parent,
        leg=None if order.leg is None else order.leg.value,
        replaces=order.replaces,
        live_slice=order.live_slice,
        session_day=order.session_day,
        epoch=order.epoch,
        covered_units=order.covered,
        commission_units=order.commission,
    )


def write_order_change(step: Step, order: Order) -> None:
    """Write what has become of an order."""
    step.write(
        "execution.order_changed",
        number=order.number,
        status=order.status.value,
        quantity_units=order.quantity,
        filled_units=order.filled,
        value_units=order.value,
        final_at=order.final_at,
        triggered=int(order.triggered),
        live_slice=order.live_slice,
        session_day=order.session_day,
        sent_units=order.sent,
        ending=order.ending,
        covered_units=order.covered,
        commission_units=order.commission,
    )


def order_of(row: Row) -> Order:
    """Return the order in ``row``."""
    return Order(
        number=row["number"],
        order_id=OrderId(row["order_id"]),
        agent=AgentId(row["agent"]),
        symbol=row["symbol"],
        instrument=row["instrument"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        quantity=row["quantity_units"],
        limit=row["limit_units"],
        worst_price=row["worst_units"],
        status=OrderStatus(row["status"]),
        decision=msgspec.json.decode(row["decision"], type=Decision),
        at=Nanos(row["at"]),
        slice=row["slice"],
        task_id=row["task_id"],
        signal_id=row["signal_id"],
        key=row["idempotency_key"],
        limit_version=row["limit_version"],
        filled=row["filled_units"],
        value=row["value_units"],
        final_at=None if row["final_at"] is None else Nanos(row["final_at"]),
        stop=row["stop_units"],
        time_in_force=TimeInForce(row["time_in_force"]),
        reduce_only=bool(row["reduce_only"]),
        post_only=bool(row["post_only"]),
        triggered=bool(row["triggered"]),
        stop_loss=row["stop_loss_units"],
        take_profit=row["take_profit_units"],
        parent=None if row["parent_id"] is None else OrderId(row["parent_id"]),
        leg=None if row["leg"] is None else Leg(row["leg"]),
        replaces=None if row["replaces"] is None else OrderId(row["replaces"]),
        live_slice=row["live_slice"],
        session_day=row["session_day"],
        epoch=row["epoch"],
        sent=row["sent_units"],
        ending=row["ending"],
        covered=row["covered_units"],
        commission=row["commission_units"],
    )


def read_orders(reader: Reader) -> list[Order]:
    """Return the orders that memory keeps, oldest first."""
    rows = reader.rows("execution.remembered_orders", recent=RECENT_ORDERS)
    return [order_of(row) for row in rows]


def order_view(order: Order, contracts: Sequence[Contract]) -> OrderView:
    """Return ``order`` with decimals."""
    contract = None if order.instrument is None else contracts[order.instrument]
    price_scale = 0 if contract is None else contract.price_scale
    quantity_scale = 0 if contract is None else contract.quantity_scale

    def price(units: int | None) -> Decimal | None:
        return None if units is None else decimal_of(units, price_scale)

    average = None
    if order.filled and contract is not None:
        average = decimal_of(order.value // (order.filled * contract.unit_value), price_scale)
    return OrderView(
        order_id=order.order_id,
        agent=order.agent,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=decimal_of(order.quantity, quantity_scale),
        limit_price=price(order.limit),
        filled=decimal_of(order.filled, quantity_scale),
        average_price=average,
        status=order.status,
        decision=order.decision,
        submitted_at=rfc3339(order.at),
        slice=order.slice,
        final_at=None if order.final_at is None else rfc3339(order.final_at),
        task_id=order.task_id,
        signal_id=order.signal_id,
        idempotency_key=order.key,
        limit_version=order.limit_version,
        stop_price=price(order.stop),
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        triggered=order.triggered,
        stop_loss=price(order.stop_loss),
        take_profit=price(order.take_profit),
        parent_id=order.parent,
        leg=order.leg,
        replaces=order.replaces,
    )


def write_fill(step: Step, fill: OrderFilled, *, number: int, account: str) -> None:
    """Write a fill."""
    step.write(
        "execution.fill_saved",
        number=number,
        fill_id=fill.fill_id,
        account=account,
        order_id=fill.order_id,
        agent=fill.agent,
        symbol=fill.symbol,
        instrument=fill.instrument,
        side=fill.side.value,
        quantity_units=fill.quantity_units,
        price_units=fill.price_units,
        fee_units=fill.fee_units,
        fee_asset_units=fill.fee_asset_units,
        realised_units=fill.realised_units,
        at=fill.at,
        slice=fill.slice,
    )


def fill_view(row: Row, contracts: Sequence[Contract]) -> FillView:
    """Return the fill in ``row`` with decimals."""
    contract = contracts[row["instrument"]]
    return FillView(
        number=row["number"],
        fill_id=FillId(row["fill_id"]),
        order_id=OrderId(row["order_id"]),
        agent=AgentId(row["agent"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=decimal_of(row["quantity_units"], contract.quantity_scale),
        price=decimal_of(row["price_units"], contract.price_scale),
        fee=decimal_of(row["fee_units"], MONEY_SCALE),
        fee_asset=decimal_of(row["fee_asset_units"], contract.quantity_scale),
        realised=decimal_of(row["realised_units"], MONEY_SCALE),
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
    )


def write_entry(
    step: Step, ledger: Ledger, *, entry: str, lines: Sequence[Line], scale: int, memo: str
) -> None:
    """Post an entry to ``ledger`` and write its lines; ``scale`` is that of the units traded."""
    for number, line in enumerate(lines, start=ledger.post(lines)):
        step.write(
            "execution.line_saved",
            number=number,
            entry=entry,
            at=step.at,
            account=line.account,
            asset=line.asset,
            amount_units=line.amount,
            scale=MONEY_SCALE if line.asset == BASE_CURRENCY else scale,
            memo=memo,
        )


def line_view(row: Row) -> LedgerLine:
    """Return the ledger line in ``row`` with decimals."""
    return LedgerLine(
        number=row["number"],
        entry=row["entry"],
        at=rfc3339(Nanos(row["at"])),
        account=row["account"],
        asset=row["asset"],
        amount=decimal_of(row["amount_units"], row["scale"]),
        memo=row["memo"],
    )


def read_ledger(reader: Reader) -> Ledger:
    """Return the balances, and how many entries do not sum to zero, from the lines themselves."""
    balances = {
        (row["account"], row["asset"]): int(row["amount_units"])
        for row in reader.rows("execution.balances")
    }
    broken = {row["entry"] for row in reader.rows("execution.unbalanced_entries")}
    lines = next(iter(reader.rows("execution.last_numbers")))["lines"]
    return Ledger(balances=balances, lines=lines, unbalanced=len(broken))
