"""What a disk without room leads to: an alert, reducing orders only, and at last a paused feed."""

from __future__ import annotations

from quarterdeck.app.engine import Engine
from quarterdeck.execution.model import PreviewOrder, SubmitOrder
from quarterdeck.execution.service import ExecutionService
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Command
from quarterdeck.runtime.pacer import FeedState
from quarterdeck.runtime.policy import DECK_CALLER, Caller
from quarterdeck.runtime.space import SpaceAdmission, SpaceWatch
from quarterdeck.server.desk.condition import LOW_DISKS, NoteCondition


class LowDisk:
    """Follows the look at the disk: publishes its turns, and pauses the feed while it is full."""

    def __init__(self, space: SpaceWatch, *, engine: Engine, execution: ExecutionService) -> None:
        self._space = space
        self._engine = engine
        self._execution = execution
        self._told: bool | None = None
        self._paused = False

    def door(self, spared: frozenset[type[Command]]) -> SpaceAdmission:
        """Return the door to the sequencer, which knows how much room there is."""
        return SpaceAdmission(
            self._engine.sequencer, space=self._space, spared=spared, reduces=self.reduces
        )

    async def run(self) -> None:
        """Answer every turn; an alert that an earlier process left open is resolved first."""
        if self._engine.sequencer.first_outside is None:
            # Nothing was ever published in a run that nothing from outside has moved.
            self._told = False
        while True:
            self._pace()
            await self._tell()
            await self._space.changed.wait()
            self._space.changed.clear()

    def reduces(self, command: Command, caller: Caller) -> bool:
        """Return whether ``command`` is an order that the gate would let pass while space is low."""
        if not isinstance(command, SubmitOrder):
            return False
        asked = {name: getattr(command, name) for name in PreviewOrder.__struct_fields__}
        try:
            decision = self._execution.preview(PreviewOrder(**asked), caller)
        except DomainError:
            return False
        return decision.status == "accepted"

    async def _tell(self) -> None:
        low = self._space.low
        if low is not self._told:
            self._told = low
            note = NoteCondition(number=LOW_DISKS, values={"deck": float(low)})
            await self._engine.sequencer.submit(note, DECK_CALLER)

    def _pace(self) -> None:
        pacer = self._engine.pacer
        if self._space.full and pacer.status().state is not FeedState.PAUSED:
            self._paused = True
            pacer.pause()
        elif self._paused and not self._space.full:
            self._paused = False
            pacer.resume()
