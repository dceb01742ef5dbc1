"""What agents have shown decides who gets the work, carefully and not for ever."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.agents.core import skill
from quarterdeck.agents.core.skill import ANY, Skills, decay, estimate
from quarterdeck.agents.model import GetSkills
from quarterdeck.agents.service import people
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import Regime, TaskType
from quarterdeck.runtime.config import AgentsSection
from tests.unit.agents.test_matching import why
from tests.unit.agents.test_work import held

ANN, BOB = AgentId("ann"), AgentId("bob")
KIND = TaskType.TRADING


def shown(skills: Skills, agent: AgentId, outcomes: str, *, at: int = 0, regime=None) -> int:
    """``+`` is a success, ``-`` a failure; return the score after the last."""
    for outcome in outcomes:
        quality = 1.0 if outcome == "+" else None
        skills.note(agent, KIND, regime, quality=quality, took_ms=10.0, slice_index=at)
    return skills.score_ppm(agent, KIND, regime)


@given(st.integers(0, 5_000))
def test_weights_halve_with_every_half_life_and_never_grow(slices: int) -> None:
    assert decay(slices) >= decay(slices + 1) > 0
    assert math.isclose(decay(slices + skill.HALF_LIFE_SLICES), decay(slices) / 2)
    assert abs(decay(slices) - 0.5 ** (slices / skill.HALF_LIFE_SLICES)) < 0.05


def test_a_lucky_agent_is_not_crowned() -> None:
    skills = Skills()
    lucky = shown(skills, ANN, "+" * skill.TRIALS)
    proven = shown(skills, BOB, "+" * 40 + "-" * 3)
    assert proven > lucky


def test_trials_are_bounded_and_one_more_is_given_when_the_record_has_faded() -> None:
    skills = Skills()
    assert shown(skills, ANN, "---") > 400_000, "still being tried"
    tried = shown(skills, ANN, "-")
    assert tried < 300_000
    list(skills.refreshed(20 * skill.HALF_LIFE_SLICES))
    assert skills.score_ppm(ANN, KIND, None) > tried + 300_000


def test_a_record_in_a_regime_leans_on_the_record_over_all() -> None:
    skills = Skills()
    shown(skills, ANN, "+" * 30, regime=Regime.RANGING)
    shown(skills, ANN, "-" * 5, regime=Regime.VOLATILE)
    overall = skills.records[ANN, KIND, ANY]
    calm, _, _ = estimate(skills.records[ANN, KIND, "ranging"], overall, slice_index=0)
    wild, _, _ = estimate(skills.records[ANN, KIND, "volatile"], overall, slice_index=0)
    assert wild < 0.45 < 0.8 < calm
    assert skills.score_ppm(ANN, KIND, Regime.BREAKOUT) == overall.score_ppm


def test_work_is_kept_a_moment_for_the_agent_that_does_it_better(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=0, hold_ms=5_000))
    deck.outside("ann", "c", "x", slots=2)
    deck.outside("bob", "c", "y", slots=2)
    for _ in range(6):
        for who, capability in (("ann", "x"), ("bob", "y")):
            task = deck.task(capability, max_attempts=1)
            claim = held(deck.claim(who))
            failed = {"failed": True, "reason": "no"} if who == "bob" else {}
            deck.complete(who, task.task_id, claim.lease_token, **failed)
    task = deck.task("c")
    refused = deck.claim("bob")
    assert refused.kept
    assert (refused.claim, refused.retry_after_ms) == (None, 5_000)
    assert "do such work better" in refused.reason
    deck.pass_seconds(5)
    assert held(deck.claim("bob")).task_id == task.task_id
    assert "scores 0." in deck.service.board.tasks[task.task_id].because
    seen = {one.agent: one.score_ppm for one in why(deck, task.task_id).factors.considered}
    assert seen["ann"] > seen["bob"]
    fresh = deck.restarted()
    assert fresh.board.ready == deck.service.board.ready


def test_work_is_kept_in_vain_once_for_an_agent_that_is_gone(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=0, hold_ms=5_000))
    deck.outside("ann", "c", "x", slots=2)
    deck.outside("bob", "c", "y", slots=2)
    fleet = deck.service.board.ready.fleet
    fleet.set_score("bob", KIND, 400_000)

    def kept() -> bool:
        """Whether the next task is kept from Bob, who takes it in any case."""
        task = deck.task("c", type=KIND)
        first = deck.claim("bob")
        if first.claim is None:
            deck.pass_seconds(5)
        claim = first.claim or held(deck.claim("bob"))
        deck.complete("bob", task.task_id, claim.lease_token, result={"score": 0.0})
        fleet.set_score("bob", KIND, 400_000)
        return first.kept

    assert [kept() for _ in range(4)] == [True, False, False, False]
    assert deck.service.members["ann"].missed
    assert deck.restarted().members == deck.service.members
    # She asks and there is nothing for her: she is not back yet, and nothing is written.
    assert deck.claim("ann").claim is None
    assert not deck.last.rows
    assert not kept()
    task = deck.task("x", type=KIND)
    claim = held(deck.claim("ann"))
    deck.complete("ann", task.task_id, claim.lease_token)
    assert not deck.service.members["ann"].missed
    assert deck.restarted().members == deck.service.members
    assert kept(), "she is back"


def test_nobody_is_missed_where_work_waits_for_a_free_slot(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=0, hold_ms=5_000))
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    deck.service.board.ready.fleet.set_score("bob", KIND, 400_000)
    deck.task("c", type=KIND)
    deck.pass_seconds(11)
    assert held(deck.claim("bob"))
    assert not deck.service.members["ann"].missed


def test_the_prevailing_regime_decides_which_record_counts(deck) -> None:
    deck.outside("ann", "c")
    for symbol in "ABC":
        deck.regime(symbol, Regime.TRENDING_UP)
    task = deck.task("c", input={"symbol": "A"})
    claim = held(deck.claim("ann"))
    deck.complete("ann", task.task_id, claim.lease_token, result={"score": 0.25})
    view = people.skills(deck.service, GetSkills(agent="ann"), None)
    assert view.prevailing is Regime.TRENDING_UP
    assert [(s.regime, s.trials) for s in view.skills] == [("any", 1), ("trending_up", 1)]
    assert math.isclose(view.skills[0].mean, (0.25 + 1.5) / 4, rel_tol=0.001)
    for symbol in "ABC":
        deck.regime(symbol, Regime.BREAKDOWN)
    assert deck.service.board.ready.fleet.regime is Regime.BREAKDOWN
    assert deck.restarted().board.ready == deck.service.board.ready
