"""What risk lets pass is in force at the gate at once, beside what persons have set, and comes back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.model import GetGate, GetStop, Scope, SetLimit
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.risk.model import (
    BoundedCluster,
    ClustersBounded,
    GateRestrained,
    Response,
    ResponseState,
    RiskResponded,
    RiskScope,
)
from quarterdeck.runtime.config import ClusterEntry, LimitsSection
from tests.unit.execution.deck import Deck, agent_caller, codes, open_deck


def restrain(
    deck: Deck, scope: RiskScope, subject: str, *, reducing: bool, credit: int | None = None
) -> None:
    deck.tell(
        [
            GateRestrained(
                at=Nanos(0), scope=scope, subject=subject, reducing=reducing, credit_units=credit
            )
        ]
    )


@pytest.mark.parametrize(
    ("scope", "subject"),
    [(RiskScope.INSTRUMENT, "AAA"), (RiskScope.AGENT, "a"), (RiskScope.DECK, "")],
)
def test_only_what_reduces_passes_until_it_is_lifted(scope: RiskScope, subject: str) -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    before = deck.desk.limits.version
    restrain(deck, scope, subject, reducing=True)
    deck.restart()
    assert deck.desk.limits.version == before + 1
    refused = deck.order("AAA", "buy", 1)
    assert codes(refused) == ["TRADING_STATE"]
    assert f"risk, {scope.value} {subject}".strip() in refused.decision.breaches[0].text
    assert deck.order("AAA", "sell", 10).status is OrderStatus.WORKING
    other = deck.order("BBB", "buy", 10)
    assert (other.status is OrderStatus.REFUSED) == (scope is not RiskScope.INSTRUMENT)
    restrain(deck, scope, subject, reducing=False)
    deck.restart()
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    assert codes(deck.order("BBB", "buy", 10)) == []


def test_a_credit_line_bounds_the_gross_exposure_and_never_loosens_a_persons() -> None:
    deck = open_deck()
    restrain(deck, RiskScope.AGENT, "a", reducing=False, credit=500_000_000)
    (row,) = [r for r in deck.ask(GetGate(), agent_caller("a")).limits if r.code == "CREDIT_LINE"]
    assert (row.value, row.scope, row.learned) == ("500", "risk, agent a", True)
    deck.send(
        SetLimit(
            scope=Scope.AGENT, subject="a", name="max_credit_notional", value="300", reason="r"
        )
    )
    (row,) = [r for r in deck.ask(GetGate(), agent_caller("a")).limits if r.code == "CREDIT_LINE"]
    assert (row.value, row.scope, row.learned) == ("300", "agent a", False)
    restrain(deck, RiskScope.AGENT, "a", reducing=False)
    (row,) = [r for r in deck.ask(GetGate(), agent_caller("a")).limits if r.code == "CREDIT_LINE"]
    assert row.value == "300"


def test_the_decks_credit_line_bounds_all_agents_together_and_never_loosens_a_persons() -> None:
    deck = open_deck()
    deck.join("b")
    restrain(deck, RiskScope.DECK, "", reducing=False, credit=2_000 * 10**6)
    deck.restart()
    assert deck.order("AAA", "buy", 15, 100).status is OrderStatus.WORKING
    refused = deck.order("BBB", "buy", 20, 50, by="b")
    (breach,) = refused.decision.breaches
    assert (breach.code, breach.limit, breach.used) == ("ACCOUNT_EXPOSURE", 2_000, 1_500)
    assert refused.decision.max_allowed_now == 10
    for caller in (None, agent_caller("b")):
        limits = (deck.ask(GetGate()) if caller is None else deck.ask(GetGate(), caller)).limits
        (row,) = [one for one in limits if one.code == "ACCOUNT_EXPOSURE"]
        assert (row.value, row.scope, row.learned) == ("2000", "risk, deck", True)
    most = SetLimit(
        scope=Scope.DECK, subject="", name="max_account_notional", value="1750", reason="r"
    )
    deck.send(most)
    for lifted in (False, True):
        if lifted:
            restrain(deck, RiskScope.DECK, "", reducing=False)
            deck.restart()
        (breach,) = deck.order("BBB", "buy", 10, 50, by="b").decision.breaches
        assert (breach.code, breach.limit) == ("ACCOUNT_EXPOSURE", 1_750)


def test_what_an_agents_trades_have_earned_scales_its_learned_position_limits() -> None:
    deck = open_deck()
    deck.join("b")

    def tell(scope: RiskScope, subject: str, share: float | None) -> None:
        said = GateRestrained(
            at=Nanos(0),
            scope=scope,
            subject=subject,
            reducing=False,
            credit_units=None,
            size_share=share,
        )
        deck.tell([said])
        deck.restart()

    tell(RiskScope.AGENT, "a", 0.30000001)
    # Nothing is learned of the instrument: the person's limit holds alone.
    (free,) = {
        deck.desk.position_limit(name, 0, deck.desk.bounds(AgentId(name), 0)) for name in "ab"
    }
    assert free == deck.desk.terms.position_notional
    deck.learn(0, 2_000 * 10**6)
    deck.restart()
    refused = deck.order("AAA", "buy", 7, 100)
    assert codes(refused) == ["POSITION_LIMIT"]
    (breach,) = refused.decision.breaches
    assert (breach.code, breach.limit, breach.level) == (
        "POSITION_LIMIT",
        Decimal("600.000020"),
        "learned",
    )
    assert deck.order("AAA", "buy", 6, 100).status is OrderStatus.WORKING
    assert deck.order("AAA", "buy", 20, 100, by="b").status is OrderStatus.WORKING
    (row,) = [
        r
        for r in deck.ask(GetGate(agent=AgentId("a"))).limits
        if r.name == "learned position limit"
    ]
    assert row.value == "600.00002"
    # An instrument of the agent's name is no agent, and a share above 1 loosens nothing.
    tell(RiskScope.INSTRUMENT, "a", None)
    assert deck.desk.limits.shares == {"a": 30_000_001}
    tell(RiskScope.AGENT, "a", 1.5)
    assert deck.desk.position_limit("a", 0, deck.desk.bounds(AgentId("a"), 0)) == 2_000 * 10**6
    tell(RiskScope.AGENT, "a", None)
    assert deck.desk.limits.shares == {}


def move(deck: Deck, units: int | None, multiplier: float = 0.5) -> None:
    found = () if units is None else (BoundedCluster("AAA", (0, 1), units, multiplier),)
    deck.tell([ClustersBounded(at=Nanos(0), slice=0, clusters=found)])


def test_what_moves_together_is_bounded_together_until_it_parts() -> None:
    deck = open_deck()
    deck.join("b")
    move(deck, 2_000 * 10**6)
    deck.restart()
    assert deck.order("AAA", "buy", 15, 100).status is OrderStatus.WORKING
    refused = deck.order("BBB", "buy", 20, 50, by="b")
    (breach,) = refused.decision.breaches
    assert (breach.code, breach.limit, breach.used) == ("CLUSTER_EXPOSURE", 2_000, 1_500)
    assert refused.decision.max_allowed_now == 10
    assert deck.order("BBB", "buy", 10, 50, by="b").status is OrderStatus.WORKING
    assert deck.order("CCC", "buy", 10, 20, by="b").status is OrderStatus.WORKING
    (row,) = [r for r in deck.ask(GetGate()).limits if r.code == "CLUSTER_EXPOSURE"]
    assert (row.scope, row.value, row.learned) == ("AAA BBB", "2000", True)
    move(deck, None)
    deck.restart()
    assert deck.order("AAA", "buy", 15, 100).status is OrderStatus.WORKING


def test_a_persons_limit_of_a_cluster_is_scaled_and_never_loosened() -> None:
    tech = (ClusterEntry(name="tech", symbols=("AAA", "CCC")),)
    deck = open_deck(limits=LimitsSection(clusters=tech))
    deck.send(
        SetLimit(
            scope=Scope.CLUSTER,
            subject="tech",
            name="max_cluster_notional",
            value="1000",
            reason="r",
        )
    )
    move(deck, 90_000 * 10**6, 0.6)
    (breach,) = deck.order("AAA", "buy", 7, 100).decision.breaches
    assert (breach.code, breach.limit, breach.level) == ("CLUSTER_EXPOSURE", 600, "cluster tech")
    move(deck, 90_000 * 10**6, 7.0)
    (breach,) = deck.order("AAA", "buy", 11, 100).decision.breaches
    assert breach.limit == 1_000


def test_a_learned_stop_refuses_one_further_away_and_says_which_passes() -> None:
    deck = open_deck()
    deck.learn(0, 10**15)
    deck.tell(
        [
            GateRestrained(
                at=Nanos(0),
                scope=RiskScope.AGENT,
                subject="a",
                reducing=False,
                credit_units=None,
                stop_ratio=1.5,
            )
        ]
    )
    deck.restart()
    refused = deck.order("AAA", "buy", 1, 100, stop_loss=96.99)
    assert codes(refused) == ["STOP_LOSS_MISSING"]
    (breach,) = refused.decision.breaches
    assert breach.level == "risk, agent a"
    assert "97 it passes" in breach.text
    assert deck.order("AAA", "buy", 1, 100, stop_loss=97).status is OrderStatus.WORKING
    assert codes(deck.order("AAA", "sell", 1, 100, stop_loss=103.01)) == ["STOP_LOSS_MISSING"]
    assert deck.order("AAA", "buy", 1, 100).status is OrderStatus.WORKING
    # Without a forecast nothing says how far it is.
    assert deck.order("BBB", "buy", 10, 50, stop_loss=1).status is OrderStatus.WORKING


def test_a_response_that_stops_is_a_stop_like_any_other() -> None:
    deck = open_deck()
    working = deck.order("AAA", "buy", 10)
    deck.tell(
        [
            RiskResponded(
                at=Nanos(0),
                slice=0,
                response_id="rsp-1",
                response=Response.STOP,
                state=ResponseState.CARRIED_OUT,
                scope=RiskScope.AGENT,
                subject="a",
                reason="a lost too much",
                by="deck",
            )
        ]
    )
    assert working.status is OrderStatus.WORKING
    view = deck.ask(GetStop())
    assert view.stopped_agents == ("a",)
    assert codes(deck.order("AAA", "buy", 1)) == ["STALE_EPOCH"]
