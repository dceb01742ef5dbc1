"""Rules raise episodes, people take them on, and a restart changes nothing."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from quarterdeck.alerts.api import OPERATIONS
from quarterdeck.alerts.model import (
    AcknowledgeAlert,
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    Comparison,
    EpisodeState,
    EpisodesView,
    GetEpisodes,
    GetOpenAlerts,
    GetRules,
    OpenAlertsView,
    RemoveRule,
    ResolveAlert,
    Rule,
    SaveRule,
)
from quarterdeck.alerts.service import (
    MAX_OPEN,
    MAX_RULES,
    NEWEST_OPEN,
    RESERVED_OPEN,
    AlertsService,
    rules_of,
)
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, NotFound, Overloaded
from quarterdeck.kernel.ids import RuleId, RunId
from quarterdeck.kernel.messages import Answer, Command, Message, NumbersPublished
from quarterdeck.kernel.time import DAY, Nanos
from quarterdeck.kernel.vocabulary import AlertCategory, Severity
from quarterdeck.performance.model import PUBLISHED as PERFORMANCE
from quarterdeck.risk.model import PUBLISHED as RISK
from quarterdeck.runtime import database
from quarterdeck.runtime.config import AlertRuleEntry, AlertsSection
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER, Caller, Permission
from quarterdeck.runtime.sequencer import Step, StepKind
from quarterdeck.runtime.state import State

NUMBER = "risk.var99_fraction"
NUMBERS = (*RISK, *PERFORMANCE)


def rule(
    rule_id: str = "deep",
    *,
    severity: Severity = Severity.WARNING,
    clear: float | None = None,
    for_bars: int = 1,
    subject: str | None = None,
    threshold: float = 1.0,
) -> Rule:
    return Rule(
        rule_id=RuleId(rule_id),
        category=AlertCategory.RISK,
        severity=severity,
        number=NUMBER,
        comparison=Comparison.ABOVE,
        threshold=threshold,
        clear=clear,
        for_bars=for_bars,
        subject=subject,
    )


def no_carry(command: Command, caller: Caller, step: Step) -> Answer:
    raise AssertionError("alerts carry nothing out")


class Deck:
    """The service, a database in memory, and steps that are written to it as they end."""

    def __init__(self, *rules: Rule) -> None:
        self.sql = database.load_sql()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        database.create(self.connection, self.sql)
        self.number = 0
        self.service = AlertsService(rules=rules, numbers=NUMBERS)
        step = self.step(StepKind.START)
        self.service.begin(step)
        self.end(step)

    def step(self, kind: StepKind = StepKind.SLICE) -> Step:
        self.number += 1
        caller = OPERATOR_CALLER if kind is StepKind.COMMAND else DECK_CALLER
        return Step(
            run=RunId("t"),
            number=self.number,
            kind=kind,
            slice_index=self.number,
            at=Nanos(self.number * DAY),
            machine_at=Nanos(1),
            caller=caller,
            carry=no_carry,
        )

    def end(self, step: Step) -> list[Message]:
        for statement, values in step.rows:
            self.connection.execute(self.sql.statements[statement], values)
        return step.messages

    def publish(self, name: str = NUMBER, /, **values: float | None) -> list[Message]:
        step = self.step()
        self.service.hear(NumbersPublished(name=name, values=values), step)
        return self.end(step)

    def acknowledge(self, episode_id: str, note: str = "") -> list[Message]:
        step = self.step(StepKind.COMMAND)
        self.service.acknowledge(AcknowledgeAlert(episode_id=episode_id, note=note), step)
        return self.end(step)

    def resolve(self, episode_id: str, note: str = "") -> list[Message]:
        step = self.step(StepKind.COMMAND)
        self.service.resolve(ResolveAlert(episode_id=episode_id, note=note), step)
        return self.end(step)

    def save(self, saved: Rule) -> tuple[list[Message], int]:
        step = self.step(StepKind.COMMAND)
        answer = self.service.save_rule(SaveRule(rule=saved), step)
        return self.end(step), answer.resolved_episodes

    def remove(self, rule_id: str) -> tuple[list[Message], int]:
        step = self.step(StepKind.COMMAND)
        answer = self.service.remove_rule(RemoveRule(rule_id=rule_id), step)
        return self.end(step), answer.resolved_episodes

    def restarted(self) -> AlertsService:
        service = AlertsService(rules=(rule("never-stored"),), numbers=NUMBERS)
        service.load(database.ConnectionReader(self.connection, self.sql))
        return service

    def restart(self) -> None:
        self.service = self.restarted()

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        cursor = self.connection.execute(self.sql.statements[statement], values)
        return [dict(row) for row in cursor.fetchmany(1_000)]

    def page(self, **query: Any) -> EpisodesView:
        asked = GetEpisodes(**query)
        return asyncio.run(self.service.episodes(asked, OPERATOR_CALLER, self))

    def open(self) -> OpenAlertsView:
        return self.service.open_alerts(GetOpenAlerts(), OPERATOR_CALLER)


def memory(service: AlertsService) -> dict[str, object]:
    kept = (State.JOURNALED, State.VIEW)
    return {name: value for name, value in vars(service).items() if service.state[name] in kept}


def raised(messages: list[Message]) -> AlertRaised:
    (message,) = messages
    assert isinstance(message, AlertRaised)
    return message


def ended(messages: list[Message]) -> AlertResolved:
    (message,) = messages
    assert isinstance(message, AlertResolved)
    return message


def test_every_attribute_is_declared() -> None:
    service = AlertsService(rules=(), numbers=())
    assert set(vars(service)) == set(AlertsService.state)


def test_one_crossing_is_one_episode_until_the_number_is_back() -> None:
    deck = Deck(rule(for_bars=2, clear=0.5))
    assert deck.publish(SPX=2.0) == []
    first = raised(deck.publish(SPX=2.5))
    assert (first.subject, first.value, first.threshold) == ("SPX", 2.5, 1.0)
    assert deck.publish(SPX=3.0) == deck.publish(SPX=0.8) == []
    over = ended(deck.publish(SPX=0.5))
    assert (over.episode_id, over.by) == (first.episode_id, None)
    assert deck.publish(SPX=2.0) == []
    assert raised(deck.publish(SPX=2.0)).episode_id != first.episode_id


def test_each_subject_is_followed_on_its_own() -> None:
    deck = Deck(rule())
    both = deck.publish(MSFT=2.0, AAPL=2.0, SPX=0.0)
    assert [message.subject for message in both if isinstance(message, AlertRaised)] == [
        "AAPL",
        "MSFT",
    ]
    assert ended(deck.publish(AAPL=2.0, MSFT=0.0)).by is None


def test_a_rule_with_a_subject_hears_of_that_one_only() -> None:
    deck = Deck(rule(subject="SPX"))
    assert deck.publish(AAPL=9.0) == []
    assert raised(deck.publish(AAPL=9.0, SPX=9.0)).subject == "SPX"


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_known_neither_raises_nor_resolves_nor_counts(unknown: float | None) -> None:
    deck = Deck(rule(for_bars=2))
    assert deck.publish(SPX=unknown) == []
    assert deck.publish(SPX=2.0) == deck.publish(SPX=unknown) == []
    raised(deck.publish(SPX=2.0))
    before = memory(deck.service)
    assert deck.publish(SPX=unknown) == deck.publish() == []
    assert memory(deck.service) == before
    assert deck.open().open["warning"] == 1


def test_numbers_no_rule_is_set_on_cost_nothing() -> None:
    deck = Deck(rule())
    step = deck.step()
    name = "performance.return_fraction"
    deck.service.hear(NumbersPublished(name=name, values={"a": 9.0}), step)
    assert (step.rows, step.messages) == ([], [])


def test_an_episode_taken_on_stays_open_and_names_who_took_it() -> None:
    deck = Deck(rule())
    episode = raised(deck.publish(SPX=2.0)).episode_id
    (told,) = deck.acknowledge(episode, "mine")
    assert isinstance(told, AlertAcknowledged)
    assert (told.by, told.note) == ("operator", "mine")
    assert deck.acknowledge(episode, "again") == []
    (view,) = deck.open().episodes
    assert (view.state, view.acknowledged_by, view.note) == (
        EpisodeState.ACKNOWLEDGED,
        "operator",
        "mine",
    )
    ended(deck.publish(SPX=0.0))
    (view,) = deck.page().episodes
    assert (view.state, view.acknowledged_by, view.resolved_by, view.note) == (
        EpisodeState.RESOLVED,
        "operator",
        None,
        "mine",
    )


def test_what_a_person_resolved_fires_anew_only_after_the_number_was_back() -> None:
    deck = Deck(rule(clear=0.5))
    episode = raised(deck.publish(SPX=2.0)).episode_id
    assert ended(deck.resolve(episode, "known")).by == "operator"
    assert deck.publish(SPX=3.0) == deck.publish(SPX=0.8) == deck.publish(SPX=3.0) == []
    deck.restart()
    assert deck.publish(SPX=3.0) == deck.publish(SPX=0.4) == []
    assert raised(deck.publish(SPX=1.5)).episode_id != episode


def test_what_is_resolved_cannot_be_taken_on_and_what_never_was_is_not_found() -> None:
    deck = Deck(rule())
    episode = raised(deck.publish(SPX=2.0)).episode_id
    deck.resolve(episode)
    deck.restart()
    for refused in (deck.acknowledge, deck.resolve):
        with pytest.raises(Conflict):
            refused(episode)
        with pytest.raises(NotFound):
            refused("alert-t-999-0")


def test_commands_are_in_the_audit_chain_as_text_and_integers() -> None:
    deck = Deck(rule())
    episode = raised(deck.publish(SPX=2.0)).episode_id
    step = deck.step(StepKind.COMMAND)
    deck.service.acknowledge(AcknowledgeAlert(episode_id=episode), step)
    deck.service.resolve(ResolveAlert(episode_id=episode, note="done"), step)
    deck.service.save_rule(SaveRule(rule=rule("new", threshold=0.1, clear=0.05)), step)
    deck.service.remove_rule(RemoveRule(rule_id="new"), step)
    kinds = [(partition, kind, actor) for partition, kind, actor, _ in step.audits]
    assert kinds == [
        ("paper", kind, "operator")
        for kind in (
            "alert_acknowledged",
            "alert_resolved",
            "alert_rule_saved",
            "alert_rule_removed",
        )
    ]
    values = [value for *_, body in step.audits for value in body.values()]
    assert not any(isinstance(value, float) for value in values)
    assert step.audits[2][3]["threshold"] == "0.1"


def test_replacing_a_rule_ends_its_episodes_and_starts_its_count_anew() -> None:
    deck = Deck(rule(for_bars=2), rule("other"))
    deck.publish(AAPL=2.0, SPX=2.0)
    deck.publish(AAPL=0.0, SPX=2.0)
    assert deck.open().open["warning"] == 2
    messages, count = deck.save(rule(for_bars=3))
    assert count == 1
    assert ended(messages).by == "operator"
    assert deck.open().open["warning"] == 1
    assert deck.publish(SPX=2.0) == deck.publish(SPX=2.0) == []
    assert raised(deck.publish(SPX=2.0)).rule_id == "deep"
    assert memory(deck.restarted()) == memory(deck.service)


def test_removing_a_rule_forgets_it_in_memory_and_on_disk() -> None:
    deck = Deck(rule(), rule("held"))
    for message in deck.publish(SPX=2.0):
        assert isinstance(message, AlertRaised)
        if message.rule_id == "held":
            deck.resolve(message.episode_id)
    assert deck.remove("deep")[1] == 1
    assert deck.remove("held")[1] == 0
    assert deck.publish(SPX=2.0) == []
    assert deck.service.rules(GetRules(), OPERATOR_CALLER).rules == ()
    assert memory(deck.restarted()) == memory(deck.service)
    assert deck.connection.execute("SELECT COUNT(*) FROM alert_states").fetchone()[0] == 0
    with pytest.raises(NotFound):
        deck.remove("deep")


def test_after_the_first_start_the_database_wins() -> None:
    deck = Deck(rule())
    deck.save(rule("mine"))
    deck.remove("deep")
    deck.restart()
    assert [one.rule_id for one in deck.service.rules(GetRules(), OPERATOR_CALLER).rules] == [
        "mine",
    ]


def test_a_restart_at_any_step_changes_nothing() -> None:
    values: list[dict[str, float | None]] = [
        {"SPX": float(2 * ((7 * i) % 5 > 1)), "AAPL": None if i % 4 == 0 else float(i % 7) / 3}
        for i in range(60)
    ]
    rules = (rule(for_bars=2, clear=0.5), rule("quick", severity=Severity.CRITICAL))
    whole, broken = Deck(*rules), Deck(*rules)
    for turn, row in enumerate(values):
        said, again = whole.publish(**row), broken.publish(**row)
        assert [msgspec.to_builtins(one) for one in said] == [
            msgspec.to_builtins(one) for one in again
        ]
        for deck in (whole, broken):
            episodes = deck.open().episodes
            if episodes and turn % 5 == 0:
                deck.acknowledge(episodes[-1].episode_id)
            if episodes and turn % 9 == 0:
                deck.resolve(episodes[0].episode_id, "enough")
        broken.restart()
        assert memory(whole.service) == memory(broken.service)
    assert whole.open().resolved > 5
    assert database.state_digest(whole.connection, whole.sql) == database.state_digest(
        broken.connection, broken.sql
    )


def test_configured_rules_are_judged_whole_before_any_is_stored() -> None:
    for wrong in (rule("two"), rule("bad", threshold=math.nan)):
        service = AlertsService(rules=(rule("two"), wrong), numbers=NUMBERS)
        step = Deck().step(StepKind.START)
        with pytest.raises(InvalidInput):
            service.begin(step)
        assert (step.rows, service.rules(GetRules(), OPERATOR_CALLER).rules) == ([], ())


def test_a_configured_rule_with_an_unknown_word_names_its_place() -> None:
    good = AlertRuleEntry(
        rule_id="deep",
        category="risk",
        severity="warning",
        number=NUMBER,
        comparison="above",
        threshold=1.0,
    )
    assert rules_of(AlertsSection(rules=(good,))) == (rule(),)
    bad = msgspec.structs.replace(good, severity="dreadful")
    with pytest.raises(InvalidInput, match=r"alerts\.rules\[1\]"):
        rules_of(AlertsSection(rules=(good, bad)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_refused_rule_changes_nothing(bad: float) -> None:
    deck = Deck(rule())
    deck.publish(SPX=2.0)
    before = memory(deck.service)
    step = deck.step(StepKind.COMMAND)
    with pytest.raises(InvalidInput):
        deck.service.save_rule(SaveRule(rule=rule(threshold=bad)), step)
    assert (step.rows, step.messages, step.audits) == ([], [], [])
    assert memory(deck.service) == before


def test_a_note_that_is_too_long_or_not_printable_is_refused() -> None:
    deck = Deck(rule())
    episode = raised(deck.publish(SPX=2.0)).episode_id
    for note in ("a" * 501, "a\nb", "\x1b[31m"):
        for refused in (deck.acknowledge, deck.resolve):
            with pytest.raises(InvalidInput):
                refused(episode, note)
    assert deck.open().open["warning"] == 1


def test_there_are_at_most_so_many_rules_and_replacing_one_is_still_possible() -> None:
    deck = Deck(*(rule(f"r{i}", subject="SPX") for i in range(MAX_RULES)))
    with pytest.raises(Overloaded):
        deck.save(rule("one-more"))
    deck.save(rule("r7", threshold=5.0))


def test_a_flood_leaves_room_for_what_presses_and_is_told_once_there_is_room_again() -> None:
    deck = Deck(rule(), rule("dire", severity=Severity.EMERGENCY, threshold=10.0))
    flood = {f"S{i:04}": 2.0 for i in range(MAX_OPEN)}
    room = MAX_OPEN - RESERVED_OPEN
    assert len(deck.publish(**flood)) == room
    assert deck.open().suppressed == RESERVED_OPEN
    assert deck.publish(**flood) == []
    assert deck.open().suppressed == RESERVED_OPEN
    assert raised(deck.publish(S0000=11.0)).severity is Severity.EMERGENCY
    deck.restart()
    ended_two = deck.publish(**{**flood, "S0000": 2.0, "S0001": 0.0})
    assert [type(message) for message in ended_two] == [AlertResolved, AlertResolved]
    # Now there is room for one, and the first in line takes it; no count is told twice.
    assert raised(deck.publish(**{**flood, "S0001": 0.0})).subject == f"S{room:04}"
    assert sum(deck.open().open.values()) == room
    assert deck.open().suppressed == RESERVED_OPEN
    assert memory(deck.restarted()) == memory(deck.service)


def test_the_desk_sees_the_newest_open_episodes_and_all_counts() -> None:
    deck = Deck(rule(), rule("dire", severity=Severity.CRITICAL, subject="S00"))
    deck.publish(**{f"S{i:02}": 2.0 for i in range(30)})
    deck.publish(S29=0.0)
    view = deck.open()
    assert view.open == {"info": 0, "warning": 29, "error": 0, "critical": 1, "emergency": 0}
    assert (view.fired, view.resolved, view.suppressed) == (31, 1, 0)
    numbers = [episode.number for episode in view.episodes]
    assert len(numbers) == NEWEST_OPEN
    assert numbers == sorted(numbers, reverse=True)


def test_pages_walk_all_episodes_once_newest_first() -> None:
    deck = Deck(rule())
    deck.publish(**{f"S{i:02}": 2.0 for i in range(25)})
    deck.publish(S03=0.0, S04=0.0)
    numbers, before = [], None
    while True:
        page = deck.page(limit=10, before=before)
        numbers += [episode.number for episode in page.episodes]
        before = page.next
        if before is None:
            break
    assert numbers == list(range(25, 0, -1))
    resolved = deck.page(state=EpisodeState.RESOLVED)
    assert [episode.subject for episode in resolved.episodes] == ["S04", "S03"]
    assert (resolved.open["warning"], resolved.fired, resolved.resolved) == (23, 25, 2)
    assert deck.page(state=EpisodeState.ACKNOWLEDGED).episodes == ()


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1_001}, {"limit": -5}, {"before": 2**63}, {"before": -(2**70)}],
)
def test_a_page_out_of_bounds_is_refused(query: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        Deck().page(**query)


def test_hostile_commands_are_refused_before_anything_changes() -> None:
    deck = Deck(rule())
    raised(deck.publish(SPX=2.0))
    before = memory(deck.service)
    for hostile in ("", "' OR 1=1 --", "\x00", "x" * 100_000):
        for refused in (deck.acknowledge, deck.resolve, deck.remove):
            with pytest.raises(DomainError):
                refused(hostile)
    assert memory(deck.service) == before


def test_people_act_and_everybody_who_may_read_reads() -> None:
    permissions = {operation.name: operation.permission for operation in OPERATIONS}
    acts = {"alerts.acknowledge", "alerts.resolve", "alerts.save_rule", "alerts.remove_rule"}
    assert {name for name, held in permissions.items() if held is Permission.OPERATE} == acts
    assert set(permissions.values()) == {Permission.OPERATE, Permission.READ}
