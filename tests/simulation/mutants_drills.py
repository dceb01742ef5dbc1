"""Bugs in the drill of the stop: it touches the run, says what was not, never comes, or takes the deck along."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from quarterdeck.agents.model import RegisterAgent
from quarterdeck.app import drill
from quarterdeck.app.shadow import AGENTS
from quarterdeck.execution.model import DrillProof
from quarterdeck.execution.store import write_session
from quarterdeck.kernel.errors import DomainError
from quarterdeck.runtime import sequencer
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.simulation.planting import Mutant, around

DRILLED = (6, 5, 18, 23)
"""Worlds in which the stop is drilled."""


def of_the_run(original: Any, path: Any) -> Any:
    return original(path.parent.parent / path.name)


async def one_more(original: Any, shadow: Any) -> Any:
    proof = await original(shadow)
    return replace(proof, cancelled=proof.cancelled + 1)


async def none_held(original: Any, self: Any) -> None:
    return None


def never_due(original: Any, self: Any) -> bool:
    return False


def session_too(original: Any, self: Any, command: Any, caller: Any, step: Any) -> Any:
    answer = original(self, command, caller, step)
    if isinstance(command, DrillProof):
        write_session(step, self._routes.commands[DrillProof].service.desk.session)
    return answer


async def in_the_run(original: Any, self: Any, path: Any) -> Any:
    joins = RegisterAgent(name=AGENTS[0], capabilities=(), slots=1, capital="50000")
    with suppress(DomainError):
        await self._engine.sequencer.submit(joins, OPERATOR_CALLER)
    return await original(self, path)


def deck_goes_along(original: Any, failed: Any) -> Any:
    raise failed


DRILLS = (
    Mutant(
        "a drill raises the flag of the run",
        around(drill, "raise_flag", of_the_run),
        ("a drill leaves no trace",),
        seeds=DRILLED,
    ),
    Mutant(
        "the record of a drill tells of more than there was",
        around(drill, "drilled", one_more),
        ("drill record",),
        seeds=DRILLED,
    ),
    Mutant(
        "the record of a drill comes with changes of the run",
        around(sequencer.Sequencer, "_carry_out", session_too),
        ("a drill leaves no trace",),
        seeds=DRILLED,
    ),
    Mutant(
        "a drill opens its accounts in the run",
        around(drill.Drills, "_drill", in_the_run),
        ("a drill leaves no trace",),
        seeds=DRILLED,
    ),
    Mutant(
        "a drill that was asked for is not held",
        around(drill.Drills, "drill", none_held),
        ("liveness", "drills are due"),
        seeds=DRILLED,
    ),
    Mutant(
        "the timer of the drill never goes off",
        around(drill.Drills, "_due", never_due),
        ("drills are due",),
        seeds=(142, 148, 171),
    ),
    Mutant(
        "a drill whose disk fails takes the deck with it",
        around(drill, "_first_of", deck_goes_along),
        ("no crash of its own",),
        seeds=DRILLED,
    ),
)
