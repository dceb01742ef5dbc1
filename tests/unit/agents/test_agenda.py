"""What the deck asks for by itself: work that comes round, and reviews of new regimes."""

from __future__ import annotations

import asyncio

import pytest

from quarterdeck.agents.model import GetAgents, GetTask, GetTasks, TaskState
from quarterdeck.agents.service import people, reading
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.runtime.config import AgentsSection, ScheduleEntry
from tests.unit.agents.conftest import memory

SWEEP = ScheduleEntry(name="sweep", type="analysis", capability="s", title="sweep", every_bars=4)
TRADE = ScheduleEntry(
    name="trade",
    type="trading",
    capability="t",
    title="trade",
    every_bars=2,
    priority="high",
    after="sweep",
)
AGENDA = AgentsSection(schedule=(SWEEP, TRADE))


def titles(deck) -> list[str]:
    return [task.title for task in deck.service.board.tasks.values() if not task.state.final]


def test_nothing_comes_round_before_trading_opens(deck_with) -> None:
    deck = deck_with(AGENDA)
    for _ in range(9):
        deck.bars(warming_up=True)
    assert titles(deck) == []


def test_an_entry_waits_for_the_one_it_comes_after_in_the_same_slice(deck_with) -> None:
    deck = deck_with(AGENDA)
    deck.builtin("trend", "s", "t")
    deck.bars()
    sweep, trade = deck.service.board.tasks.values()
    assert trade.depends_on == (sweep.task_id,)
    assert trade.state is TaskState.BLOCKED
    claim = deck.claim("trend").claim
    deck.complete("trend", claim.task_id, claim.lease_token)
    claim = deck.claim("trend").claim
    deck.complete("trend", claim.task_id, claim.lease_token)
    deck.bars()
    assert titles(deck) == []
    deck.bars()
    alone = [t for t in deck.service.board.tasks.values() if not t.state.final]
    assert [(t.title, t.state, t.depends_on) for t in alone] == [("trade", TaskState.READY, ())]


def test_an_entry_never_piles_up(deck_with) -> None:
    deck = deck_with(AGENDA)
    for _ in range(20):
        deck.bars()
    assert titles(deck) == ["sweep", "trade"]


def test_a_new_regime_asks_for_one_review_of_the_latest(deck) -> None:
    deck.builtin("trend", "regime-review")
    deck.bars()
    deck.regime("A", Regime.VOLATILE)
    deck.regime("B", Regime.BREAKOUT)
    deck.regime("A", Regime.TRENDING_UP)
    waiting = [t for t in deck.service.board.tasks.values() if t.state is TaskState.READY]
    assert [t.input["symbol"] for t in waiting] == ["B", "A"]
    assert waiting[1].input == {"symbol": "A", "from": "ranging", "to": "trending_up", "slice": 0}
    claim = deck.claim("trend").claim
    assert claim.input["symbol"] == "B"
    deck.regime("B", Regime.RANGING)
    assert deck.state_of(claim.task_id) == "leased"


def test_an_overtaken_review_that_comes_back_is_still_known_after_a_restart(deck) -> None:
    deck.builtin("trend", "regime-review")
    deck.bars()
    deck.regime("A", Regime.VOLATILE)
    first = deck.claim("trend").claim
    deck.regime("A", Regime.BREAKOUT)
    deck.complete("trend", first.task_id, first.lease_token, failed=True, reason="no")
    assert memory(deck.restarted()) == memory(deck.service)
    deck.regime("A", Regime.RECOVERY)
    waiting = [t for t in deck.service.board.tasks.values() if t.state is TaskState.READY]
    assert [t.input["to"] for t in waiting] == ["recovery"]
    assert memory(deck.restarted()) == memory(deck.service)


@pytest.mark.parametrize(("entry", "field"), [
    ({"type": "dreaming"}, "agents.schedule"), ({"priority": "top"}, "agents.schedule"),
    ({"capability": "No"}, "agents.schedule[0].capability"),
    ({"after": "later"}, "agents.schedule[0].after"), ({"title": ""}, "agents.schedule[0].title"),
    ({"name": "regime-review:A"}, "agents.schedule[0].name"),
])  # fmt: skip
def test_an_agenda_that_contradicts_itself_refuses_to_load(deck_with, entry, field) -> None:
    fields = {"name": "x", "type": "analysis", "capability": "c", "title": "t", "every_bars": 1}
    section = AgentsSection(schedule=(ScheduleEntry(**{**fields, **entry}),))
    with pytest.raises(InvalidInput) as refusal:
        deck_with(section)
    assert refusal.value.field == field


def test_every_slice_publishes_how_full_everybody_is(deck) -> None:
    deck.builtin("trend", "c")
    deck.task()
    deck.task()
    deck.claim("trend")
    said = [m for m in deck.bars().messages if isinstance(m, NumbersPublished)]
    assert [(m.name, dict(m.values)) for m in said] == [
        ("agents.dead_letters_count", {"deck": 0.0}),
        ("agents.late_tasks_count", {"deck": 0.0}),
        ("agents.ready_tasks_count", {"deck": 1.0}),
        ("agents.utilisation_fraction", {"trend": 1 / 3}),
    ]


def test_a_page_is_newest_first_and_leads_to_the_next(deck) -> None:
    ids = [deck.task(title=f"t{n}").task_id for n in range(5)]
    page = asyncio.run(reading.tasks(deck.service, GetTasks(limit=2), None, deck.history))
    assert [t.task_id for t in page.tasks] == ids[:2:-1]
    assert page.counts["unmatchable"] == 5
    rest = asyncio.run(reading.tasks(deck.service, GetTasks(before=page.next), None, deck.history))
    assert [t.task_id for t in rest.tasks] == ids[2::-1]
    assert rest.next is None
    assert rest.tasks[0].why == "no agent has the capability c; it waits for one that fits"
    with pytest.raises(InvalidInput):
        asyncio.run(reading.tasks(deck.service, GetTasks(limit=0), None, deck.history))
    with pytest.raises(NotFound):
        asyncio.run(reading.task(deck.service, GetTask(task_id="x"), None, deck.history))


def test_agents_are_listed_by_name_and_survive_a_restart(deck) -> None:
    deck.outside("zoe", "c")
    deck.builtin("trend", "c")
    before = people.agents(deck.service, GetAgents(), None)
    assert [a.agent for a in before.agents] == ["trend", "zoe"]
    assert people.agents(deck.restarted(), GetAgents(), None) == before
