"""What execution answers is what it did, exact and page by page."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.api import OPERATIONS
from quarterdeck.execution.api.history import GetDecisions
from quarterdeck.execution.model import (
    PUBLISHED,
    CancelOrder,
    DemandKeepAlive,
    EquityMarked,
    GetAccounts,
    GetExecutionReport,
    GetFills,
    GetGate,
    GetGateNow,
    GetLedger,
    GetOrder,
    GetOrders,
    GetPositions,
    GetSignals,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    RaiseStop,
    SubmitSignal,
)
from quarterdeck.kernel.errors import DomainError, InvalidInput, NotFound, NotPermitted
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import PaperSection
from quarterdeck.runtime.policy import Permission, Registry
from quarterdeck.runtime.state import State
from tests.unit.execution.deck import Deck, agent_caller, open_deck

FREE = PaperSection(half_spread_bps=0.0, fee_bps=0.0)


def signal(**changes: object) -> SubmitSignal:
    fields = {
        "idempotency_key": "s",
        "symbol": "AAA",
        "direction": "long",
        "strength": 0.5,
        "horizon_bars": 10,
    }
    return SubmitSignal(**(fields | changes))  # type: ignore[arg-type]


def test_every_attribute_declares_what_it_is() -> None:
    service = open_deck().service
    assert set(vars(service)) == set(service.state)
    assert set(service.state.values()) <= set(State)


def test_the_operations_fit_one_registry_and_one_input_each() -> None:
    registry = Registry()
    registry.add(OPERATIONS)
    assert len({operation.input for operation in OPERATIONS}) == len(OPERATIONS)
    assert {operation.tool for operation in OPERATIONS if operation.tool} == {
        "submit_order",
        "preview_order",
        "cancel_order",
        "submit_signal",
        "get_limits",
        "get_breakers",
        "cancel_signal",
        "get_signals",
        "replace_order",
        "get_conflicts",
        "get_drill",
        "keep_alive",
    }


def test_an_account_starts_with_its_capital_booked_once() -> None:
    deck = Deck()
    deck.join("a")
    deck.join("a")
    (account,) = deck.ask(GetAccounts()).accounts
    assert (account.capital, account.cash, account.equity, account.daily_pnl) == (
        100_000,
        100_000,
        100_000,
        0,
    )
    assert len(deck.ask(GetLedger()).lines) == 2


def test_a_round_trip_shows_in_positions_accounts_fills_and_ledger() -> None:
    deck = open_deck(paper=PaperSection(half_spread_bps=0.0, fee_bps=10.0))
    deck.order("AAA", "buy", 30)
    deck.bars({0: (10_100, 10_100, 10_100, 10_200)})
    (position,) = deck.ask(GetPositions(agent="a")).positions
    assert (position.quantity, position.average_price, position.last_price) == (30, 101, 102)
    assert (position.value, position.unrealised) == (3_060, 30)
    deck.order("AAA", "sell", 40)
    deck.bars({0: 10_300})
    (closing,) = deck.said(OrderFilled)
    assert (closing.realised_units, closing.closed) == (60_000_000, True)
    (position,) = deck.ask(GetPositions()).positions
    assert (position.quantity, position.average_price) == (-10, 103)
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.realised == 60
    assert account.fees == Decimal("3.03") + Decimal("4.12")
    assert account.equity == account.capital + 60 - account.fees
    fills = deck.ask(GetFills(symbol="AAA"))
    assert [fill.realised for fill in fills.fills] == [60, 0]
    lines = deck.ask(GetLedger(limit=5)).lines
    assert {line.entry for line in lines} == {fills.fills[0].fill_id}
    by_asset: dict[str, Decimal] = {}
    for line in lines:
        by_asset[line.asset] = by_asset.get(line.asset, Decimal(0)) + line.amount
    assert by_asset == {"USD": 0, "AAA": 0}


def test_a_slice_says_fills_then_marks_then_numbers() -> None:
    deck = open_deck(paper=FREE)
    deck.order("AAA", "buy", 200)
    deck.order("AAA", "buy", 10**6)
    deck.bars({0: 10_000})
    kinds = [type(message).__name__ for message in deck.last.messages]
    assert kinds == [
        "BarsClosed",
        "OrderFilled",
        "EquityMarked",
        "NumbersPublished",
        "NumbersPublished",
        "NumbersPublished",
    ]
    (marked,) = deck.said(EquityMarked)
    assert marked.agents == ("a",)
    assert marked.gross_units == (20_000_000_000,)
    values = {said.name: said.values["a"] for said in deck.said(NumbersPublished)}
    assert values == {
        "execution.gross_exposure_ratio": 0.2,
        "execution.refusals_count": 1.0,
        "execution.breakers_count": 0.0,
    }
    assert set(values) == {number.name for number in PUBLISHED if number.subject == "agent"}
    deck.bars({0: 10_000})
    assert deck.said(NumbersPublished)[1].values == {"a": 0.0}


def test_each_decision_is_said_with_its_view() -> None:
    deck = open_deck()
    view = deck.order("AAA", "buy", 1)
    assert [said.order for said in deck.said(OrderAccepted)] == [view]
    view = deck.order("AAA", "buy", 10**6)
    assert [said.order for said in deck.said(OrderRefused)] == [view]


def test_orders_come_newest_first_page_by_page_and_filtered() -> None:
    deck = open_deck()
    for quantity in (1, 10**6, 2):
        deck.order("AAA", "buy", quantity)
    first = deck.ask(GetOrders(limit=2))
    assert [order.quantity for order in first.orders] == [2, 10**6]
    second = deck.ask(GetOrders(limit=2, before=first.next))
    assert [order.quantity for order in second.orders] == [1]
    assert second.next is None
    (refused,) = deck.ask(GetOrders(status=OrderStatus.REFUSED)).orders
    assert refused.decision.breaches
    assert deck.ask(GetOrders(agent="nobody")).orders == ()
    assert len(deck.ask(GetDecisions(agent="a")).orders) == 3


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_page_beyond_its_bound_is_refused(limit: int) -> None:
    deck = open_deck()
    for query in (GetOrders, GetFills, GetLedger, GetSignals, GetDecisions):
        with pytest.raises(InvalidInput):
            deck.ask(query(limit=limit))
        with pytest.raises(InvalidInput):
            deck.ask(query(before=2**63))


def test_cancelling_frees_what_was_reserved_and_answers_alike_when_repeated() -> None:
    deck = open_deck()
    before = deck.ask(GetAccounts())
    order = deck.order("AAA", "buy", 100)
    command = CancelOrder(idempotency_key="c", order_id=order.order_id)
    view = deck.send(command, "a")
    assert view.status is OrderStatus.CANCELLED
    assert view.final_at is not None
    (said,) = deck.said(OrderCancelled)
    assert said.reason == "cancelled by a"
    assert deck.ask(GetAccounts()) == before
    assert deck.send(command, "a") == view
    again = CancelOrder(idempotency_key="c2", order_id=order.order_id)
    assert deck.send(again, "a") == view
    assert deck.ask(GetOrder(order_id=order.order_id)) == view


def test_an_order_can_be_cancelled_by_its_agent_and_the_operator_only() -> None:
    deck = open_deck()
    order = deck.order("AAA", "buy", 1)
    for name, key in (("b", order.order_id), ("a", "no such order")):
        with pytest.raises(NotFound):
            deck.send(CancelOrder(idempotency_key=name, order_id=key), name)
    with pytest.raises(NotPermitted):
        deck.send(
            CancelOrder(idempotency_key="r", order_id=order.order_id),
            agent_caller("a", Permission.READ),
        )
    ended = deck.send(CancelOrder(idempotency_key="o", order_id=order.order_id))
    assert ended.status is OrderStatus.CANCELLED


def test_a_signal_is_recorded_and_moves_no_money() -> None:
    deck = open_deck()
    before = deck.ask(GetAccounts())
    view = deck.send(signal(), "a")
    assert (view.slice, view.expires_slice) == (0, 10)
    assert deck.ask(GetSignals(agent="a")).signals == (view,)
    assert deck.ask(GetAccounts()) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", "none"),
        ("direction", "up"),
        ("strength", 1.1),
        ("strength", -0.1),
        ("strength", float("nan")),
        ("strength", float("inf")),
        ("horizon_bars", 0),
        ("horizon_bars", 10_001),
        ("reason", "x" * 501),
        ("task_id", "t" * 129),
    ],
)
def test_a_malformed_signal_names_its_field_and_changes_nothing(field: str, value: object) -> None:
    deck = open_deck()
    steps = len(deck.disk.steps)
    with pytest.raises(DomainError) as refusal:
        deck.send(signal(**{field: value}), "a")
    assert refusal.value.field == field
    assert len(deck.disk.steps) == steps


def test_the_gate_shows_hard_and_learned_limits() -> None:
    deck = open_deck()
    deck.learn(1, 12_345_000_000, version=3)
    limits = {(limit.name, limit.scope): limit for limit in deck.ask(GetGate(agent="a")).limits}
    assert limits[("max_order_notional", "deck")].value == "25000"
    assert limits[("max_daily_loss_fraction", "deck")].value == "0.03"
    learned = limits[("learned position limit", "BBB")]
    assert (learned.value, learned.version, learned.learned) == ("12345", 3, True)
    with pytest.raises(NotFound):
        deck.ask(GetGate(agent="nobody"))


def test_the_report_counts_each_code_once_per_refused_order() -> None:
    deck = open_deck(paper=FREE)
    deck.order("AAA", "buy", 10)
    deck.order("AAA", "buy", 10**6)
    deck.order("nothing", "buy", "NaN")
    deck.bars({0: 10_000})
    report = deck.ask(GetExecutionReport())
    assert (report.submitted, report.accepted, report.refused, report.filled) == (3, 1, 2, 1)
    assert report.refusals == {
        "BUYING_POWER": 1,
        "GROSS_EXPOSURE": 1,
        "INVALID_NUMBER": 1,
        "ORDER_NOTIONAL": 1,
        "POSITION_LIMIT": 1,
        "UNKNOWN_INSTRUMENT": 1,
    }
    (agent,) = report.agents
    assert agent.equity == report.equity_total == 100_000
    assert report.ledger_balanced


def test_all_that_is_open_at_the_gate_is_told_at_once() -> None:
    deck = open_deck()
    resting = deck.order("AAA", "buy", 1, 99)
    deck.order("AAA", "buy", 10**6)
    stated = deck.send(signal(), "a")
    deck.send(DemandKeepAlive(agent="a", within_s=9.0, reason="alone"))
    seen = deck.ask(GetGateNow())
    assert ([each.order_id for each in seen.orders], seen.orders_open) == ([resting.order_id], 1)
    assert ([each.signal_id for each in seen.signals], seen.signals_open) == ([stated.signal_id], 1)
    assert [timer.agent for timer in seen.timers] == ["a"]
    assert (seen.stop.stopped, seen.breakers, seen.broker.remote) == (False, (), False)
    deck.send(RaiseStop(reason="look"))
    assert deck.ask(GetGateNow()).stop.stopped
