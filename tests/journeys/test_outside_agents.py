"""A built-in agent is an agent like any other: outside the deck it does what it does inside.

Inside, an agent takes one turn at the close of each slice, so work that it claims in a turn is
carried out in the turn after: one slice later. Outside, `run_member` takes a further turn as soon
as there is other work in hand, so it carries the work out in the slice in which it claimed it. Held
to one turn a slice, the outside agents' orders are equal to the inside agents', slice by slice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from quarterdeck.client import Deck
from quarterdeck.client.model import Briefing
from quarterdeck.client.runner import run_member
from quarterdeck.crew import CREW
from quarterdeck.crew.turn import Member, Memory, Turn
from tests.journeys.decks import (
    STILL,
    WARMED_UP,
    Json,
    RunningDeck,
    agent_key,
    launch,
    opened,
    stand_at,
    step_to_next,
)

pytestmark = pytest.mark.journey

SLICES = 195
"""Enough for each of them to have traded: the regimes begin to be told after the warm-up."""
SAME = ("slice", "agent", "symbol", "side", "type", "quantity", "limit_price", "status", "filled",
        "average_price", "idempotency_key", "submitted_at", "final_at", "limit_version")  # fmt: skip


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningDeck]]:
    """Three decks that stand at the same slice, just before trading opens."""
    folder: Path = tmp_path_factory.mktemp("outside")
    with ExitStack() as stack:
        started = {}
        for name, agents in (("inside", "builtin"), ("outside", "none"), ("free", "none")):
            data_dir = folder / name
            command = ("-m", "quarterdeck", "demo", "--data-dir", str(data_dir), "--port", "0")
            # One after the other: none may come to its next bar while another is still starting.
            deck = launch(data_dir, *command, *STILL, "--agents", agents)
            started[name] = stack.enter_context(opened(deck))
            stand_at(deck, WARMED_UP)
        yield started


@pytest.fixture(scope="module")
def inside(decks: dict[str, RunningDeck]) -> RunningDeck:
    """The deck whose built-in agents have traded."""
    for _ in range(SLICES):
        step_to_next(decks["inside"])
    return decks["inside"]


class Remembering:
    """A member whose next run goes on with the memory of the last one."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.first_memory = member.first_memory

    def turn(self, briefing: Briefing, memory: Memory) -> Turn:
        taken = self.member.turn(briefing, memory)
        self.first_memory = taken.memory
        return taken


def key_for(deck: RunningDeck, member: Member) -> str:
    """Register the member as an outside agent with what it has as a built-in one."""
    capabilities = list(member.capabilities)
    return agent_key(deck, member.name, capabilities=capabilities, slots=member.slots)


def orders_of(deck: RunningDeck) -> list[Json]:
    page = deck.get("/orders?limit=1000")
    assert page["next"] is None or len(page["orders"]) < 1000
    return list(reversed(page["orders"]))


def trading_of(deck: RunningDeck, agent: str) -> list[Json]:
    """The trading tasks that the agent has completed, oldest first."""
    tasks = deck.get(f"/tasks?agent={agent}&state=completed&limit=1000")["tasks"]
    return [task for task in reversed(tasks) if task["type"] == "trading"]


def test_with_one_turn_a_slice_the_whole_crew_trades_outside_exactly_as_inside(
    decks: dict[str, RunningDeck], inside: RunningDeck
) -> None:
    outside = decks["outside"]
    with ExitStack() as stack:
        crew = [
            (
                stack.enter_context(Deck(outside.url, key_for(outside, CREW[name]))),
                Remembering(CREW[name]),
            )
            for name in sorted(CREW)
        ]
        for _ in range(SLICES):
            step_to_next(outside)
            for client, member in crew:
                run_member(client, member, turns=1)
    here, there = orders_of(inside), orders_of(outside)
    assert len({order["slice"] for order in here}) >= 40
    assert {order["agent"] for order in here} == set(CREW)
    assert [{name: order[name] for name in SAME} for order in there] == [
        {name: order[name] for name in SAME} for order in here
    ]
    breaches = [
        [[order["decision"]["code"], order["decision"]["breaches"]] for order in orders]
        for orders in (here, there)
    ]
    assert breaches[0] == breaches[1]
    assert outside.get("/accounts") == inside.get("/accounts")
    assert outside.get("/tasks?limit=1")["counts"] == inside.get("/tasks?limit=1")["counts"]
    signals = [
        [
            {**signal, "signal_id": None, "task_id": None}
            for signal in deck.get("/signals?limit=1000")["signals"]
        ]
        for deck in (inside, outside)
    ]
    assert signals[0]
    assert signals[0] == signals[1]


def test_running_freely_an_outside_agent_does_its_work_a_slice_sooner(
    decks: dict[str, RunningDeck], inside: RunningDeck
) -> None:
    free, member = decks["free"], CREW["trend"]

    def let_one_slice_through(_: float) -> None:
        step_to_next(free)

    with Deck(free.url, key_for(free, member)) as client:
        run = run_member(client, member, until=WARMED_UP + SLICES, pause=let_one_slice_through)
    assert run.refusals == {}
    done_free, done_inside = trading_of(free, "trend"), trading_of(inside, "trend")
    assert len(done_free) >= 40
    # Outside it claims and trades in the same slice; inside the slices are one apart.
    assert all(task["started_at"] == task["finished_at"] for task in done_free)
    assert all(task["started_at"] < task["finished_at"] for task in done_inside)
    instants = [bar["at"] for bar in inside.get("/bars/SPX?limit=300")["bars"]]
    for task in done_inside:
        later = instants.index(task["finished_at"]) - instants.index(task["started_at"])
        assert later == 1
    # Each order lies in the slice in which its task was handed in, in both.
    for deck, done in ((free, done_free), (inside, done_inside)):
        finished = {task["task_id"]: task["finished_at"] for task in done}
        orders = [order for order in orders_of(deck) if order["agent"] == "trend"]
        assert len(orders) > 5
        for order in orders:
            assert order["submitted_at"] == finished[order["task_id"]]
