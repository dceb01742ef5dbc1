"""Starts the deck's own worker, a process of its own, once there is work for it, and ends it with the deck."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import nullcontext, suppress
from pathlib import Path

from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.runtime.supervisor import Component

OWN_WORK = "desk:"
"""What the worker can do begins so."""
LOOK_S = 0.5
"""How often it is looked whether there is work for it."""
REST_S = 5.0
"""How long one that ended by itself rests before the next is started."""
END_S = 5.0
"""How long it may take to end before it is killed."""


class OwnWorker:
    """Keeps one worker alive from the first task that asks for it; it speaks to the deck as every agent does."""

    def __init__(self, engine: Engine, parts: Capabilities) -> None:
        self._folder: Path = engine.plan.folder.path
        self._sequencer = engine.sequencer
        self._agents = parts.agents
        self._slots = engine.plan.config.agents.own_worker_slots
        self._process: Process | None = None
        self.started = 0

    async def run(self) -> None:
        """Look for work for as long as the deck lives."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                if self._process is not None and self._process.returncode is not None:
                    self._process = None
                    await asyncio.sleep(REST_S)
                if self._process is None and self._wanted():
                    await self._start()
        finally:
            await self._end()

    def detail(self) -> str:
        """Return how it stands."""
        if self._process is None:
            return "none: nothing asks for it"
        return f"process {self._process.pid}, start {self.started}"

    def _wanted(self) -> bool:
        """Return whether a task waits for it; a closed run stays closed, because an agent comes from outside."""
        if self._sequencer.first_outside is None:
            return False
        return self._agents.board.open > 0 and any(
            task.capability.startswith(OWN_WORK) and not task.state.final
            for task in self._agents.board.tasks.values()
        )

    async def _start(self) -> None:
        self.started += 1
        command = ("-m", "quarterdeck", "work", "run", "--tied", "--slots", str(self._slots))
        # It ends with its standard input, also where the deck is killed and can end nothing.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            "--data-dir",
            str(self._folder),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def own_worker(engine: Engine, parts: Capabilities) -> Component:
    """Return the component that keeps the deck's own worker."""
    worker = OwnWorker(engine, parts)
    return Component(
        "own worker", nullcontext(), needs=("server",), run=worker.run, detail=worker.detail
    )
