"""Inputs and results have types, and a result has a worth."""

from __future__ import annotations

import pytest

from quarterdeck.agents.core import contents
from quarterdeck.agents.core.skill import ANY
from quarterdeck.agents.model import GetTaskTypes, TaskState
from quarterdeck.agents.service import reading
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.vocabulary import TaskType


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("analysis", {"symbol": 5}, "input.symbol"),
        ("analysis", {"symbols": ["A", ""]}, "input.symbols[1]"),
        ("analysis", {"from": []}, "input.from"),
        ("trading", {"max_orders": 0}, "input.max_orders"),
        ("monitoring", {"checks": "all"}, "input.checks"),
        ("optimization", {"parameters": {"a": [1, "x"]}}, "input.parameters[...][1]"),
        ("research", {"folds": 1.5}, "input.folds"),
        ("research", {"fired": 1}, "input.fired"),
    ],
)
def test_an_input_of_the_wrong_type_is_refused_by_the_name_of_its_part(
    deck, kind, given, field
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        deck.task(type=TaskType(kind), input=given)
    assert refusal.value.field == field
    assert kind in str(refusal.value.message)


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("analysis", {"rows": [1]}, "result.rows[0]"),
        ("trading", {"orders": "two"}, "result.orders"),
        ("monitoring", {"findings": {}}, "result.findings"),
        ("optimization", {"weights": {"A": "half"}}, "result.weights[...]"),
        ("research", {"statistics": {"sharpe": "high"}}, "result.statistics[...]"),
        ("research", {"score": 1.01}, "result.score"),
        ("research", {"score": True}, "result.score"),
    ],
)
def test_a_result_of_the_wrong_type_is_refused_and_may_be_handed_in_right(
    deck, kind, given, field
) -> None:
    deck.outside("ann", "c")
    task = deck.task(type=TaskType(kind))
    claim = deck.claim("ann").claim
    with pytest.raises(InvalidInput) as refusal:
        deck.complete("ann", task.task_id, claim.lease_token, result=given)
    assert refusal.value.field == field
    assert deck.state_of(task.task_id) == "leased"
    done = deck.complete("ann", task.task_id, claim.lease_token, result={"score": 0.5, "more": [1]})
    assert done.state is TaskState.COMPLETED


def test_what_is_not_named_is_free(deck) -> None:
    for kind in TaskType:
        assert deck.task(type=kind, input={"own": {"deep": [1]}}).input == {"own": {"deep": [1]}}


def test_every_type_tells_what_it_wants(deck) -> None:
    told = reading.types(deck.service, GetTaskTypes(), None).types
    assert [one.type for one in told] == list(TaskType)
    for one in told:
        assert "symbol" in one.input["properties"]
        assert "score" in one.result["properties"]
        assert "$ref" not in str(one.input) + str(one.result)


def record(deck, who: str = "ann"):
    return deck.service.skills.records.get((AgentId(who), TaskType.TRADING, ANY))


def trade(deck) -> None:
    deck.task(type=TaskType.TRADING)
    claim = deck.claim("ann").claim
    deck.complete("ann", claim.task_id, claim.lease_token, result={"score": 1.0})


def test_trading_is_judged_by_what_the_agent_owns_some_bars_later(deck) -> None:
    deck.outside("ann", "c")
    deck.bars()
    deck.accounts.units["ann"] = 100_000
    trade(deck)
    for _ in range(contents.JUDGED_AFTER_BARS - 1):
        deck.bars()
        assert record(deck) is None
    deck.service = deck.restarted()
    deck.accounts.units["ann"] = 99_500
    deck.bars()
    assert record(deck).gain == pytest.approx(0.25)
    assert deck.service.judgements == {}
    assert deck.restarted().judgements == {}


def test_without_an_account_a_result_is_worth_its_score(deck) -> None:
    deck.outside("ann", "c")
    trade(deck)
    assert record(deck).gain == 1.0


def test_a_failure_to_trade_counts_at_once(deck) -> None:
    deck.outside("ann", "c")
    deck.accounts.units["ann"] = 100_000
    deck.task(type=TaskType.TRADING)
    claim = deck.claim("ann").claim
    deck.complete("ann", claim.task_id, claim.lease_token, failed=True, reason="no")
    assert record(deck).gain == 0.0


def test_what_monitoring_found_is_a_number_that_rules_watch(deck) -> None:
    deck.outside("ann", "c")
    for found in ([{"text": "a"}, {"text": "b"}], []):
        deck.task(type=TaskType.MONITORING)
        claim = deck.claim("ann").claim
        deck.complete("ann", claim.task_id, claim.lease_token, result={"findings": found})
        deck.service = deck.restarted()
        said = [m for m in deck.bars().messages if isinstance(m, NumbersPublished)]
        assert (said[0].name, dict(said[0].values)) == (
            "agents.findings_count",
            {"ann": len(found)},
        )


def test_gain_and_loss_are_worth_the_same_around_a_half() -> None:
    for moved in (0, 3, 10, 50):
        up = contents.trading_quality(before=1_000, after=1_000 + moved)
        down = contents.trading_quality(before=1_000, after=1_000 - moved)
        assert up + down == pytest.approx(1.0)
        assert 0.5 <= up <= 1.0
    assert contents.trading_quality(before=0, after=5) == 0.5
