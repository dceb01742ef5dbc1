"""What is due comes due in a run flat out as well, once somebody from outside waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from quarterdeck.agents.model import RegisterAgent, SubmitTask, TaskReady, TaskState
from quarterdeck.app.deck import Deck
from quarterdeck.kernel.time import SECOND
from quarterdeck.kernel.vocabulary import TaskType
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.app.decks import PATIENCE_S, admitted, lived


async def a_rest_ends(deck: Deck) -> None:
    """Submit a task that rests a second, and wait until it is ready."""
    subscription = deck.engine.bus.subscribe(1_000)
    register = RegisterAgent(name="ann", capabilities=("c",))
    await admitted(lambda: deck.door.submit(register, OPERATOR_CALLER))
    task = SubmitTask(
        idempotency_key="k", type=TaskType.RESEARCH, title="t", capability="c", delay_s=1
    )
    receipt = await admitted(lambda: deck.door.submit(task, OPERATOR_CALLER))
    assert receipt.answer.state is TaskState.DELAYED
    ready: set[str] = set()
    async with asyncio.timeout(PATIENCE_S):
        while receipt.answer.task_id not in ready:
            for _, messages in await subscription.steps():
                ready |= {m.task_id for m in messages if isinstance(m, TaskReady)}
    subscription.close()


async def nothing(deck: Deck) -> None:
    """Let the deck end."""


def test_a_rest_ends_though_no_bar_comes_and_the_clock_never_goes_back(tmp_path: Path) -> None:
    # A closed run's clock stands where its last bar has put it.
    closed = lived(tmp_path, nothing).engine
    stood = closed.virtual.now()
    opened = lived(tmp_path, a_rest_ends).engine
    assert opened.virtual.now() >= stood + SECOND
    again = lived(tmp_path, nothing).engine
    assert again.virtual.now() >= stood + SECOND
    assert again.virtual.monotonic_s() * SECOND >= (again.sequencer.slice + 1) * SECOND / 4 + SECOND
