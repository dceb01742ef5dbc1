"""Operations over several capabilities, and the crew's turns."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quarterdeck.client.model import Briefing
from quarterdeck.execution.model import AccountsView, GetAccounts, GetStop, SubmitOrder
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId, RunId
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.risk.model import GetRiskBrief
from quarterdeck.runtime.database import ConnectionReader, blocks_of, hashed_columns
from quarterdeck.runtime.policy import AGENT_SCOPES, DECK_CALLER, Caller, CallerKind, Effect
from quarterdeck.runtime.sequencer import Step, StepKind
from quarterdeck.runtime.state import Service
from quarterdeck.server.desk.api import OPERATIONS
from quarterdeck.server.desk.overview import OverviewDesk, money_of
from quarterdeck.server.desk.turns import CrewTurns, Member
from tests.unit.server.world import (
    BRIEF,
    START,
    STOP,
    AtWork,
    World,
    account,
    bars_closed,
    equity_marked,
)


@pytest.fixture
def world() -> World:
    return World()


class Database:
    """The server's own tables in memory."""

    def __init__(self) -> None:
        from importlib import resources

        text = resources.files("quarterdeck").joinpath("server", "store.sql").read_text("utf-8")
        self.blocks = blocks_of(text)
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(self.blocks["schema"])

    def write(self, step: Step) -> None:
        for statement, values in step.rows:
            self.connection.execute(self.blocks[statement.removeprefix("server.")], values)

    def reader(self) -> ConnectionReader:
        class Statements:
            statements = {f"server.{name}": body for name, body in self.blocks.items()}

        return ConnectionReader(self.connection, Statements())


def step(number: int = 1, *, carry: Any = None) -> Step:
    return Step(
        run=RunId("t"),
        number=number,
        kind=StepKind.SLICE,
        slice_index=9,
        at=START,
        machine_at=START,
        caller=DECK_CALLER,
        carry=carry or (lambda *a: None),
    )


def buy(agent: str, number: int) -> SubmitOrder:
    return SubmitOrder(
        idempotency_key=f"{agent}-{number}", symbol="AAPL", side=Side.BUY, quantity=Decimal(1)
    )


def test_members_take_turns_in_name_order_as_agents_and_never_more(world: World) -> None:
    carried: list[tuple[Command, Caller]] = []

    def carry(command: Command, caller: Caller, step: Step) -> Answer | None:
        carried.append((command, caller))
        return None

    def turn(briefing: Briefing, memory: Mapping[str, Any]) -> Any:
        return (buy(briefing.agent, briefing.slice),), {"turns": memory.get("turns", 0) + 1}

    members = [Member(name=AgentId(name), turn=turn) for name in ("trend", "breakout")]
    crew = CrewTurns(members=members, briefer=world.briefer)
    crew.hear(bars_closed(8, warming_up=True), step(carry=carry))
    assert carried == []
    crew.hear(bars_closed(9), step(carry=carry))
    assert [caller.identity for _, caller in carried] == ["breakout", "trend"]
    assert {caller.kind for _, caller in carried} == {CallerKind.BUILTIN}
    assert {caller.permissions for _, caller in carried} == {frozenset(AGENT_SCOPES)}
    assert carried[0][0].idempotency_key == "breakout-9"


def test_what_a_member_remembers_survives_and_is_written_only_when_it_changed(
    world: World,
) -> None:
    database = Database()
    seen: list[Mapping[str, Any]] = []

    def turn(briefing: Briefing, memory: Mapping[str, Any]) -> Any:
        seen.append(memory)
        return (buy("a", 1),), {"b": 2, "a": [1]}

    def refuse(command: Command, caller: Caller, step: Step) -> None:
        raise InvalidInput.of("symbol", "AAPL", "another")

    def crew() -> CrewTurns:
        return CrewTurns(members=[Member(name=AgentId("a"), turn=turn)], briefer=world.briefer)

    first, one = crew(), step(carry=refuse)
    first.hear(bars_closed(9), one)
    database.write(one)
    assert first.refused(AgentId("a")) == 1
    second = crew()
    second.load(database.reader())
    assert second._remembered == first._remembered
    two = step(2)
    second.hear(bars_closed(10), two)
    assert seen == [{}, {"a": [1], "b": 2}]
    assert two.rows == []


def test_a_bug_in_a_turn_is_not_swallowed(world: World) -> None:
    def turn(briefing: Briefing, memory: Mapping[str, Any]) -> Any:
        raise ZeroDivisionError

    crew = CrewTurns(members=[Member(name=AgentId("a"), turn=turn)], briefer=world.briefer)
    with pytest.raises(ZeroDivisionError):
        crew.hear(bars_closed(9), step())


