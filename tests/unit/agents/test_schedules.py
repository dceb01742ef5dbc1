"""Work comes by itself, once per nominal instant."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from quarterdeck.agents.model import (
    AddSchedule,
    GetFires,
    GetSchedules,
    NewTask,
    RemoveSchedule,
    ScheduleTrigger,
    TaskState,
    TurnSchedules,
)
from quarterdeck.agents.service import schedules
from quarterdeck.alerts.model import AlertRaised
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from quarterdeck.kernel.ids import EpisodeId, RuleId
from quarterdeck.kernel.time import HOUR, SECOND, Nanos, parse_rfc3339
from quarterdeck.kernel.vocabulary import AlertCategory, Clock, Regime, Severity, TaskType
from quarterdeck.portfolio.model import DriftMeasured, DriftOf
from quarterdeck.runtime.config import AgentsSection
from tests.unit.agents.conftest import memory

WORK = NewTask(type=TaskType.ANALYSIS, title="look", capability="c", input={"symbol": "A"})


def trigger(kind: str, **fields: object) -> ScheduleTrigger:
    return msgspec.convert({"kind": kind, **fields}, ScheduleTrigger)


def add(deck, name: str = "s", who: str = "operator", task: NewTask = WORK, **fields: object):
    kind = str(fields.pop("kind"))
    return deck.do("add", AddSchedule(name=name, trigger=trigger(kind, **fields), task=task), who)


def made(deck) -> list[tuple[str, str]]:
    tasks = sorted(deck.service.board.tasks.values(), key=lambda task: task.number)
    return [(task.entry or "", task.input["fired"]["nominal"]) for task in tasks]


def finish(deck) -> None:
    for task in list(deck.service.board.tasks.values()):
        if task.state is TaskState.READY:
            claim = deck.claim("ann").claim
            deck.complete("ann", claim.task_id, claim.lease_token)


def turn(deck) -> int:
    return deck.do("turn", TurnSchedules()).fired


def fires(deck):
    answer = schedules.fires(deck.service, GetFires(), None, deck.history)
    return asyncio.run(answer).fires


def test_once_fires_once(deck) -> None:
    deck.bars()
    view = add(deck, kind="once", clock=Clock.MARKET, at="1970-01-03T12:00:00Z")
    assert view.next_at == "1970-01-03T12:00:00Z"
    for _ in range(4):
        deck.bars()
    assert made(deck) == [("schedule:s", "1970-01-03T12:00:00Z")]
    shown = schedules.schedules(deck.service, GetSchedules(), None).schedules[0]
    assert (shown.fired, shown.next_at, shown.done) == (1, None, True)


def test_an_interval_in_bars_counts_slices(deck) -> None:
    deck.outside("ann", "c", slots=9)
    deck.bars()
    add(deck, kind="interval", clock=Clock.MARKET, every_bars=2)
    for _ in range(5):
        deck.bars()
        finish(deck)
    assert [key for _, key in made(deck)] == ["slice 2", "slice 4"]


def test_an_interval_in_machine_time_needs_no_bars(deck) -> None:
    deck.outside("ann", "c", slots=9)
    add(deck, kind="interval", clock=Clock.MACHINE, every_s=60)
    assert turn(deck) == 0
    deck.pass_seconds(60)
    assert turn(deck) == 1
    assert turn(deck) == 0
    finish(deck)
    # What was missed while nobody looked is made up for once.
    deck.pass_seconds(600)
    assert turn(deck) == 1
    assert turn(deck) == 0
    assert [key for _, key in made(deck)] == ["1970-01-01T00:17:40Z", "1970-01-01T00:18:40Z"]
    deck.pass_seconds(60)
    finish(deck)
    assert turn(deck) == 1


def test_a_day_with_an_hour_twice_has_one_daily_run_and_both_hourly_ones(deck) -> None:
    deck.outside("ann", "c", slots=9)
    deck.machine_at = parse_rfc3339("2026-10-24T22:00:00Z")
    add(
        deck,
        "daily",
        kind="cron",
        clock=Clock.MACHINE,
        expression="30 2 * * *",
        zone="Europe/Berlin",
    )
    add(
        deck,
        "hourly",
        kind="cron",
        clock=Clock.MACHINE,
        expression="0 * * * *",
        zone="Europe/Berlin",
    )
    for _ in range(4 * 8):
        deck.machine_at = Nanos(deck.machine_at + HOUR // 4)
        turn(deck)
        finish(deck)
        deck.service = deck.restarted()
    names = [(entry, key) for entry, key in made(deck)]
    assert len(names) == len(set(names))
    assert [key for entry, key in names if entry == "schedule:daily"] == [
        "2026-10-25T02:30 Europe/Berlin"
    ]
    hours = [key for entry, key in names if entry == "schedule:hourly"]
    assert len(hours) == 8
    assert [key for key in hours if key.endswith("again")] == [
        "2026-10-25T02:00 Europe/Berlin again"
    ]


def test_a_session_fires_with_the_first_bar_after_it(deck) -> None:
    deck.bars()
    add(deck, kind="session", clock=Clock.MARKET, market="XNYS", moment="close", offset_min=15)
    # Thursday was New Year's Day of 1970; Friday's close is told by Saturday's bar.
    for _ in range(2):
        deck.bars()
    assert [key for _, key in made(deck)] == ["1970-01-02T16:00 America/New_York"]


def test_an_event_fires_for_its_subject_and_value(deck) -> None:
    deck.bars()
    add(deck, "any", kind="event", event="regime_changed")
    add(deck, "one", kind="event", event="regime_changed", subject="A", value="breakout")
    deck.regime("A", Regime.VOLATILE)
    deck.regime("B", Regime.BREAKOUT)
    deck.regime("A", Regime.BREAKOUT)
    entries = [entry for entry, _ in [
        (task.entry, 0) for task in deck.service.board.tasks.values() if task.entry.startswith("schedule:")
    ]]  # fmt: skip
    assert sorted(entries) == ["schedule:any:A", "schedule:any:B", "schedule:one:A"]
    # The second change of A found the task of the first one open.
    assert [(one.name, one.task_id is None) for one in fires(deck)] == [
        ("one", False), ("any", True), ("any", False), ("any", False),
    ]  # fmt: skip


def test_an_alert_fires_and_its_task_is_told_of_it(deck) -> None:
    deck.bars()
    add(deck, kind="event", event="alert_raised", subject="var-high", value="critical")
    for severity in (Severity.WARNING, Severity.CRITICAL):
        deck.hear(
            AlertRaised(
                at=Nanos(0), slice=0, episode_id=EpisodeId(f"e-{severity.value}"), rule_id=RuleId("var-high"),
                category=AlertCategory.RISK, severity=severity, subject="A", number="n", value=2.0,
                threshold=1.0, text="too much",
            )
        )  # fmt: skip
    (task,) = deck.service.board.tasks.values()
    assert task.input["symbol"] == "A"
    assert task.input["fired"]["episode"] == "e-critical"


def test_a_task_that_grows_too_large_with_what_fired_it_is_recorded_and_not_made(deck) -> None:
    deck.bars()
    large = msgspec.structs.replace(WORK, input={"note": "y" * 16_200})
    add(deck, task=large, kind="event", event="alert_raised")
    deck.hear(
        AlertRaised(
            at=Nanos(0), slice=0, episode_id=EpisodeId("e"), rule_id=RuleId("var-high"),
            category=AlertCategory.RISK, severity=Severity.WARNING, subject="A", number="n", value=2.0,
            threshold=1.0, text="too much " * 40,
        )
    )  # fmt: skip
    assert not deck.service.board.tasks
    (fire,) = fires(deck)
    assert fire.task_id is None
    assert "at most 16384 bytes" in fire.reason
    assert memory(deck.restarted()) == memory(deck.service)


def test_what_comes_due_while_a_task_is_open_is_recorded_and_not_piled_up(deck) -> None:
    add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)
    for _ in range(3):
        deck.pass_seconds(10)
        turn(deck)
    shown = schedules.schedules(deck.service, GetSchedules(), None).schedules[0]
    assert (shown.fired, shown.skipped) == (1, 2)
    assert [one.reason for one in fires(deck)][:2] == ["its task before is open still"] * 2


def test_before_trading_opens_market_time_passes_without_work(deck) -> None:
    deck.bars(warming_up=True)
    add(deck, kind="interval", clock=Clock.MARKET, every_bars=1)
    deck.bars(warming_up=True)
    assert made(deck) == []
    deck.bars()
    assert [key for _, key in made(deck)] == ["slice 2"]


def test_a_full_queue_skips_and_says_so(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks=1))
    deck.task()
    add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)
    deck.pass_seconds(10)
    turn(deck)
    assert fires(deck)[0].reason == "the queue is full: 1 open tasks"


def test_schedules_survive_a_restart(deck) -> None:
    add(deck, "a", kind="cron", clock=Clock.MACHINE, expression="*/5 * * * *")
    add(deck, "b", kind="event", event="drift_exceeded", subject="max-sharpe", over=0.1)
    deck.pass_seconds(400)
    turn(deck)
    again = deck.restarted()
    assert again.schedules == deck.service.schedules
    assert again.last_fire == deck.service.last_fire == 1
    assert memory(again) == memory(deck.service)


def test_a_schedule_removed_fires_no_more_and_its_name_is_free(deck) -> None:
    add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)
    with pytest.raises(Conflict):
        add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)
    deck.do("remove", RemoveSchedule(name="s", reason="done"))
    deck.pass_seconds(60)
    assert turn(deck) == 0
    with pytest.raises(NotFound):
        deck.do("remove", RemoveSchedule(name="s", reason="done"))
    add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)


def test_an_agent_removes_only_its_own(deck) -> None:
    deck.outside("ann", "c")
    add(deck, "theirs", kind="interval", clock=Clock.MACHINE, every_s=10)
    add(deck, "mine", "ann", kind="interval", clock=Clock.MACHINE, every_s=10)
    with pytest.raises(NotPermitted):
        deck.do("remove", RemoveSchedule(name="theirs", reason="r"), "ann")
    deck.do("remove", RemoveSchedule(name="mine", reason="r"), "ann")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "once", "clock": "market"}, "trigger.at"),
        ({"kind": "once", "at": "2030-01-01"}, "trigger.clock"),
        ({"kind": "once", "clock": "market", "at": "soon"}, "trigger.at"),
        ({"kind": "once", "clock": "machine", "at": "1960-01-01"}, "trigger"),
        ({"kind": "interval", "clock": "market"}, "trigger.every_s"),
        ({"kind": "interval", "clock": "market", "every_s": 1, "every_bars": 1}, "trigger.every_s"),
        ({"kind": "interval", "clock": "machine", "every_s": 0}, "trigger.every_s"),
        ({"kind": "interval", "clock": "machine", "every_bars": 5}, "trigger.clock"),
        ({"kind": "cron", "clock": "machine", "expression": "0 0 31 2 *"}, "trigger"),
        ({"kind": "cron", "clock": "machine", "expression": "x"}, "trigger.expression"),
        ({"kind": "cron", "clock": "machine", "expression": "* * * * *", "zone": "x"}, "trigger.zone"),
        ({"kind": "cron", "clock": "machine", "expression": "* * * * *", "at": "2030-01-01"}, "trigger.at"),
        ({"kind": "session", "clock": "market", "market": "XXXX", "moment": "open"}, "trigger.market"),
        ({"kind": "event", "event": "drift_exceeded", "over": 0.1}, "trigger.subject"),
        ({"kind": "event", "event": "drift_exceeded", "subject": "m"}, "trigger.over"),
        (
            {"kind": "event", "event": "drift_exceeded", "subject": "m", "value": "x", "over": 0.1},
            "trigger.value",
        ),
        ({"kind": "event", "event": "drift_exceeded", "subject": "m", "over": float("nan")}, "trigger.over"),
        ({"kind": "event", "event": "regime_changed", "over": 0.5}, "trigger.over"),
        ({"kind": "event", "event": "regime_changed", "value": "sunny"}, "trigger.value"),
        ({"kind": "event", "event": "alert_raised", "value": "volatile"}, "trigger.value"),
    ],
)  # fmt: skip
def test_a_trigger_that_says_too_little_or_too_much_is_refused_by_name(deck, fields, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        add(deck, **fields)
    assert refusal.value.field == field


def test_a_task_that_would_be_refused_is_refused_with_the_schedule(deck) -> None:
    for task, field in (
        (NewTask(type=TaskType.ANALYSIS, title="", capability="c"), "task.title"),
        (NewTask(type=TaskType.ANALYSIS, title="t", capability="c", lease_s=1), "task.lease_s"),
        (NewTask(type=TaskType.ANALYSIS, title="t", capability="c", depends_on=("x",)), "task.depends_on"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refusal:
            add(deck, task=task, kind="interval", clock=Clock.MACHINE, every_s=10)
        assert refusal.value.field == field


def test_what_is_due_by_machine_time_alone_needs_neither_bars_nor_claims(deck) -> None:
    deck.outside("ann", "c", slots=4)
    held = deck.task(lease_s=10)
    claim = deck.claim("ann").claim
    late, rests = deck.task(expires_s=20), deck.task(delay_s=15)

    def due(*, tasks: bool = True) -> bool:
        return deck.service.due_by_clock(deck.machine_at, tasks=tasks)

    assert not due()
    deck.pass_seconds(11)
    assert due()
    assert not due(tasks=False)
    turn(deck)
    assert deck.state_of(held.task_id) == "ready"
    with pytest.raises(Conflict):
        deck.complete("ann", claim.task_id, claim.lease_token)
    deck.pass_seconds(10)
    turn(deck)
    assert [deck.state_of(one.task_id) for one in (late, rests)] == ["cancelled", "ready"]
    assert not due()


def test_the_machine_clock_is_that_of_the_step(deck) -> None:
    view = add(deck, kind="interval", clock=Clock.MACHINE, every_s=10)
    assert parse_rfc3339(view.next_at) == deck.machine_at + 10 * SECOND


def drifted(
    deck, drift: float, subject: str = "max-sharpe", of: DriftOf = DriftOf.PROPOSAL
) -> None:
    deck.hear(DriftMeasured(at=Nanos(0), slice=deck.slice, of=of, subject=subject, drift=drift))


def test_a_drift_fires_once_until_it_has_fallen_back(deck) -> None:
    deck.outside("ann", "c", slots=9)
    add(deck, kind="event", event="drift_exceeded", subject="max-sharpe", over=0.1)
    drifted(deck, 0.1)
    assert made(deck) == []
    for drift in (0.2, 0.3, 0.11):
        deck.bars()
        drifted(deck, drift)
        finish(deck)
    assert [key for _, key in made(deck)] == ["proposal max-sharpe in slice 0"]
    drifted(deck, 0.05, subject="min-volatility")
    drifted(deck, 0.4)
    assert len(made(deck)) == 1
    drifted(deck, 0.05)
    assert memory(deck.restarted()) == memory(deck.service)
    deck.bars()
    drifted(deck, 0.2)
    assert [key for _, key in made(deck)][1:] == ["proposal max-sharpe in slice 3"]
    assert deck.service.schedules["s"].fired == 2


def test_the_drift_of_an_account_is_not_that_of_a_proposal(deck) -> None:
    add(deck, kind="event", event="drift_exceeded", subject="m", value="account", over=0.1)
    drifted(deck, 0.5, "m")
    assert made(deck) == []
    drifted(deck, 0.5, "m", DriftOf.ACCOUNT)
    assert len(made(deck)) == 1


def test_a_schedule_of_an_owner_whose_queue_is_full_skips_and_says_so(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks_per_owner=1))
    deck.outside("ann", "c")
    deck.task()
    add(deck, "theirs", "ann", kind="interval", clock=Clock.MACHINE, every_s=10)
    add(deck, "mine", kind="interval", clock=Clock.MACHINE, every_s=10)
    deck.pass_seconds(10)
    turn(deck)
    reasons = {fire.name: fire.reason for fire in fires(deck)}
    assert reasons == {
        "theirs": None,
        "mine": "operator has 1 open tasks, the most of one owner",
    }
