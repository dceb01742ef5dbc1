"""Mandates of the configuration: begun with their agent, a person's change stands, bad ones named."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.portfolio.model import EndMandate, GetMandates, MandateView, RebalanceStatus
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

GOOD: dict[str, Any] = {
    "name": "core", "agent": "mine", "mode": "automatic", "weights": {"AAA": 0.5, "BBB": 0.3},
    "cash_flow": 0.05,
}  # fmt: skip


def entries(*tables: dict[str, Any]) -> Any:
    return parse_config({"portfolio": {"mandates": list(tables)}}).portfolio.mandates


def deck_with(*tables: dict[str, Any]) -> RebalancingDeck:
    return RebalancingDeck(portfolio={"mandates": entries(*tables)})


def mandates(deck: RebalancingDeck) -> tuple[MandateView, ...]:
    return deck.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates


def test_a_mandate_begins_with_its_agent_and_is_traded() -> None:
    deck = deck_with(GOOD, {**GOOD, "name": "later", "agent": "late"})
    (one,) = mandates(deck)
    assert (one.mandate.name, one.set_by, one.mandate.triggers.cash_flow) == ("core", "deck", 0.05)
    deck.walk(3)
    assert [each.status for each in deck.rebalances()] == [RebalanceStatus.DONE]
    assert deck.held("AAA") > 0
    deck.join("late")
    assert [each.mandate.name for each in mandates(deck)] == ["core", "later"]


def test_a_mandate_whose_agent_has_not_joined_is_told_until_it_has() -> None:
    deck = deck_with(GOOD, {**GOOD, "name": "later", "agent": "late"})

    def waiting() -> list[str]:
        view = deck.rebalancing.mandates(GetMandates(), OPERATOR_CALLER)
        return [each.name for each in view.waiting]

    def told() -> dict[str, float | None]:
        numbers = [
            each
            for each in deck.said(NumbersPublished)
            if each.name == "portfolio.waiting_mandates_count"
        ]
        return dict(numbers[-1].values)

    deck.bar()
    assert waiting() == ["later"]
    assert told() == {"core": 0.0, "later": 1.0}
    deck.join("late")
    deck.bar()
    assert waiting() == []
    assert told() == {"core": 0.0, "later": 0.0}


def test_what_a_person_ended_stays_ended_after_a_restart() -> None:
    deck = deck_with(GOOD)
    digest = deck.digest()
    deck.restart()
    assert deck.digest() == digest
    assert len(mandates(deck)) == 1
    deck.bar()
    deck.send(EndMandate(name="core", reason="a test"))
    deck.restart()
    deck.bar()
    assert mandates(deck) == ()


@pytest.mark.parametrize(
    ("table", "key", "accepted"),
    [
        ({**GOOD, "mode": "sometimes"}, "mode", "automatic, approval, advisory"),
        ({**GOOD, "weights": {"ZZZ": 0.5}}, "weights", "AAA, BBB, CCC"),
        ({**GOOD, "weights": {"AAA": 1.5}}, "weights.AAA", "between 0 and 1"),
        ({**GOOD, "objective": "hrp"}, "objective", "either an objective or weights"),
        ({**GOOD, "weights": {}}, "objective", "either an objective or weights"),
        ({**GOOD, "weights": {}, "objective": "luck"}, "objective", "max-sharpe"),
        ({**GOOD, "every": "decade"}, "every", "day, week, month, quarter, year"),
        ({**GOOD, "drift": -0.1}, "drift", "above 0"),
        ({**GOOD, "sessions": 0}, "sessions", "1 to"),
        ({**GOOD, "slices": 0}, "slices", "1 to 100"),
        ({**GOOD, "horizon_bars": 0}, "horizon_bars", "1 to"),
        ({**GOOD, "risk_aversion": 0.0}, "risk_aversion", "above 0"),
        ({**GOOD, "approve_within_bars": 0}, "approve_within_bars", "1 to"),
        ({**GOOD, "name": ""}, "name", "1 to 64 characters"),
        ({**GOOD, "agent": " "}, "agent", "the name of an agent"),
    ],
)
def test_a_bad_mandate_names_its_key_its_value_and_what_is_accepted(
    table: dict[str, Any], key: str, accepted: str
) -> None:
    with pytest.raises(DomainError) as refused:
        deck_with(table)
    assert refused.value.field == f"portfolio.mandates[0].{key}"
    assert refused.value.value is not None
    assert accepted in str(refused.value.accepted)


def test_two_mandates_of_one_name_or_agent_and_unknown_keys_are_refused() -> None:
    for second, key in (
        ({**GOOD, "name": "other"}, "agent"),
        ({**GOOD, "agent": "other"}, "name"),
    ):
        with pytest.raises(InvalidInput) as refused:
            deck_with(GOOD, second)
        assert refused.value.field == f"portfolio.mandates[1].{key}"
    with pytest.raises(InvalidInput, match="drifts"):
        entries({**GOOD, "drifts": 0.1})
    with pytest.raises(InvalidInput, match="slices"):
        entries({**GOOD, "slices": "two"})
