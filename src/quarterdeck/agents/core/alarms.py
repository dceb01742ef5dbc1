"""At which instant something is due for which task."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from quarterdeck.kernel.ids import TaskId


class Alarms:
    """One instant per task, earliest first; two are equal if the same is due at the same instants."""

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[TaskId, int] = {}
        # Holds entries that were moved since, too: they are passed over when they come up.
        self._heap: list[tuple[int, int, TaskId]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alarms) and self._at == other._at

    __hash__ = None  # type: ignore[assignment]

    def set(self, task_id: TaskId, number: int, instant: int | None) -> None:
        """Set or move the alarm of a task; ``None`` takes it off."""
        if instant is None:
            self._at.pop(task_id, None)
        elif self._at.get(task_id) != instant:
            self._at[task_id] = instant
            heapq.heappush(self._heap, (instant, number, task_id))

    def due(self, before: int) -> Iterator[TaskId]:
        """Take off and yield what is due before an instant, by instant and number."""
        while self._heap and self._heap[0][0] < before:
            instant, _, task_id = heapq.heappop(self._heap)
            if self._at.get(task_id) == instant:
                del self._at[task_id]
                yield task_id

    def next(self) -> int | None:
        """Return the earliest instant, None if nothing is due."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
