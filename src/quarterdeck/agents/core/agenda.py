"""Work that comes round with the slices, and the review that a new regime asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from quarterdeck.agents.core import intake
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Birth, Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.time import SECOND
from quarterdeck.kernel.vocabulary import Priority, Regime, TaskType
from quarterdeck.regime.model import RegimeChanged

REVIEW_CAPABILITY = "regime-review"
REVIEW_PREFIX = "regime-review:"
"""A review's entry is this and the symbol: per symbol at most one waits."""


_UNTAKEN = (TaskState.READY, TaskState.UNMATCHABLE)

DECK = AgentId("deck")
TASK_ATTEMPTS = 3
TASK_LEASE_NS = 60 * SECOND
"""What the deck's own tasks get: the same as a submitted task that does not say."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A task of ``type`` for ``capability`` in every slice that ``every_bars`` divides.

    ``after`` names an earlier entry whose task of the same slice must complete first.
    """

    name: str
    type: TaskType
    capability: str
    title: str
    every_bars: int
    priority: Priority
    after: str | None = None


def parsed(schedule: Sequence[object]) -> tuple[Entry, ...]:
    """Return the agenda as a configuration writes it.

    Parameters
    ----------
    schedule : Sequence of object
        Each with the attributes of an ``Entry``, type and priority as text.

    Raises
    ------
    InvalidInput
        If a field is malformed, a name is used twice, or ``after`` names no earlier entry.
    """
    try:
        entries = msgspec.convert(schedule, tuple[Entry, ...], from_attributes=True)
    except msgspec.ValidationError as error:
        raise InvalidInput.of("agents.schedule", error, "entries of the agenda") from None
    names: list[str] = []
    for number, entry in enumerate(entries):
        at = f"agents.schedule[{number}]"
        intake.text(entry.name, field=f"{at}.name", longest=intake.MAX_LABEL)
        intake.text(entry.title, field=f"{at}.title", longest=intake.MAX_TITLE)
        intake.capability(entry.capability, field=f"{at}.capability")
        if entry.name in names or entry.name.startswith((REVIEW_PREFIX, "schedule:")):
            raise InvalidInput.of(f"{at}.name", entry.name, "a name of its own")
        if entry.after is not None and entry.after not in names:
            raise InvalidInput.of(f"{at}.after", entry.after, "the name of an earlier entry")
        names.append(entry.name)
    return entries


def due(agenda: Sequence[Entry], *, slice_index: int, running: Collection[str]) -> Iterator[Entry]:
    """Yield, in order, the entries whose turn slice ``slice_index`` is; an entry never piles up.

    ``running`` are the entries with an open task, which are passed over. Evaluated lazily: an
    entry sees what became of those before it.
    """
    for entry in agenda:
        if slice_index % entry.every_bars == 0 and entry.name not in running:
            yield entry


def review_entry(symbol: str) -> str:
    """Return the entry under which reviews of ``symbol`` go."""
    return f"{REVIEW_PREFIX}{symbol}"


def waiting_reviews(symbol: str, board: Board) -> tuple[Task, ...]:
    """Return the reviews of ``symbol`` that nobody has taken, by number."""
    known = [board.tasks[task_id] for task_id in board.recurring.get(review_entry(symbol), ())]
    return tuple(sorted((t for t in known if t.state in _UNTAKEN), key=lambda t: t.number))


def recurring(entry: Entry, birth: Birth, *, made: Mapping[str, TaskId]) -> Task:
    """Return the task of ``entry`` in this slice; ``made`` are the tasks of earlier entries.

    Where the entry that this one comes after had no turn in this slice, there is nothing to wait
    for.
    """
    before = made.get(entry.after) if entry.after is not None else None
    return _own_task(
        birth,
        entry=entry.name,
        kind=entry.type,
        title=entry.title,
        capability=entry.capability,
        priority=entry.priority,
        body={"slice": birth.slice, "entry": entry.name},
        depends_on=() if before is None else (before,),
    )


def _words(regime: Regime) -> str:
    return regime.value.replace("_", " ")


def review(change: RegimeChanged, birth: Birth) -> Task:
    """Return the analysis that a change of regime asks for."""
    return _own_task(
        birth,
        entry=review_entry(change.symbol),
        kind=TaskType.ANALYSIS,
        title=f"{change.symbol} went from {_words(change.previous)} to {_words(change.regime)}",
        capability=REVIEW_CAPABILITY,
        priority=Priority.HIGH,
        body={
            "symbol": change.symbol,
            "from": change.previous.value,
            "to": change.regime.value,
            "slice": change.slice,
        },
        depends_on=(),
    )


def _own_task(
    birth: Birth,
    *,
    entry: str,
    kind: TaskType,
    title: str,
    capability: str,
    priority: Priority,
    body: Json,
    depends_on: tuple[str, ...],
) -> Task:
    return Task(
        number=birth.number,
        task_id=birth.task_id,
        type=kind,
        title=title,
        capability=capability,
        priority=priority,
        by=DECK,
        entry=entry,
        input=body,
        depends_on=depends_on,
        max_attempts=TASK_ATTEMPTS,
        lease_ns=TASK_LEASE_NS,
        submitted_at=birth.at,
        submitted_slice=birth.slice,
        ready_machine_at=birth.machine_at,
    )
