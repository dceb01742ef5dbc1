"""A risk event is answered by its rung, in the same step, until it is over or a person lifts it."""

from __future__ import annotations

import pytest

from quarterdeck.execution.model import OrderFilled
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, FillId, OrderId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.risk.model import (
    GateRestrained,
    LiftResponse,
    Response,
    ResponseState,
    RiskEventKind,
    RiskEventRaised,
    RiskResponded,
    RiskScope,
)
from quarterdeck.risk.service.events import Concerned, Evidence, RiskEvents
from quarterdeck.risk.service.responses import Responses
from quarterdeck.runtime.config import ResponsesSection, RiskSection
from quarterdeck.runtime.sequencer import Step
from tests.unit.stages import Store, said, step_at

SEEN = Evidence(0.4, 0.1, "saw {observed:.0%}", probability=0.02)


class Desk:
    """Events and their answers over one store."""

    def __init__(self, store: Store | None = None, **rungs: str) -> None:
        self.store = store or Store()
        rungs_of = ResponsesSection(**rungs)  # type: ignore[arg-type]
        self.responses = Responses(RiskSection(responses=rungs_of), restrain=self.restrain)
        self.events = RiskEvents(("A", "B"), responses=self.responses, impact=lambda *_: 7)
        self.slice = -1

    def restrain(self, scope: RiskScope, subject: str, step: Step) -> None:
        reducing = self.responses.reducing(scope, subject)
        step.say(
            GateRestrained(
                at=step.at, scope=scope, subject=subject, reducing=reducing, credit_units=None
            )
        )

    def reload(self, **rungs: str) -> Desk:
        after = Desk(self.store, **rungs)
        after.responses.load(self.store.reader())
        after.events.load(self.store.reader())
        after.slice = self.slice
        return after

    def mark(
        self, kind: RiskEventKind, concerned: Concerned, *, beyond: bool = True
    ) -> list[object]:
        self.slice += 1
        step = step_at(self.slice, Nanos(self.slice))
        self.responses.expire(step)
        self.events.mark(kind, concerned, step, beyond=beyond, evidence=SEEN)
        self.store.commit(step)
        return list(step.messages)


A = Concerned(RiskScope.INSTRUMENT, "A")
B = Concerned(RiskScope.INSTRUMENT, "B")


def of(messages: list[object], kind: type[object]) -> list[object]:
    return [one for one in messages if isinstance(one, kind)]


def test_an_event_carries_its_chance_what_is_at_stake_and_its_answer() -> None:
    (event,) = of(Desk().mark(RiskEventKind.VOLATILITY_SPIKE, A), RiskEventRaised)
    assert isinstance(event, RiskEventRaised)
    assert (event.probability, event.impact_units) == (0.02, 7)
    assert (event.scope, event.concerns, event.response) == ("instrument", "A", Response.TIGHTEN)
    assert event.text == "A saw 40%"


def test_tightening_lasts_as_long_as_its_event_and_for_its_instrument_alone() -> None:
    desk = Desk()
    desk.mark(RiskEventKind.VOLATILITY_SPIKE, A)
    assert (desk.responses.multiplier("A"), desk.responses.multiplier("B")) == (0.75, 1.0)
    assert desk.reload().responses.multiplier("A") == 0.75
    said_now = desk.mark(RiskEventKind.VOLATILITY_SPIKE, A, beyond=False)
    (ended,) = of(said_now, RiskResponded)
    assert isinstance(ended, RiskResponded)
    assert ended.state is ResponseState.OVER
    assert desk.responses.multiplier("A") == 1.0
    assert desk.reload().responses.multiplier("A") == 1.0


def test_what_concerns_the_deck_tightens_everything() -> None:
    desk = Desk()
    desk.mark(RiskEventKind.CORRELATION_BREAK, Concerned(RiskScope.DECK))
    assert (desk.responses.multiplier("A"), desk.responses.multiplier("B")) == (0.75, 0.75)


def test_the_gate_is_restrained_until_the_last_reason_for_it_has_gone() -> None:
    desk = Desk(volatility_spike="reduce_only")
    (first,) = of(desk.mark(RiskEventKind.BREACH_CLUSTER, A), GateRestrained)
    assert isinstance(first, GateRestrained)
    assert (first.scope, first.subject, first.reducing) == ("instrument", "A", True)
    desk.mark(RiskEventKind.VOLATILITY_SPIKE, A)
    (still,) = of(desk.mark(RiskEventKind.BREACH_CLUSTER, A, beyond=False), GateRestrained)
    (gone,) = of(desk.mark(RiskEventKind.VOLATILITY_SPIKE, A, beyond=False), GateRestrained)
    assert isinstance(still, GateRestrained)
    assert isinstance(gone, GateRestrained)
    assert (still.reducing, gone.reducing) == (True, False)


