"""Limits by level: the tightest holds, tightening is at once, loosening waits for a person."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.core.exposure import Exposure
from quarterdeck.execution.core.limits import LIMITS, Kind
from quarterdeck.execution.core.limits_book import ALWAYS_SET, CONFIRM_WITHIN, Bounds
from quarterdeck.execution.model import (
    CancelOrder,
    ChangeStatus,
    ConfirmLimit,
    GetGate,
    GetGrounding,
    GetLimitNames,
    GetLimitRevisions,
    GetLimits,
    LimitRevisionView,
    LimitSet,
    Scope,
    SetLimit,
)
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, NotFound
from quarterdeck.kernel.time import MILLISECOND, Nanos, rfc3339
from quarterdeck.kernel.vocabulary import ConfidenceLevel, OrderStatus, Regime
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import ClusterEntry, LevelEntry, LimitsSection
from tests.unit.execution.deck import Deck, agent_caller, codes, open_deck

TECH = (ClusterEntry(name="tech", symbols=("AAA", "BBB")),)
LEVELS = {
    "deck": "",
    "account": "paper",
    "agent": "a",
    "instrument": "AAA",
    "cluster": "tech",
}


def limit(
    deck: Deck, name: str, value: str | None, scope: str = "deck", subject: str = ""
) -> LimitRevisionView:
    view: LimitRevisionView = deck.send(
        SetLimit(
            scope=Scope(scope),
            subject=subject,
            name=name,
            value=value,
            reason="a test",
        )
    )
    return view


def confirm(deck: Deck, change: int) -> LimitRevisionView:
    view: LimitRevisionView = deck.send(ConfirmLimit(change=change, reason="seen"))
    return view


def test_every_limit_has_one_field_and_every_limited_control_its_limit() -> None:
    assert set(LIMITS) == set(Bounds.__struct_fields__) - {"levels"}
    assert set(LIMITS) >= ALWAYS_SET
    of = {control.limit: control.code for control in CONTROLS if control.limit is not None}
    assert all(LIMITS[name].code is code for name, code in of.items())
    assert {each.code for each in LIMITS.values()} == set(of.values())


@pytest.mark.parametrize(("scope", "subject"), LEVELS.items())
def test_a_refusal_names_the_level_that_sets_the_limit(scope: str, subject: str) -> None:
    deck = open_deck(limits=LimitsSection(clusters=TECH))
    view = limit(deck, "max_order_notional", "1000", scope, subject)
    assert (view.status, view.version) == (ChangeStatus.IN_FORCE, 1)
    (breach,) = deck.order("AAA", "buy", 11, 100).decision.breaches
    assert (breach.code, breach.limit) == ("ORDER_NOTIONAL", 1_000)
    assert breach.level == f"{scope} {subject}".strip()
    assert deck.order("AAA", "buy", 10, 100).limit_version == 1


def test_a_level_binds_only_what_it_is_about() -> None:
    deck = open_deck(limits=LimitsSection(clusters=TECH))
    deck.join("b")
    limit(deck, "max_order_notional", "1000", "agent", "b")
    limit(deck, "max_order_notional", "2000", "instrument", "CCC")
    limit(deck, "max_order_notional", "500", "cluster", "tech")
    assert deck.order("CCC", "buy", 99, 20).status is OrderStatus.WORKING
    assert deck.order("CCC", "buy", 99, 20, by="b").status is OrderStatus.REFUSED
    assert deck.order("AAA", "buy", 6, 100).status is OrderStatus.REFUSED


def test_the_tightest_level_holds_whatever_the_others_say() -> None:
    deck = open_deck()
    limit(deck, "max_order_notional", "2000", "agent", "a")
    limit(deck, "max_order_notional", "1000000", "instrument", "AAA")
    (breach,) = deck.order("AAA", "buy", 21, 100).decision.breaches
    assert (breach.limit, breach.level) == (2_000, "agent a")


def test_loosening_waits_until_it_is_confirmed() -> None:
    deck = open_deck()
    proposed = limit(deck, "max_order_notional", "30000")
    assert (proposed.status, proposed.version) == (ChangeStatus.PENDING, 0)
    assert proposed.next is not None
    assert deck.order("AAA", "buy", 260, 100).status is OrderStatus.REFUSED
    (waits,) = deck.ask(GetLimits()).pending
    assert (waits.previous, waits.value, waits.by) == ("25000", "30000", "operator")
    deck.restart()
    done = confirm(deck, proposed.change)
    assert (done.status, done.version, done.confirmed_by) == (ChangeStatus.IN_FORCE, 1, "operator")
    assert deck.said(LimitSet)[0].value == "30000"
    assert deck.order("AAA", "buy", 260, 100).status is OrderStatus.WORKING
    with pytest.raises(NotFound):
        confirm(deck, proposed.change)


def test_a_change_that_waited_an_hour_can_no_longer_be_confirmed() -> None:
    deck = open_deck()
    proposed = limit(deck, "max_order_notional", "30000")
    deck.clock.at_slice(1 + CONFIRM_WITHIN // 250_000_000)
    with pytest.raises(Conflict) as refusal:
        confirm(deck, proposed.change)
    assert refusal.value.code == "CONFIRMATION_LATE"
    limit(deck, "max_order_notional", "1000", "agent", "a")
    assert deck.ask(GetLimits()).pending == ()


def test_a_later_change_of_the_same_limit_takes_the_place_of_one_that_waits() -> None:
    deck = open_deck()
    first = limit(deck, "max_order_notional", "30000")
    limit(deck, "max_order_notional", "20000")
    with pytest.raises(NotFound):
        confirm(deck, first.change)
    changes = deck.ask(GetLimitRevisions()).changes
    assert [each.status for each in changes] == [ChangeStatus.IN_FORCE, ChangeStatus.OVERTAKEN]


def test_limits_and_their_history_survive_a_restart() -> None:
    deck = open_deck(limits=LimitsSection(clusters=TECH))
    limit(deck, "max_order_notional", "1000", "agent", "a")
    limit(deck, "instruments_allowed", "AAA,CCC", "agent", "a")
    removed = limit(deck, "max_order_notional", None, "agent", "a")
    before = deck.ask(GetLimits()), deck.ask(GetGate(agent="a"))
    deck.restart()
    assert (deck.ask(GetLimits()), deck.ask(GetGate(agent="a"))) == before
    confirm(deck, removed.change)
    deck.restart()
    assert deck.desk.limits.version == 3
    assert deck.order("AAA", "buy", 11, 100).status is OrderStatus.WORKING
    assert codes(deck.order("BBB", "buy", 10, 50)) == ["NOT_ALLOWED"]
    (last, *_) = deck.ask(GetLimitRevisions(limit=1)).changes
    assert (last.by, last.reason, last.name) == ("operator", "a test", "max_order_notional")


def test_a_learned_limit_only_tightens_and_is_named() -> None:
    deck = open_deck()
    deck.learn(0, 1_000_000_000)
    (breach,) = deck.order("AAA", "buy", 11, 100).decision.breaches
    assert (breach.limit, breach.level) == (1_000, "learned")
    limit(deck, "max_position_notional", "500", "agent", "a")
    (breach,) = deck.order("AAA", "buy", 6, 100).decision.breaches
    assert (breach.limit, breach.level) == (500, "agent a")
    assert deck.desk.limits.version == 2


@pytest.mark.parametrize(
    ("name", "value", "scope", "subject", "field"),
    [
        ("max_order_notionals", "1", "deck", "", "name"),
        ("max_order_notional", "NaN", "deck", "", "max_order_notional"),
        ("max_order_notional", "1e999", "deck", "", "max_order_notional"),
        ("max_order_notional", "-1", "deck", "", "max_order_notional"),
        ("max_order_notional", "1.23456789", "deck", "", "max_order_notional"),
        ("max_order_notional", "1 EUR", "deck", "", "max_order_notional"),
        ("max_daily_loss_fraction", "3", "deck", "", "max_daily_loss_fraction"),
        ("max_orders_per_bar", "1.5", "deck", "", "max_orders_per_bar"),
        ("trading_state", "closed", "deck", "", "trading_state"),
        ("instruments_allowed", "AAA,NONE", "deck", "", "instruments_allowed"),
        ("order_types_allowed", "", "deck", "", "order_types_allowed"),
        ("max_order_notional", None, "deck", "", "value"),
        ("max_order_notional", "1", "deck", "a", "subject"),
        ("max_order_notional", "1", "agent", "nobody", "agent"),
        ("max_order_notional", "1", "instrument", "ZZZ", "subject"),
        ("max_order_notional", "1", "cluster", "tech", "subject"),
        ("max_order_notional", "25000", "deck", "", "value"),
    ],
)
def test_what_is_no_limit_is_refused_by_field_and_changes_nothing(
    name: str, value: str | None, scope: str, subject: str, field: str
) -> None:
    deck = open_deck()
    before = deck.digest()
    with pytest.raises(DomainError) as refusal:
        limit(deck, name, value, scope, subject)
    assert refusal.value.field == field
    assert refusal.value.accepted
    assert deck.digest() == before


def test_an_unknown_limit_level_or_value_refuses_to_load() -> None:
    for entry, field in (
        (LevelEntry(scope="deck", name="max_loss", value="1"), "name"),
        (LevelEntry(scope="desk", name="max_order_quantity", value="1"), "scope"),
        (LevelEntry(scope="instrument", subject="X", name="max_order_quantity", value="1"), "subject"),
        (LevelEntry(scope="deck", name="max_order_notional", value="1"), "limits.levels name"),
        (LevelEntry(scope="deck", name="max_order_quantity", value="many"), "max_order_quantity"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refusal:
            Deck(limits=LimitsSection(levels=(entry,)))
        assert refusal.value.field == field
    with pytest.raises(InvalidInput):
        Deck(limits=LimitsSection(clusters=(ClusterEntry(name="c", symbols=("X",)),)))


def test_only_an_operator_changes_limits() -> None:
    deck = open_deck()
    command = SetLimit(scope=Scope.DECK, name="max_order_notional", value="1", reason="r")
    with pytest.raises(DomainError):
        deck.send(command, agent_caller("a"))


def test_a_value_is_shown_as_it_is_read() -> None:
    contracts = open_deck().desk.contracts
    values = {
        Kind.MONEY: "12.5", Kind.FRACTION: "0.25", Kind.RATIO: "1.5", Kind.VAR_RATIO: "2.5", Kind.QUANTITY: "3.001",
        Kind.COUNT: "7", Kind.BARS: "7", Kind.MILLISECONDS: "20", Kind.STATE: "reducing", Kind.YES: "no",
        Kind.SYMBOLS: "AAA,CCC", Kind.TYPES: "market,stop_limit", Kind.REGIMES: "ranging,volatile",
        Kind.INSTANT: "2030-01-01T00:00:00Z",
    }  # fmt: skip
    for name, each in LIMITS.items():
        text = values[each.kind]
        assert each.shown(each.parse(text, contracts), contracts) == text, name
    assert len(open_deck().ask(GetLimitNames()).names) == len(LIMITS)


REFUSED_BY: dict[str, tuple[str, dict[str, object], str]] = {
    "trading_state": ("halted", {}, "TRADING_STATE"),
    "instruments_allowed": ("BBB", {}, "NOT_ALLOWED"),
    "order_types_allowed": ("limit,stop", {}, "ORDER_TYPE"),
    "short_sales_allowed": ("no", {"side": "sell"}, "SHORT_SALE"),
    "max_order_quantity": ("9", {}, "ORDER_QUANTITY"),
    "max_concentration_fraction": ("0.009", {}, "CONCENTRATION"),
    "max_net_exposure_ratio": ("0.009", {}, "NET_EXPOSURE"),
    "max_credit_notional": ("999", {}, "CREDIT_LINE"),
    "max_var99_fraction": ("0.0001", {"learn": True}, "VAR_BUDGET"),
    "max_instrument_notional": ("999", {}, "INSTRUMENT_LIMIT"),
    "max_cluster_notional": ("999", {}, "CLUSTER_EXPOSURE"),
    "max_account_notional": ("999", {}, "ACCOUNT_EXPOSURE"),
    "max_same_direction_count": ("0", {}, "SAME_DIRECTION"),
    "max_open_orders_count": ("0", {}, "OPEN_ORDERS"),
    "max_open_notional": ("999", {}, "OPEN_NOTIONAL"),
    "mandate_until": ("2004-01-01", {}, "MANDATE"),
    "mandate_required": ("yes", {}, "MANDATE"),
    "instruments_restricted": ("AAA,CCC", {}, "NOT_ALLOWED"),
    "regimes_allowed": ("ranging,recovery", {}, "REGIME"),
    "believed_price_required": ("yes", {}, "FALSE_PREMISE"),
    "max_believed_age_bars": ("1", {"believed_price": 100}, "FALSE_PREMISE"),
    "stop_loss_required": ("yes", {}, "STOP_LOSS_MISSING"),
    "max_stop_distance_ratio": ("1", {"learn": True, "stop_loss": 97}, "STOP_LOSS_MISSING"),
    "window_collar_fraction": ("0.001", {"limit": 101}, "WINDOW_COLLAR"),
    "max_participation_fraction": ("0.09", {"volume": 100.0}, "PARTICIPATION"),
    "max_orders_per_day": ("0", {}, "ORDERS_PER_DAY"),
    "max_messages_per_bar": ("0", {}, "MESSAGE_RATE"),
    "max_identical_orders_per_bar": ("0", {}, "DUPLICATE_ORDER"),
    "max_cancel_ratio": ("0.5", {"churn": 20}, "CANCEL_RATIO"),
    "max_orders_per_trade": ("1", {"churn": 20}, "ORDER_TO_TRADE"),
    "loss_cooldown_bars": ("3", {"lose": True}, "COOLDOWN"),
    "max_decision_ms": ("10", {"slow": True}, "GATE_LATENCY"),
    "max_clock_step_ms": ("100", {"jump": True}, "CLOCK_STEP"),
}
"""What makes an order of 10 AAA at 100 refused, by limit."""


def _set_the_scene(deck: Deck, terms: dict[str, object]) -> None:
    """Bring about what the limit looks back on."""
    if "learn" in terms:
        deck.learn(0, 10**15)
    if "volume" in terms:
        for _ in range(20):
            deck.bars({0: 10_000}, volume=terms["volume"])
    if "lose" in terms:
        for side in ("buy", "sell"):
            deck.order("AAA", side, 5)
            deck.bars({0: 10_000})
    if "slow" in terms:
        for _ in range(20):
            deck.desk.watch.took(0.011)
    if "jump" in terms:
        now = Nanos(deck.clock.now() - 101 * MILLISECOND)
        deck.desk.watch.mark(now, monotonic_s=deck.clock.monotonic_s())
    for number in range(terms.get("churn", 0)):
        view = deck.order("BBB", "buy", 10, 49)
        deck.send(CancelOrder(idempotency_key=f"c{number}", order_id=view.order_id), "a")
        if number % 6 == 5:
            deck.bars({0: 10_000, 1: 5_000})


@pytest.mark.parametrize("name", REFUSED_BY)
def test_each_limit_refuses_and_its_headroom_passes(name: str) -> None:
    value, terms, code = REFUSED_BY[name]
    assert {*REFUSED_BY, *ALWAYS_SET} == set(LIMITS)
    deck = open_deck(limits=LimitsSection(clusters=TECH))
    _set_the_scene(deck, terms)
    limit(deck, name, value, "agent", "a")
    believed = {each: terms[each] for each in ("believed_price", "stop_loss") if each in terms}
    view = deck.order("AAA", str(terms.get("side", "buy")), 10, terms.get("limit"), **believed)
    assert codes(view) == [code]
    (breach,) = view.decision.breaches
    assert breach.level == "agent a"
    assert breach.text
    most = view.decision.max_allowed_now
    assert most is not None
    if most:
        assert deck.order("AAA", "buy", most).status is OrderStatus.WORKING


def test_exposure_of_others_counts_in_what_all_agents_share() -> None:
    deck = open_deck(limits=LimitsSection(clusters=TECH))
    deck.join("b")
    limit(deck, "max_instrument_notional", "1500")
    limit(deck, "max_account_notional", "2500")
    limit(deck, "max_same_direction_count", "1", "instrument", "BBB")
    deck.order("AAA", "buy", 10, by="b")
    assert codes(deck.order("AAA", "buy", 6)) == ["INSTRUMENT_LIMIT"]
    deck.order("BBB", "sell", 20, by="b")
    assert codes(deck.order("BBB", "sell", 10)) == ["SAME_DIRECTION"]
    view = deck.order("CCC", "buy", 30)
    assert (codes(view), view.decision.max_allowed_now) == (["ACCOUNT_EXPOSURE"], 25)


def test_sums_kept_up_to_date_are_those_added_up_anew() -> None:
    deck = open_deck()
    deck.join("b")
    for turn in range(12):
        for place, by in enumerate("ab"):
            side = "buy" if (turn + place) % 3 else "sell"
            deck.order("AAA", side, 3 + turn, 90 + turn, by=by)
            deck.order("BBB", "buy", 10, by=by)
        if turn % 2:
            deck.bars({0: (9_500, 10_200, 9_400, 10_000 + turn), 1: 5_000 + 5 * turn})
        deck.desk.sums_of("a")
        kept = deck.desk.exposure
        deck.desk.exposure = Exposure()
        deck.desk.sums_of("a")
        anew = deck.desk.exposure
        assert kept.gross == anew.gross
        assert {a: s for a, s in kept.agents.items() if s.parts} == {
            a: s for a, s in anew.agents.items() if s.parts
        }
        deck.desk.exposure = kept
        for account in deck.desk.accounts.values():
            account.touched = kept._touched


def test_a_belief_is_held_against_the_last_close_and_its_age_and_counted() -> None:
    deck = open_deck()
    assert deck.order("AAA", "buy", 1, believed_price=101).status is OrderStatus.WORKING
    for wrong in (103, "97.9", "NaN", "1e999", 0, -1):
        view = deck.order("AAA", "buy", 1, believed_price=wrong)
        assert codes(view) == ["FALSE_PREMISE"], wrong
        assert view.decision.max_allowed_now == 0
        deck.bars({0: 10_000})
    for at in ("yesterday", "2200-01-01T00:00:00Z"):
        view = deck.order("AAA", "buy", 1, believed_price=100, believed_at=at)
        assert codes(view) == ["FALSE_PREMISE"], at
    assert codes(deck.order("AAA", "buy", 1, believed_at="2004-11-01")) == ["FALSE_PREMISE"]
    limit(deck, "max_believed_age_bars", "1", "agent", "a")
    now = rfc3339(deck.sequencer.at)
    view = deck.order("AAA", "buy", 1, believed_price=100, believed_at=now)
    assert view.status is OrderStatus.WORKING
    for _ in range(2):
        deck.bars({0: 10_000})
    assert codes(deck.order("AAA", "buy", 1, believed_price=100, believed_at=now)) == [
        "FALSE_PREMISE"
    ]
    (shown,) = deck.ask(GetGrounding()).agents
    deck.restart()
    assert deck.ask(GetGrounding()).agents == (shown,)
    assert (shown.premises, shown.grounded, shown.score) == (12, 2, pytest.approx(2 / 12, abs=1e-4))


def test_the_identical_order_is_refused_and_another_quantity_passes() -> None:
    deck = open_deck()
    limit(deck, "max_identical_orders_per_bar", "1")
    deck.order("AAA", "buy", 10, 99)
    view = deck.order("AAA", "buy", 10, 99)
    assert codes(view) == ["DUPLICATE_ORDER"]
    assert view.decision.retry_at_bars == 1
    assert deck.order("AAA", "buy", 11, 99).status is OrderStatus.WORKING
    deck.bars({0: 10_000})
    assert deck.order("AAA", "buy", 10, 99).status is OrderStatus.WORKING


def test_the_regime_that_was_last_told_is_looked_at_also_after_a_restart() -> None:
    deck = open_deck()
    limit(deck, "regimes_allowed", "ranging")
    for regime, refused in ((Regime.VOLATILE, ["REGIME"]), (Regime.RANGING, [])):
        deck.tell(
            [
                RegimeChanged(
                    at=deck.sequencer.at,
                    slice=deck.sequencer.slice,
                    instrument=0,
                    symbol="AAA",
                    previous=Regime.UNDETERMINED,
                    regime=regime,
                    confidence=0.9,
                    level=ConfidenceLevel.HIGH,
                    duration_bars=1,
                    triggers=(),
                )
            ]
        )
        deck.restart()
        assert codes(deck.order("AAA", "buy", 1)) == refused


def test_a_cooldown_ends_after_its_bars() -> None:
    deck = open_deck()
    limit(deck, "loss_cooldown_bars", "2")
    for side in ("buy", "sell"):
        deck.order("AAA", side, 5)
        deck.bars({0: 10_000, 1: 5_000})
    view = deck.order("AAA", "buy", 5)
    assert (codes(view), view.decision.retry_at_bars) == (["COOLDOWN"], 2)
    assert deck.order("BBB", "buy", 10).status is OrderStatus.WORKING
    for _ in range(2):
        deck.bars({0: 10_000, 1: 5_000})
    assert deck.order("AAA", "buy", 5).status is OrderStatus.WORKING


def test_reducing_lets_what_reduces_pass() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    limit(deck, "trading_state", "reducing")
    assert codes(deck.order("AAA", "buy", 1)) == ["TRADING_STATE"]
    view = deck.order("AAA", "sell", 11)
    assert (codes(view), view.decision.max_allowed_now) == (["TRADING_STATE"], Decimal(10))
    assert deck.order("AAA", "sell", 10).status is OrderStatus.WORKING


def test_a_slow_gate_and_a_clock_that_jumps_let_only_reducing_orders_pass() -> None:
    deck = open_deck()
    watch, clock = deck.desk.watch, deck.clock
    limit(deck, "max_decision_ms", "10")
    limit(deck, "max_clock_step_ms", "100")
    for _ in range(20):
        watch.took(0.011)
    view = deck.order("AAA", "buy", 1)
    assert codes(view) == ["GATE_LATENCY"]
    assert (view.decision.limit, view.decision.used, view.decision.unit) == (10, 11, "ms")
    for number in range(10):
        watch.took(0.001)
        # It opens again with the eleventh quick decision: half of them are slow until then.
        assert bool(codes(deck.preview("AAA", "buy", 1))) is (number < 10 - 1)
    watch.mark(Nanos(clock.now() - 101 * MILLISECOND), monotonic_s=clock.monotonic_s())
    decision = deck.preview("AAA", "buy", 1)
    assert codes(decision) == ["CLOCK_STEP"]
    assert decision.retry_at_bars == 1
    deck.bars({0: 10_000})
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
