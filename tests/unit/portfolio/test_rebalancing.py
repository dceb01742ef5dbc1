"""What is due is proposed, what is proposed is traded once, and every way to end is an end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.model import RaiseStop, SubmitOrder
from quarterdeck.execution.model.broker import (
    BrokerFill,
    BrokerState,
    NoteOutcome,
    SettleOrder,
    TakeErrands,
)
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, NotFound
from quarterdeck.kernel.vocabulary import ConfidenceLevel, OrderStatus, Regime, Side
from quarterdeck.portfolio.model import (
    AbortRebalance,
    ApproveRebalance,
    EndMandate,
    GetRebalancing,
    Mode,
    Objective,
    Period,
    ProposePortfolio,
    ProposeRebalance,
    RebalanceMoved,
    RebalanceStatus,
    SetMandate,
    Triggers,
)
from quarterdeck.portfolio.service.executing import in_the_name_of
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import LimitsSection, PaperSection
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER, Permission
from tests.unit.execution.deck import agent_caller
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

HALVES = {"AAA": 0.5, "BBB": 0.3}


def plan_of(deck: RebalancingDeck, **terms: object):  # type: ignore[no-untyped-def]
    return deck.rebalancing.plan(ProposePortfolio(agent="mine", **terms), OPERATOR_CALLER)  # type: ignore[arg-type]


def test_a_plan_goes_to_the_target_in_whole_lots_and_changes_nothing() -> None:
    deck = RebalancingDeck()
    deck.bar()
    before = deck.digest()
    plan = plan_of(deck, weights=HALVES)
    assert {t.symbol: (t.side, t.quantity) for t in plan.trades} == {
        "AAA": (Side.BUY, Decimal(500)),
        "BBB": (Side.BUY, Decimal(600)),
    }
    assert plan.turnover == pytest.approx(0.8)
    assert plan.drift == 0.5
    assert plan.relative_drift == 1.0
    assert plan.risk_drift is None
    assert plan.expected_gain is None
    assert plan.reason == "the window of joint returns is not full yet"
    assert all(trade.verdict == "accepted" for trade in plan.trades)
    assert deck.digest() == before


def test_the_gates_word_stands_beside_every_trade_in_advance() -> None:
    deck = RebalancingDeck(limits=LimitsSection(max_position_notional=Decimal(20_000)))
    deck.bar()
    trades = {trade.symbol: trade for trade in plan_of(deck, weights=HALVES).trades}
    assert (trades["AAA"].verdict, trades["AAA"].code) == ("refused", "ORDER_NOTIONAL")
    assert trades["AAA"].max_allowed_now is not None
    assert 0 < trades["AAA"].max_allowed_now <= 200
    assert trades["AAA"].reason


def test_a_costly_trade_goes_to_the_edge_of_the_region_and_a_small_drift_stays() -> None:
    deck = RebalancingDeck(paper=PaperSection(half_spread_bps=20.0, fee_bps=0.0))
    deck.walk(30)
    terms = {"weights": {"AAA": 0.5}, "risk_aversion": 4.0, "horizon_bars": 21}
    plan = plan_of(deck, **terms)
    (row,) = plan.rows
    assert 0.0 < row.wanted < 0.5
    assert plan.expected_gain is not None
    assert plan.net_gain is not None
    assert plan.expected_gain > plan.net_gain > 0.0
    assert plan.kkt_residual is not None
    assert plan.kkt_residual <= 1e-9
    # Twice as averse is worth going nearer; nearly indifferent is not worth going at all.
    assert plan_of(deck, **{**terms, "risk_aversion": 8.0}).rows[0].wanted > row.wanted
    assert plan_of(deck, **{**terms, "risk_aversion": 0.1}).trades == ()


def test_maximum_sharpe_implies_its_own_risk_aversion() -> None:
    deck = RebalancingDeck()
    deck.walk(30, seed=5)
    outlook = deck.portfolio.outlook()
    plan = plan_of(deck, objective=Objective.MAX_SHARPE)
    target = [next((r.target for r in plan.rows if r.symbol == s), 0.0) for s in ("AAA", "BBB", "CCC")]  # fmt: skip
    variance = target @ outlook.covariance @ target
    assert plan.risk_aversion == pytest.approx(float(outlook.mean @ target) / float(variance))
    assert plan.reason is None


def test_an_automatic_mandate_trades_what_was_planned_and_is_done() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights=HALVES)
    deck.bar()
    (running,) = deck.rebalances()
    assert running.status is RebalanceStatus.RUNNING
    assert running.trigger == "cash flow: reached 0.01"
    deck.bar()
    deck.bar()
    (ended,) = deck.rebalances()
    assert ended.status is RebalanceStatus.DONE
    assert {leg.symbol: leg.filled for leg in ended.legs} == {"AAA": 500, "BBB": 600}
    assert (deck.held("AAA"), deck.held("BBB")) == (500, 600)
    for _ in range(5):
        deck.bar()
    assert len(deck.rebalances()) == 1


def test_slices_leave_one_a_bar_and_add_up() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, slices=4)
    sizes = []
    for _ in range(8):
        deck.bar()
        sizes.append(deck.held("AAA"))
    assert sizes == [0, 125, 250, 375, 500, 500, 500, 500]
    assert deck.rebalances()[0].status is RebalanceStatus.DONE
    assert deck.rebalances()[0].sent == 4


def test_the_gate_is_asked_first_so_that_nothing_is_refused_on_the_way() -> None:
    deck = RebalancingDeck(limits=LimitsSection(max_order_notional=Decimal(10_000)))
    deck.bar()
    deck.mandate(weights={"AAA": 0.3})
    for _ in range(12):
        deck.bar()
    assert deck.held("AAA") == 300
    assert deck.rebalances()[0].status is RebalanceStatus.DONE
    assert deck.desk.totals("mine")[1] == 0


def test_what_the_gate_never_lets_pass_ends_incomplete_with_the_reason() -> None:
    deck = RebalancingDeck(limits=LimitsSection(max_position_notional=Decimal(10_000)))
    deck.bar()
    deck.mandate(weights={"AAA": 0.3})
    for _ in range(10):
        deck.bar()
    ended = deck.rebalances()[0]
    assert ended.status is RebalanceStatus.INCOMPLETE
    assert 0 < ended.legs[0].filled < ended.legs[0].planned
    assert "POSITION_LIMIT" in (ended.reason or "")
    # The mandate does not try the same again and again.
    assert len(deck.rebalances()) == 1


def test_sales_leave_before_purchases_and_pay_for_them() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.95})
    for _ in range(6):
        deck.bar()
    assert deck.held("AAA") == 950
    deck.mandate(weights={"BBB": 0.95}, triggers=Triggers(drift=0.05))
    for _ in range(8):
        deck.bar()
    assert (deck.held("AAA"), deck.held("BBB")) == (0, 1900)


@pytest.mark.parametrize(
    ("triggers", "due_after"),
    [
        (Triggers(every=Period.DAY), 1),
        (Triggers(sessions=3), 3),
        (Triggers(every=Period.MONTH), 18),
        (Triggers(drift=0.01), 1),
        (Triggers(relative_drift=0.99), 1),
        (Triggers(cash_flow=0.5), 1),
        (Triggers(drift=0.6), None),
        (Triggers(regime_change=True), None),
    ],
)
def test_each_trigger_is_due_when_it_says(triggers: Triggers, due_after: int | None) -> None:
    deck = RebalancingDeck()
    # The first bar closes on the 9th of November 2004, so the mandate begins on the 13th.
    while deck.sequencer.slice < 4:
        deck.bar()
    deck.mandate(weights={"AAA": 0.5}, triggers=triggers, mode=Mode.ADVISORY)
    for n in range(1, 25):
        deck.bar()
        if deck.rebalances():
            assert n == due_after
            return
    assert due_after is None


def test_an_approved_proposal_is_traded_and_an_old_one_expires() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights=HALVES, mode=Mode.APPROVAL, approve_within_bars=2)
    deck.bar()
    (waiting,) = deck.rebalances()
    assert waiting.status is RebalanceStatus.PROPOSED
    deck.bar()
    deck.bar()
    assert deck.rebalances()[0].status is RebalanceStatus.EXPIRED
    assert deck.desk.totals("mine") == (0, 0)
    with pytest.raises(Conflict):
        deck.send(ApproveRebalance(rebalance_id=waiting.rebalance_id))
    again = deck.send(ProposeRebalance(name="m"))
    approved = deck.send(ApproveRebalance(rebalance_id=again.rebalance_id, reason="fine"))
    assert (approved.status, approved.by) == (RebalanceStatus.RUNNING, "operator")
    for _ in range(3):
        deck.bar()
    assert deck.rebalances()[1].status is RebalanceStatus.DONE
    assert deck.held("AAA") == 500


def test_advice_is_never_traded_by_the_deck() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights=HALVES, mode=Mode.ADVISORY)
    deck.bar()
    (advice,) = deck.rebalances()
    with pytest.raises(Conflict):
        deck.send(ApproveRebalance(rebalance_id=advice.rebalance_id))
    for _ in range(8):
        deck.bar()
    assert deck.desk.totals("mine") == (0, 0)


def test_an_abort_cancels_what_works_and_holds_the_mandate_until_it_is_set_again() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, slices=4)
    deck.bar()
    deck.bar()
    (running,) = deck.rebalances()
    stranger = agent_caller("other")
    with pytest.raises(NotFound):
        deck.send(AbortRebalance(rebalance_id=running.rebalance_id, reason="x"), stranger)
    aborted = deck.send(AbortRebalance(rebalance_id=running.rebalance_id, reason="enough"))
    assert aborted.status is RebalanceStatus.ABORTED
    assert aborted.legs[0].working == 0
    for _ in range(4):
        deck.bar()
    assert deck.held("AAA") == 125
    assert len(deck.rebalances()) == 1
    deck.mandate(weights={"AAA": 0.5}, triggers=Triggers(drift=0.1))
    for _ in range(4):
        deck.bar()
    assert deck.held("AAA") == 500


def test_a_stop_ends_it_for_good_and_rearming_does_not_take_it_up() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, slices=4)
    deck.bar()
    deck.bar()
    stopped = deck.send(RaiseStop(reason="enough"))
    assert [each.status for each in deck.said(RebalanceMoved)] == [RebalanceStatus.STOPPED]
    deck.bar()
    deck.rearm(epoch=stopped.epoch, reason="fine")
    for _ in range(6):
        deck.bar()
    assert deck.held("AAA") == 125
    (ended,) = deck.rebalances()
    assert ended.status is RebalanceStatus.STOPPED
    mandate = deck.rebalancing.mandates(None, OPERATOR_CALLER).mandates[0]  # type: ignore[arg-type]
    assert mandate.held == "trading was stopped"


def test_a_restart_at_any_bar_changes_nothing() -> None:
    def lived(restarts: bool) -> tuple[bytes, list[object]]:
        deck = RebalancingDeck()
        deck.bar()
        deck.mandate(weights=HALVES, slices=3)
        for _ in range(6):
            if restarts:
                deck.restart()
            deck.bar()
        return deck.digest(), [(v.status, v.legs, v.sent) for v in deck.rebalances()]

    assert lived(True) == lived(False)


def test_another_order_of_the_account_is_not_taken_for_the_rebalances_own() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, slices=2)
    deck.bar()
    own = SubmitOrder(idempotency_key="own", symbol="AAA", side=Side.BUY, quantity=Decimal(7))
    deck.send(own, agent_caller("mine"))
    for _ in range(4):
        deck.bar()
    (ended,) = deck.rebalances()
    assert ended.legs[0].filled == ended.legs[0].planned == 500
    assert deck.held("AAA") == 507


@pytest.mark.parametrize(
    "terms",
    [
        {"weights": None},
        {"weights": {"AAA": 0.5}, "objective": Objective.HRP},
        {"weights": {"AAA": 0.6, "BBB": 0.5}},
        {"weights": {"AAA": float("nan")}},
        {"weights": {"AAA": -0.1}},
        {"weights": {"ZZZ": 0.1}},
        {"weights": {"AAA": 0.5}, "slices": 0},
        {"weights": {"AAA": 0.5}, "slices": 101},
        {"weights": {"AAA": 0.5}, "horizon_bars": 0},
        {"weights": {"AAA": 0.5}, "risk_aversion": float("inf")},
        {"weights": {"AAA": 0.5}, "approve_within_bars": 0},
        {"weights": {"AAA": 0.5}, "triggers": Triggers(drift=0.0)},
        {"weights": {"AAA": 0.5}, "triggers": Triggers(sessions=0)},
    ],
)
def test_a_mandate_that_makes_no_sense_is_refused_and_changes_nothing(
    terms: dict[str, object],
) -> None:
    deck = RebalancingDeck()
    deck.bar()
    before = deck.digest()
    with pytest.raises((InvalidInput, NotFound)) as refusal:
        deck.mandate(**terms)
    assert refusal.value.field
    assert deck.digest() == before


def test_mandates_are_refused_where_they_would_fight_and_let_go_when_ended() -> None:
    deck = RebalancingDeck()
    deck.bar()
    with pytest.raises(NotFound):
        deck.send(
            SetMandate(name="m", agent="nobody", mode=Mode.ADVISORY, triggers=Triggers(),
                       weights={"AAA": 0.5})
        )  # fmt: skip
    deck.mandate(weights={"AAA": 0.5}, slices=4)
    with pytest.raises(Conflict):
        deck.send(
            SetMandate(name="other", agent="mine", mode=Mode.ADVISORY, triggers=Triggers(),
                       weights={"AAA": 0.5})
        )  # fmt: skip
    deck.bar()
    with pytest.raises(Conflict):
        deck.mandate(weights={"AAA": 0.1})
    deck.send(EndMandate(name="m", reason="over"))
    assert deck.rebalances()[0].status is RebalanceStatus.ABORTED
    deck.bar()
    assert deck.held("AAA") == 0
    with pytest.raises(NotFound):
        deck.send(ProposeRebalance(name="m"))


def test_nothing_to_trade_and_no_target_are_said() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={}, triggers=Triggers())
    with pytest.raises(DomainError, match="nothing to trade"):
        deck.send(ProposeRebalance(name="m"))
    with pytest.raises(DomainError, match="not enough data"):
        plan_of(deck, objective=Objective.RISK_PARITY)


def test_the_deck_trades_with_an_agents_permissions_only() -> None:
    caller = in_the_name_of(agent_caller("mine").identity)
    assert caller.may(Permission.ORDER_PAPER)
    assert not caller.may(Permission.OPERATE)


def turned(deck: RebalancingDeck, row: int) -> RegimeChanged:
    return RegimeChanged(
        at=deck.sequencer.at,
        slice=deck.sequencer.slice,
        instrument=row,
        symbol=deck.instruments[row].symbol,
        previous=Regime.RANGING,
        regime=Regime.VOLATILE,
        confidence=0.5,
        level=ConfidenceLevel.MEDIUM,
        duration_bars=3,
        triggers=(),
    )


def in_doubt(deck: RebalancingDeck) -> str:
    """Let the working order leave for a venue that never answers, and return its id."""
    (order,) = deck.send(TakeErrands(), DECK_CALLER).submits
    deck.send(NoteOutcome(client_id=order.client_id, outcome="unknown"), DECK_CALLER)
    return str(order.client_id)


def test_an_order_of_unknown_outcome_is_waited_for_and_never_sent_again() -> None:
    deck = RebalancingDeck(remote=True)
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, slices=2)
    deck.bar()
    name = in_doubt(deck)
    for _ in range(5):
        deck.restart()
        deck.bar()
    (waiting,) = deck.rebalances()
    assert waiting.status is RebalanceStatus.RUNNING
    assert waiting.reason == "waits for 1 orders whose outcome is not known"
    assert (waiting.legs[0].orders, waiting.legs[0].working) == (1, 250)
    # Asked at last, the venue has it and has filled it.
    fill = BrokerFill(fill_id="f1", client_id=name, quantity=250, price=10_000, fee=0)
    state = BrokerState(
        client_id=name, status=OrderStatus.FILLED, quantity=250, filled=250, fills=(fill,)
    )
    deck.send(NoteOutcome(client_id=name, outcome="answered", state=state), DECK_CALLER)
    deck.bar()
    (goes_on,) = deck.rebalances()
    assert (goes_on.legs[0].filled, goes_on.legs[0].working) == (250, 250)


def test_an_order_that_never_arrived_is_sent_once_more_and_an_abort_waits_for_the_venue() -> None:
    deck = RebalancingDeck(remote=True)
    deck.bar()
    deck.mandate(weights={"AAA": 0.5})
    deck.bar()
    deck.send(SettleOrder(order_id=in_doubt(deck), reason="they never saw it"))
    deck.bar()
    (again,) = deck.rebalances()
    assert (again.legs[0].orders, again.legs[0].working) == (2, 500)
    name = in_doubt(deck)
    aborted = deck.send(AbortRebalance(rebalance_id=again.rebalance_id, reason="enough"))
    assert aborted.status is RebalanceStatus.ABORTING
    deck.restart()
    deck.bar()
    assert deck.rebalances()[0].status is RebalanceStatus.ABORTING
    deck.send(SettleOrder(order_id=name, reason="nor that"))
    deck.bar()
    (ended,) = deck.rebalances()
    assert (ended.status, ended.legs[0].orders) == (RebalanceStatus.ABORTED, 2)


def test_a_changed_regime_makes_a_rebalance_due_where_the_target_holds_the_instrument() -> None:
    for row, due in ((0, True), (1, False)):
        deck = RebalancingDeck()
        deck.bar()
        deck.mandate(weights={"AAA": 0.5}, triggers=Triggers(regime_change=True))
        deck.tell([turned(deck, row)])
        deck.bar()
        assert bool(deck.rebalances()) is due


def test_drift_of_the_risk_is_due_when_the_risk_moves_and_the_weights_do_not() -> None:
    deck = RebalancingDeck()
    deck.walk(30)
    deck.mandate(weights={"AAA": 0.4, "BBB": 0.4}, triggers=Triggers(drift=0.1))
    for _ in range(3):
        deck.bar()
    assert deck.rebalances()[0].status is RebalanceStatus.DONE
    plan = plan_of(deck, weights={"AAA": 0.2, "BBB": 0.6})
    assert plan.risk_drift is not None
    assert plan.risk_drift > plan.drift
    deck.mandate(
        weights={"AAA": 0.2, "BBB": 0.6}, triggers=Triggers(risk_drift=plan.risk_drift * 0.9)
    )
    deck.bar()
    assert deck.rebalances()[1].trigger.startswith("risk drift")


def test_mandates_and_the_last_rebalances_are_shown_together_newest_first() -> None:
    deck = RebalancingDeck()
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, triggers=Triggers(every=Period.DAY), mode=Mode.ADVISORY,
                 approve_within_bars=1)  # fmt: skip
    for _ in range(50):
        deck.bar()
    shown = deck.rebalancing.standing(GetRebalancing(), OPERATOR_CALLER)
    assert [each.mandate.name for each in shown.mandates] == ["m"]
    numbers = [each.number for each in shown.rebalances]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 20