def test_an_event_of_one_bar_is_answered_for_some_bars() -> None:
    desk = Desk(gap="tighten")
    step = step_at(0, Nanos(0))
    desk.events.raise_event(RiskEventKind.GAP, A, step, evidence=SEEN)
    desk.store.commit(step)
    after = desk.reload(gap="tighten")
    for index in range(1, 10):
        after.responses.expire(step_at(index, Nanos(index)))
        assert after.responses.multiplier("A") == 0.75
    last = step_at(10, Nanos(10))
    after.responses.expire(last)
    assert after.responses.multiplier("A") == 1.0


def test_a_person_takes_a_response_back_and_it_does_not_come_again_while_the_event_lasts() -> None:
    desk = Desk()
    (made,) = of(desk.mark(RiskEventKind.VOLATILITY_SPIKE, A), RiskResponded)
    assert isinstance(made, RiskResponded)
    step = step_at(1, Nanos(1))
    view = desk.responses.lift(LiftResponse(response_id=made.response_id, reason="known"), step)
    desk.store.commit(step)
    assert (view.state, view.ended_because) == (ResponseState.LIFTED, "known")
    assert [body["state"] for _, kind, _, body in step.audits if kind == "risk_response"] == [
        "lifted"
    ]
    assert desk.responses.multiplier("A") == 1.0
    assert desk.mark(RiskEventKind.VOLATILITY_SPIKE, A) == []
    with pytest.raises(NotFound, match="no such response"):
        desk.responses.lift(LiftResponse(response_id=made.response_id, reason="again"), step)
    with pytest.raises(InvalidInput, match="reason"):
        desk.responses.lift(LiftResponse(response_id=made.response_id, reason=" "), step)


def test_a_stop_and_a_pause_are_carried_out_once_and_say_how_a_person_takes_them_back() -> None:
    desk = Desk(drawdown="pause_agent", concentration="stop")
    agent = Concerned(RiskScope.AGENT, "trend")
    (paused,) = of(desk.mark(RiskEventKind.DRAWDOWN, agent), RiskResponded)
    (stopped,) = of(
        desk.mark(RiskEventKind.CONCENTRATION, Concerned(RiskScope.DECK)), RiskResponded
    )
    assert isinstance(paused, RiskResponded)
    assert isinstance(stopped, RiskResponded)
    assert (paused.state, stopped.state) == (ResponseState.CARRIED_OUT, ResponseState.CARRIED_OUT)
    assert of(desk.mark(RiskEventKind.DRAWDOWN, agent, beyond=False), RiskResponded) == []


def traded(index: int, *, realised: int, closed: bool = True) -> OrderFilled:
    return OrderFilled(
        at=Nanos(index),
        slice=index,
        fill_id=FillId(f"f{index}"),
        order_id=OrderId(f"o{index}"),
        agent=AgentId("a"),
        instrument=0,
        symbol="A",
        side=Side.SELL,
        quantity_units=1,
        price_units=1,
        fee_units=1,
        realised_units=realised,
        closed=closed,
        order_status=OrderStatus.FILLED,
    )


def test_a_losing_streak_is_an_event_with_the_chance_of_it_and_a_win_ends_it() -> None:
    desk, events = Desk(losing_streak="reduce_only"), []
    outcomes = [5, 5, 5, -5, 0, 0, -5, 5]
    for index, realised in enumerate(outcomes):
        step = step_at(index, Nanos(index))
        desk.events.follow_trade(traded(index, realised=realised), step, most=4)
        desk.events.follow_trade(traded(index, realised=-1, closed=False), step, most=4)
        desk.store.commit(step)
        events += [(index, one) for one in said(step, RiskEventRaised)]
        if index == 4:
            desk = desk.reload(losing_streak="reduce_only")
    ((index, event),) = events
    # Three won before the streak: a loss had one chance in five.
    assert index == 6
    assert event.probability == pytest.approx(0.2**4)
    assert not desk.events.marked(RiskEventKind.LOSING_STREAK, "a")
