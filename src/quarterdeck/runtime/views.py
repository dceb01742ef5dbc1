"""Reading: what is, stamped with the step it was true after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.runtime.policy import Caller, Effect, Operation
from quarterdeck.runtime.state import History


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and the step after which it was true; that step is on disk."""

    answer: Answer
    as_of: int


class Progress(Protocol):
    """What reading needs to know of the sequencer and the journal."""

    number: int


class Durable(Protocol):
    """Waits for the disk, and knows how far it is."""

    @property
    def durable(self) -> int:
        """The newest step that is on disk."""
        ...

    async def committed(self, number: int) -> None:
        """Return once step ``number`` is on disk."""
        ...


@dataclass(slots=True)
class Views:
    """Answers queries from the services' memory, or from the database for history."""

    progress: Progress
    journal: Durable
    history: History
    _bound: dict[type[Query], tuple[Operation, object]] = field(default_factory=dict)

    def bind(self, operation: Operation, service: object) -> None:
        """Let ``service`` answer the operation's input; two for one query are a bug."""
        query: Any = operation.input
        if query in self._bound:
            raise ValueError(f"{query.__name__} is answered twice")
        self._bound[query] = (operation, service)

    def now(self, query: Query, caller: Caller) -> Answer:
        """Answer from memory within the present step; nothing of it may leave the process yet."""
        operation, service = self._permitted(query, caller)
        if operation.effect is not Effect.VIEW:
            raise RuntimeError(f"{operation.name} is not answered from memory")
        answer: Answer = operation.function(service, query, caller)
        return answer

    async def read(self, query: Query, caller: Caller) -> Snapshot:
        """Answer, and return only when the step that the answer rests on is on disk."""
        operation, service = self._permitted(query, caller)
        if operation.effect is Effect.HISTORY:
            # The rows may already tell of later steps; of this one they tell for certain.
            as_of = self.journal.durable
            answer: Answer = await operation.function(service, query, caller, self.history)
        else:
            answer = operation.function(service, query, caller)
            as_of = self.progress.number
        # History may look into memory as well, and that may be ahead of the disk.
        await self.journal.committed(self.progress.number)
        return Snapshot(answer=answer, as_of=as_of)

    def _permitted(self, query: Query, caller: Caller) -> tuple[Operation, object]:
        operation, service = self._bound[type(query)]
        caller.require(operation.permission)
        return operation, service
