"""Planted bugs that a world of the simulation cannot reach, each caught by the test that is named.

The deck trades with the venue inside it, so that no outcome is unknown and no fill is late there, and no
agent has closed ten trades under forecasts, so that no stop was learned.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from quarterdeck.adapters.brokers import asking
from quarterdeck.execution.core import pace_controls
from quarterdeck.execution.core.book import Book
from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.core.limits_book import LimitBook
from quarterdeck.execution.core.orders import MOVES
from quarterdeck.execution.service import restraining
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.risk.service import multipliers, outcomes, stopping
from tests.contracts import test_broker as contracts
from tests.simulation.planting import Plant, around, patched
from tests.unit.execution import test_orders as orders
from tests.unit.execution import test_restraining as restrained
from tests.unit.risk import test_credit as lines
from tests.unit.risk import test_outcomes as earned


async def sent_again(original: Any, broker: Any, client_id: str) -> Any:
    with suppress(contracts.OutcomeUnknown):
        await broker.submit(contracts.order())
    return await original(broker, client_id)


async def taken_for_gone(original: Any, broker: Any, client_id: str) -> Any:
    for _ in range(asking.MAX_QUESTIONS):
        found = await broker.find(client_id)
        if found is not None:
            return found
    raise contracts.Unavailable("it is not there", code="UNCONNECTED")


def taken_as_seen(original: Any, reports: Any, *, after: int) -> Any:
    return tuple(reports)


def reopened(original: Any, self: Any, order: Any, status: OrderStatus, **named: Any) -> Any:
    ended = original(self, order, status, **named)
    order.status = OrderStatus.WORKING if status is OrderStatus.CANCELLED else order.status
    return ended


def at_once(original: Any, held: Any, stops: Any, *, band: float, loosening: float) -> Any:
    return original(held, stops, band=band, loosening=1e9)


def not_kept(original: Any, step: Any, level: Any, limits: Any, *, share: Any) -> None:
    kept = {n: v for n, v in limits.items() if n != "max_stop_distance_ratio"}
    original(step, level, kept, share=share)


def share_not_kept(original: Any, step: Any, level: Any, limits: Any, *, share: Any) -> None:
    original(step, level, limits, share=None)


def all_earned(original: Any, self: Any, agent: str, units: int) -> int:
    return units


def taught_nothing(original: Any, sizes: Any, outcome: float, brake: float) -> Any:
    return sizes


def unexplained(original: Any, *arguments: Any, **named: Any) -> Any:
    return ()


def twice(test: Callable[[str], None]) -> Callable[[], None]:
    return lambda: test("never")


PLANTED: tuple[tuple[str, Plant, Callable[[], None]], ...] = (
    (
        "an order whose outcome is unknown is sent again",
        around(asking, "ask", sent_again),
        contracts.test_what_the_broker_does_not_know_stays_unknown_and_is_not_sent_again,
    ),
    (
        "an order whose outcome is unknown is not asked for",
        patched(asking, "MAX_QUESTIONS", 1),
        twice(contracts.test_an_order_is_sent_once_and_asked_for_until_it_is_known),
    ),
    (
        "no answer is taken for no order",
        around(asking, "ask", taken_for_gone),
        contracts.test_what_the_broker_does_not_know_stays_unknown_and_is_not_sent_again,
    ),
    (
        "a report that comes twice is taken in twice",
        around(contracts, "following", taken_as_seen),
        contracts.test_reports_out_of_order_and_repeated_are_booked_once_in_order,
    ),
    (
        "a cancelled order lives again when a fill is late",
        around(Book, "end", reopened),
        orders.test_a_fill_reported_after_the_cancel_is_booked_and_the_order_stays_cancelled,
    ),
    (
        "a stop-loss further away than was learned passes",
        patched(pace_controls, "furthest_stop", lambda scene: UNBOUNDED),
        restrained.test_a_learned_stop_refuses_one_further_away_and_says_which_passes,
    ),
    (
        "a restart forgets how far a stop-loss may be",
        around(restraining, "write_learned", not_kept),
        restrained.test_a_learned_stop_refuses_one_further_away_and_says_which_passes,
    ),
    (
        "a learned stop distance grows at once",
        around(stopping, "moved_distance", at_once),
        lines.test_a_stop_is_in_force_after_ten_trades_nearer_at_once_and_further_at_a_pace,
    ),
    (
        "a stop distance changes without its causes",
        around(stopping, "stop_causes", unexplained),
        lines.test_a_stop_is_in_force_after_ten_trades_nearer_at_once_and_further_at_a_pace,
    ),
    (
        "what an agent's trades have earned scales nothing",
        around(LimitBook, "earned", all_earned),
        restrained.test_what_an_agents_trades_have_earned_scales_its_learned_position_limits,
    ),
    (
        "a restart forgets what an agent's trades have earned",
        around(restraining, "write_learned", share_not_kept),
        restrained.test_what_an_agents_trades_have_earned_scales_its_learned_position_limits,
    ),
    (
        "a size changes without its causes",
        around(multipliers, "size_causes", unexplained),
        earned.test_everybody_begins_with_half_and_is_told_why,
    ),
    (
        "trades teach no size",
        around(outcomes, "learned", taught_nothing),
        earned.test_bad_trades_tighten_at_once_and_good_ones_loosen_slowly_on_evidence,
    ),
)


@pytest.mark.parametrize(("name", "plant", "test"), PLANTED, ids=[each[0] for each in PLANTED])
def test_a_planted_bug_is_caught_by_its_test(
    name: str, plant: Plant, test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    test()
    plant(monkeypatch)
    with pytest.raises((AssertionError, contracts.Unavailable)):
        test()


def test_nothing_follows_a_final_state_and_an_unknown_outcome_may_still_be_anything() -> None:
    assert not {state for state in MOVES if state.final}
    ends = {state for state in OrderStatus if state.final} - {
        OrderStatus.REFUSED,
        OrderStatus.WITHHELD,
    }
    assert ends | {OrderStatus.WORKING, OrderStatus.PARTIAL} == MOVES[OrderStatus.UNKNOWN]
