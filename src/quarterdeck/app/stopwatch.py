"""Answering a stop that was raised outside the deck, or while it was down."""

from __future__ import annotations

import asyncio
from pathlib import Path

from quarterdeck.execution.model import GetStop, RaiseStop
from quarterdeck.execution.service import ExecutionService
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER
from quarterdeck.runtime.space import Commands
from quarterdeck.runtime.stopflag import StopFlag, forget_reason, reason_left


class StopWatch:
    """Records every raise of the flag that came from elsewhere; ``raised`` is set for each.

    What ``quarterdeck stop`` left in ``reason_file``, because no deck could be told, is recorded as
    the operator's reason and then removed.
    """

    def __init__(
        self,
        stop: StopFlag,
        *,
        reason_file: Path,
        execution: ExecutionService,
        commands: Commands,
    ) -> None:
        self._stop = stop
        self._reason_file = reason_file
        self._execution = execution
        self._commands = commands
        self.raised = asyncio.Event()

    async def run(self) -> None:
        """Answer what happened before the start, then every raise."""
        self.raised.set()
        while True:
            await self.raised.wait()
            self.raised.clear()
            await self._take_reason()
            if not self._execution.knows_of(self._stop.raised()):
                command = RaiseStop(reason="the stop flag was raised outside the deck")
                await self._commands.submit(command, DECK_CALLER)

    async def _take_reason(self) -> None:
        raised = self._stop.raised()
        reason = reason_left(self._reason_file, raised)
        if reason is None:
            return
        if self._execution.stop_state(GetStop(), OPERATOR_CALLER).stopped:
            # The word is raised already: this records who and why, and raises nothing again.
            await self._commands.submit(RaiseStop(reason=reason, raised=raised), OPERATOR_CALLER)
        forget_reason(self._reason_file)