def test_the_briefing_inside_is_the_briefing_outside(world: World) -> None:
    inside: list[Briefing] = []

    def turn(briefing: Briefing, memory: Mapping[str, Any]) -> Any:
        inside.append(briefing)
        return (), memory

    world.pacer.slice = 9
    crew = CrewTurns(members=[Member(name=AgentId("trend"), turn=turn)], briefer=world.briefer)
    crew.hear(bars_closed(9), step())
    from quarterdeck.client.model import GetBriefing

    caller = Caller(
        identity=AgentId("trend"), kind=CallerKind.AGENT, permissions=frozenset(AGENT_SCOPES)
    )
    outside = world.views.now(GetBriefing(), caller)
    assert msgspec.json.encode(inside[0]) == msgspec.json.encode(outside)


def test_a_briefing_is_scaled_by_what_the_agents_trades_have_earned_as_the_gate_is(
    world: World,
) -> None:
    caller = world.keys.known["qd_full_secret"]
    lines = tuple(world.briefer.markets(caller).values())
    assert (lines[0].size_multiplier, lines[0].position_limit) == (0.8, Decimal("31234.567891"))
    for share, size, limit in ((0.5, 0.4, "15617.283945"), (None, 0.8, "31234.567891")):
        brief = msgspec.structs.replace(BRIEF, size_share=share)
        world.views.by_hand[GetRiskBrief] = lambda q, c, brief=brief: brief
        one = world.briefer.briefing(caller, lines, at=START, slice_index=1).markets[0]
        assert (one.size_multiplier, one.position_limit) == (size, Decimal(limit))


@pytest.mark.parametrize(
    "words",
    [
        "trading is stopped: drill",
        "the deck is warming up",
        "the feed has ended",
    ],
)
def test_the_briefing_is_closed_with_the_gate_s_own_word(world: World, words: str) -> None:
    stop = msgspec.structs.replace(STOP, closed=words)
    world.views.by_hand[GetStop] = lambda q, c: stop
    caller = world.keys.known["qd_full_secret"]
    briefing = world.briefer.briefing(caller, (), at=START, slice_index=1)
    assert (briefing.open, briefing.reason) == (False, words)


def test_the_peak_of_the_total_equity_only_rises_and_survives(world: World) -> None:
    database = Database()

    def desk() -> OverviewDesk:
        return OverviewDesk(
            views=world.views, pacer=world.pacer, facts=world.facts, at_work=AtWork()
        )

    first = desk()
    assert first._drawdown(Decimal(1)) is None
    for number, equity in enumerate((100_000_000_000, 120_000_000_000, 90_000_000_000)):
        one = step(number + 1)
        first.hear(equity_marked(number, equity=equity), one)
        database.write(one)
        assert bool(one.rows) == (equity != 90_000_000_000)
    second = desk()
    second.load(database.reader())
    assert second._peak == first._peak == 120_000_000_000
    assert second._drawdown(Decimal(90_000)) == pytest.approx(0.25)


def test_a_total_with_an_unknown_part_is_unknown(world: World) -> None:
    unknown = msgspec.structs.replace(account("b"), equity=None)
    capital, equity = money_of((account("a"), unknown))
    assert (capital, equity) == (Decimal(200_000), None)
    assert money_of(()) == (Decimal(0), None)
    world.views.by_hand[GetAccounts] = lambda q, c: AccountsView(
        accounts=(unknown,), balanced=True, currency="USD", equity=None, assets=()
    )


@pytest.mark.parametrize("kind", [CrewTurns, OverviewDesk])
def test_services_declare_all_that_they_keep(kind: type, world: World) -> None:
    service: Any = (
        CrewTurns(members=(), briefer=world.briefer)
        if kind is CrewTurns
        else OverviewDesk(views=world.views, pacer=world.pacer, facts=world.facts, at_work=AtWork())
    )
    assert isinstance(service, Service)
    assert set(vars(service)) == set(service.state)


def test_every_column_says_whether_it_counts() -> None:
    tables = hashed_columns(Database().blocks["schema"])
    assert tables["crew_memories"] == ("agent", "memory", "refused")
    assert tables["equity_peaks"] == ("subject", "peak_units")


def test_the_desk_changes_nothing_but_the_pace() -> None:
    commands = [one.name for one in OPERATIONS if one.effect is Effect.COMMAND]
    assert commands == ["session.link", "system.replay"]
