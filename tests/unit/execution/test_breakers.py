"""Circuit breakers open with evidence, are tried again after their cool-down, and close."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.execution.core.breakers import CODES
from quarterdeck.execution.model import (
    BreakerChanged,
    BreakerKind,
    BreakerState,
    BreakerView,
    CancelOrder,
    GetBreakerEvents,
    GetBreakers,
    ResetBreaker,
    Scope,
    SubmitSignal,
)
from quarterdeck.kernel.errors import DomainError, NotFound
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import BreakersSection, LimitsSection
from tests.unit.execution.deck import CALM, Deck, agent_caller, codes, open_deck

EVERY = {0: 10_000, 1: 5_000, 2: 20_000}


def calm(**thresholds: float) -> Deck:
    """A deck in which only what is named can open a breaker."""
    settings = msgspec.structs.replace(CALM, cool_down_bars=3, probe_bars=2, **thresholds)
    return open_deck(breakers=settings, limits=LimitsSection(max_orders_per_bar=100))


def found(deck: Deck, kind: str, scope: str = "agent", subject: str = "a") -> BreakerView:
    (view,) = [
        each
        for each in deck.ask(GetBreakers()).breakers
        if (each.kind.value, each.scope.value, each.subject) == (kind, scope, subject)
    ]
    return view


def reset(deck: Deck, kind: str, scope: str = "agent", subject: str = "a") -> BreakerView:
    view: BreakerView = deck.send(
        ResetBreaker(kind=BreakerKind(kind), scope=Scope(scope), subject=subject, reason="mended")
    )
    return view


def lose(deck: Deck) -> None:
    """Buy and sell again at a loss: half the spread and the fee."""
    deck.order("AAA", "buy", 10)
    deck.bars(EVERY)
    deck.order("AAA", "sell", 10)
    deck.bars(EVERY)


def test_the_defaults_are_those_of_the_issue() -> None:
    given = BreakersSection()
    assert (given.rapid_losses, given.rapid_loss_minutes) == (5, 30)
    assert (given.trades, given.trade_minutes) == (50, 60)
    assert (given.errors, given.error_minutes) == (10, 20)
    assert set(CODES) == set(BreakerKind)


def test_rapid_losses_open_and_only_what_reduces_passes() -> None:
    deck = calm(rapid_losses=2)
    lose(deck)
    assert deck.ask(GetBreakers()).breakers == ()
    deck.order("BBB", "buy", 10)
    lose(deck)
    view = found(deck, "rapid_loss")
    assert (view.state, view.trips, view.code) == (BreakerState.OPEN, 1, "RAPID_LOSS")
    assert "AAA" in view.evidence
    assert view.half_open_slice == view.since_slice + 3
    refused = deck.order("BBB", "buy", 10)
    assert codes(refused) == ["RAPID_LOSS"]
    assert refused.decision.retry_at_bars == 3
    assert deck.order("BBB", "sell", 10).status is OrderStatus.WORKING


def test_a_loss_counts_for_five_bars_and_no_longer() -> None:
    deck = calm(rapid_losses=2)
    lose(deck)
    for _ in range(4):
        deck.bars(EVERY)
    lose(deck)
    assert deck.ask(GetBreakers()).breakers == ()


def test_after_its_cool_down_one_order_a_bar_is_tried_and_it_closes() -> None:
    deck = calm(trades=1)
    deck.order("AAA", "buy", 1)
    deck.bars(EVERY)
    assert found(deck, "trade_frequency").state is BreakerState.OPEN
    for _ in range(2):
        deck.bars(EVERY)
        assert codes(deck.order("AAA", "buy", 1)) == ["TRADE_FREQUENCY"]
    deck.bars(EVERY)
    assert found(deck, "trade_frequency").state is BreakerState.HALF_OPEN
    assert deck.order("BBB", "buy", 10, 49).status is OrderStatus.WORKING
    assert codes(deck.order("BBB", "buy", 10, 49)) == ["TRADE_FREQUENCY"]
    deck.bars(EVERY)
    deck.bars(EVERY)
    assert found(deck, "trade_frequency").state is BreakerState.CLOSED
    changes = deck.ask(GetBreakerEvents()).events
    assert [each.state.value for each in changes if each.scope is Scope.AGENT] == [
        "closed",
        "half_open",
        "open",
    ]


def test_an_event_while_it_is_tried_opens_it_at_once() -> None:
    deck = calm(trades=1)
    deck.order("AAA", "buy", 1)
    for _ in range(4):
        deck.bars(EVERY)
    assert found(deck, "trade_frequency").state is BreakerState.HALF_OPEN
    deck.order("AAA", "buy", 1)
    deck.bars(EVERY)
    view = found(deck, "trade_frequency")
    assert (view.state, view.trips) == (BreakerState.OPEN, 2)


def test_the_deck_bears_as_much_as_all_its_agents() -> None:
    deck = calm(trades=2)
    deck.join("b")
    for by in ("a", "b", "a", "b"):
        deck.order("AAA", "buy", 1, by=by)
    deck.bars(EVERY)
    assert found(deck, "trade_frequency", "deck", "").state is BreakerState.OPEN
    deck.join("c")
    assert codes(deck.order("AAA", "buy", 1, by="c")) == ["TRADE_FREQUENCY"]


def test_impossible_orders_are_errors_and_refusals_of_the_market_are_not() -> None:
    deck = calm(errors=3)
    for _ in range(5):
        deck.order("AAA", "buy", 10_000)
    assert deck.ask(GetBreakers()).breakers == ()
    for _ in range(3):
        deck.order("NONE", "buy", 1)
    assert found(deck, "error_rate").state is BreakerState.OPEN
    assert codes(deck.order("AAA", "buy", 1)) == ["ERROR_RATE"]


def test_drawdown_reduces_then_halts_and_a_person_resets_the_hard_one() -> None:
    deck = calm(drawdown_soft_fraction=0.005, drawdown_hard_fraction=0.02)
    deck.order("AAA", "buy", 200)
    deck.bars(EVERY)
    deck.bars({0: 9_600, 1: 5_000, 2: 20_000})
    assert found(deck, "drawdown_soft").state is BreakerState.OPEN
    assert codes(deck.order("BBB", "buy", 10)) == ["DRAWDOWN_SOFT"] * 1
    assert deck.order("AAA", "sell", 10).status is OrderStatus.WORKING
    for _ in range(3):
        deck.bars({0: 9_600, 1: 5_000, 2: 20_000})
    assert found(deck, "drawdown_soft").state is BreakerState.HALF_OPEN
    for _ in range(2):
        deck.bars({0: 9_600, 1: 5_000, 2: 20_000})
    assert found(deck, "drawdown_soft").state is BreakerState.CLOSED
    assert deck.order("BBB", "buy", 10).status is OrderStatus.WORKING
    deck.bars({0: 8_000, 1: 5_000, 2: 20_000})
    assert codes(deck.order("AAA", "sell", 1)) == ["DRAWDOWN_HARD"]
    for _ in range(9):
        deck.bars({0: 8_000, 1: 5_000, 2: 20_000})
    assert found(deck, "drawdown_hard").state is BreakerState.OPEN
    reset(deck, "drawdown_hard")
    reset(deck, "drawdown_hard", "deck", "")
    deck.bars({0: 8_000, 1: 5_000, 2: 20_000})
    assert found(deck, "drawdown_hard").state is BreakerState.CLOSED
    assert deck.order("AAA", "sell", 1).status is OrderStatus.WORKING


def test_a_volume_spike_and_a_leap_hold_back_their_instrument_only() -> None:
    deck = calm(volume_spike_ratio=3.0, volatility_halt_fraction=0.1)
    for _ in range(21):
        deck.bars(EVERY, volume=100.0)
    deck.bars({0: 10_000}, volume=300.0)
    deck.bars({0: 10_000, 1: 5_600, 2: 20_000}, volume=100.0)
    assert codes(deck.order("AAA", "buy", 1)) == ["VOLUME_SPIKE"]
    assert codes(deck.order("BBB", "buy", 10)) == ["VOLATILITY_HALT"]
    assert deck.order("CCC", "buy", 1).status is OrderStatus.WORKING


def test_an_open_breaker_of_an_instrument_is_published_until_it_is_closed() -> None:
    def published(deck: Deck) -> list[dict[str, float | None]]:
        name = "execution.market_breakers_count"
        return [said.values for said in deck.said(NumbersPublished) if said.name == name]

    deck = calm(volatility_halt_fraction=0.1)
    deck.bars(EVERY)
    assert published(deck) == []
    deck.bars({0: 10_000, 1: 5_600, 2: 20_000})
    assert published(deck) == [{"BBB": 1.0}]
    deck.restart()
    reset(deck, "volatility_halt", "instrument", "BBB")
    deck.bars({0: 10_000, 1: 5_600, 2: 20_000})
    assert published(deck) == [{"BBB": 0.0}]


def test_the_same_refused_order_again_and_again_parks_the_agent() -> None:
    deck = calm(loop_calls=3)
    deck.join("b")
    for _ in range(2):
        deck.order("AAA", "buy", 10_000)
        deck.bars(EVERY)
    assert deck.ask(GetBreakers()).breakers == ()
    deck.order("AAA", "buy", 10_000)
    view = found(deck, "loop")
    assert "buy 10000 AAA" in view.evidence
    assert (view.half_open_slice, deck.said(BreakerChanged)[0].state) == (None, BreakerState.OPEN)
    deck.restart()
    for _ in range(9):
        deck.bars(EVERY)
    assert codes(deck.order("AAA", "buy", 1)) == ["LOOP"]
    assert deck.order("AAA", "buy", 1, by="b").status is OrderStatus.WORKING
    reset(deck, "loop")
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


def test_one_order_a_bar_that_is_accepted_is_no_loop() -> None:
    deck = calm(loop_calls=3)
    for _ in range(9):
        assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
        deck.bars(EVERY)


def test_the_same_signal_again_and_again_in_one_bar_parks_the_agent() -> None:
    deck = calm(loop_calls=3)

    def say(number: int, strength: float = 0.5) -> None:
        signal = SubmitSignal(
            idempotency_key=f"s{number}",
            symbol="AAA",
            direction="long",
            strength=strength,
            horizon_bars=9,
        )
        deck.send(signal, "a")

    for number in range(2):
        say(number)
        say(number + 10, 0.25 * number)
    deck.bars(EVERY)
    say(20)
    say(21)
    assert deck.ask(GetBreakers()).breakers == ()
    deck.restart()
    say(22)
    view = found(deck, "loop")
    assert (view.reason, view.evidence) == (
        "the same signal came 3 times in one bar",
        "long AAA 0.5 for 9 bars",
    )
    reset(deck, "loop")
    say(23)
    assert found(deck, "loop").state is BreakerState.CLOSED
    deck.bars(EVERY)
    for number in range(30, 33):
        say(number)
    assert found(deck, "loop").state is BreakerState.OPEN


def test_orders_cancelled_in_their_own_bar_and_repeated_fills_are_loops() -> None:
    deck = calm(loop_cancels=3)
    for number in range(3):
        view = deck.order("AAA", "buy", 1 + number, 99)
        deck.send(CancelOrder(idempotency_key=f"c{number}", order_id=view.order_id), "a")
    assert found(deck, "loop").reason == "3 orders were cancelled in their own bar"
    deck = calm(loop_executions=3)
    for _ in range(3):
        deck.order("AAA", "buy", 1)
        deck.bars(EVERY)
    assert found(deck, "loop").reason == "the same execution came 3 times in a row"


def test_breakers_are_loaded_as_they_lived() -> None:
    deck = calm(rapid_losses=2, trades=3, errors=1, drawdown_soft_fraction=0.001)
    lose(deck)
    lose(deck)
    deck.order("NONE", "buy", 1)
    lived = deck.desk.breakers, deck.desk.calls, deck.desk.markets
    shown = deck.ask(GetBreakers()), deck.ask(GetBreakerEvents())
    deck.restart()
    assert (deck.desk.breakers, deck.desk.calls, deck.desk.markets) == lived
    assert (deck.ask(GetBreakers()), deck.ask(GetBreakerEvents())) == shown


def test_only_a_person_resets_and_only_what_is_not_closed() -> None:
    deck = calm(errors=1)
    with pytest.raises(NotFound) as refusal:
        reset(deck, "error_rate")
    assert (refusal.value.field, refusal.value.accepted) == ("kind", "none is open")
    deck.order("NONE", "buy", 1)
    command = ResetBreaker(kind=BreakerKind.ERROR_RATE, subject="a", reason="r")
    with pytest.raises(DomainError):
        deck.send(command, agent_caller("a"))
    with pytest.raises(NotFound) as refusal:
        reset(deck, "loop")
    assert refusal.value.accepted == "error_rate of agent a"
