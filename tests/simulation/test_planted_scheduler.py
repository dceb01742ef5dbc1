"""Planted bugs of schedules, moves and bounds, each caught by the test that is named.

The worlds of the simulation know the deck's own agenda only: nobody there keeps schedules or bounds work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quarterdeck.agents.core import board, calendars, deadlines, letters, moving, timetable, why
from quarterdeck.agents.core.alarms import Alarms
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.bounds import Bound, Bounds
from quarterdeck.agents.core.fleet import Fleet
from quarterdeck.agents.core.task import Outcomes
from quarterdeck.agents.service import AgentsService, work
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.runtime.config import AgentsSection
from tests.simulation.planting import Plant, around, nothing
from tests.unit.agents import test_bounds as bounds
from tests.unit.agents import test_cron as cron
from tests.unit.agents import test_deadlines as due
from tests.unit.agents import test_life as life
from tests.unit.agents import test_long_work as long
from tests.unit.agents import test_moving as moves
from tests.unit.agents import test_schedules as schedules
from tests.unit.agents import test_skill as skills
from tests.unit.agents import test_work as tasks
from tests.unit.agents.conftest import OneServiceDeck


def fresh_deck(config: AgentsSection | None = None) -> OneServiceDeck:
    return OneServiceDeck(AgentsSection(retry_base_ms=0) if config is None else config)


def never_ahead(original: Any, schedule: Any, **named: Any) -> Any:
    return original(schedule, **named) if schedule.next_at is None else schedule


def of_any_size(original: Any, schedule: Any, happened: Any) -> bool:
    return schedule.trigger.event is happened.event


def always_exceeded(original: Any, schedule: Any, happened: Any) -> bool:
    original(schedule, happened)
    return True


def whole_days_only(original: Any, hours: Any, moment: Any, **named: Any) -> Any:
    return original(hours._replace(half_days=None), moment, **named)


def begun_too(original: Any, board: Any, agent: Any) -> Any:
    for task in board.tasks.values():
        if task.agent not in (None, agent.name) and agent.fits(task.demand):
            return task
    return original(board, agent)


def only_up(original: Any, open_of: Any, owner: str, *, by: int) -> None:
    if by > 0:
        original(open_of, owner, by=by)


def no_changes(*_: Any, **__: Any) -> tuple[()]:
    return ()


def as_failed(original: Any, self: Any, task: Any, **named: Any) -> Any:
    changes = original(self, task, **named)
    self.outcomes[task.agent] = Outcomes(0, 2, 2)
    return changes


def forgotten(original: Any, self: Any, reader: Any) -> None:
    original(self, reader)
    self.schedules.clear()


def free_again(original: Any, self: Any, now: Any) -> int:
    return 0


def never_full(original: Any, self: Any, agent: Any) -> bool:
    return False


def unpressed(original: Any, task: Any, *_: Any) -> Any:
    return task


def as_it_was(original: Any, task: Any, before: Any, policy: Any) -> Any:
    return task


def not_taken_off(original: Any, board: Any, task: Any, **named: Any) -> Any:
    change = original(board, task, **named)
    board.letters[task.task_id] = None
    return change


def on(test: Callable[..., None]) -> Callable[[], None]:
    return lambda: test(fresh_deck())


def on_deck_with(test: Callable[..., None]) -> Callable[[], None]:
    return lambda: test(fresh_deck)


PLANTED: tuple[tuple[str, Plant, Callable[[], None]], ...] = (
    (
        "a schedule stays due after it has fired",
        around(timetable, "ahead", never_ahead),
        on(schedules.test_once_fires_once),
    ),
    (
        "a drift fires at every bar",
        around(timetable, "fell_back", always_exceeded),
        on(schedules.test_a_drift_fires_once_until_it_has_fallen_back),
    ),
    (
        "a drift of any size fires",
        around(timetable, "fits", of_any_size),
        on(schedules.test_a_drift_fires_once_until_it_has_fallen_back),
    ),
    (
        "a restart forgets schedules",
        around(AgentsService, "load", forgotten),
        on(schedules.test_schedules_survive_a_restart),
    ),
    (
        "a half day is taken for a whole one",
        around(calendars, "next_session", whole_days_only),
        cron.test_a_half_day_closes_early_and_opens_as_ever,
    ),
    (
        "begun work is taken from its agent",
        around(moving, "movable", begun_too),
        on(moves.test_begun_work_is_never_taken),
    ),
    (
        "nothing moves",
        around(moving, "movable", nothing),
        on(moves.test_what_was_only_set_aside_moves_to_an_idle_agent_the_most_pressing_first),
    ),
    (
        "what is held is not counted for its bound",
        around(Bounds, "hold", nothing),
        on(bounds.test_bounds_are_shown_lifted_and_survive_a_restart),
    ),
    (
        "a rate is never used up",
        around(Bound, "free_in_ns", free_again),
        on(bounds.test_a_rate_lets_a_minute_s_worth_begin_and_then_one_by_one),
    ),
    (
        "one owner may fill the queue",
        around(work, "_require_room", nothing),
        on_deck_with(tasks.test_nobody_fills_the_queue_alone),
    ),
    (
        "what has ended still counts for its owner",
        around(board, "_count", only_up),
        on_deck_with(tasks.test_nobody_fills_the_queue_alone),
    ),
    (
        "what an agent has not begun waits for its return",
        around(moving, "let_go", no_changes),
        on(moves.test_from_an_agent_that_is_not_at_work_everything_not_begun_may_move),
    ),
    (
        "a lease that ends before its work began is a failure",
        around(Board, "revoke", as_failed),
        on(moves.test_what_is_set_aside_and_never_begun_comes_back_and_is_nobody_s_failure),
    ),
    (
        "work is kept for ever for who is gone",
        around(why, "_missed", no_changes),
        on_deck_with(skills.test_work_is_kept_in_vain_once_for_an_agent_that_is_gone),
    ),
    (
        "an agent takes any number of studies",
        around(Fleet, "filled", never_full),
        on(long.test_what_an_agent_takes_of_it_can_be_changed_and_is_bounded),
    ),
    (
        "a deadline by the clock raises nothing and is never missed",
        around(deadlines, "by_clock", unpressed),
        on(due.test_a_result_after_the_deadline_is_late_though_nothing_happened_in_between),
    ),
    (
        "what a deadline raises keeps its place",
        around(board, "_raised", as_it_was),
        on(due.test_near_its_deadline_low_work_goes_before_high_and_not_before_critical),
    ),
    (
        "what was driven again stays a dead letter",
        around(letters, "answer", not_taken_off),
        on(life.test_what_different_agents_fail_is_dead_until_it_is_driven_again),
    ),
    (
        "what is due waits for a bar",
        around(Alarms, "next", nothing),
        on(schedules.test_what_is_due_by_machine_time_alone_needs_neither_bars_nor_claims),
    ),
)


@pytest.mark.parametrize(("name", "plant", "test"), PLANTED, ids=[each[0] for each in PLANTED])
def test_a_planted_bug_is_caught_by_its_test(
    name: str, plant: Plant, test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    test()
    plant(monkeypatch)
    with pytest.raises((AssertionError, AttributeError, Overloaded, pytest.fail.Exception)):
        test()
