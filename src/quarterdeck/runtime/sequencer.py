"""The one sequencer: every input becomes a step, carried to quiescence, then journaled whole.

A step is run by plain synchronous calls on the event loop, so steps never interleave and a
decision is never separated from the state it rests on. What a hearer says is delivered, depth
first, as soon as that hearer has returned: nobody is called while in the middle of its own change.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, Overloaded
from quarterdeck.kernel.ids import RunId, domain_id
from quarterdeck.kernel.messages import Answer, Command, Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.policy import DECK_CALLER, Caller, Operation
from quarterdeck.runtime.state import Reader

Hear = Callable[[Message, "Step"], None]
Row = tuple[str, Mapping[str, object]]
Kept = tuple[bytes, bytes, int, int]
"""What is kept of a request that was carried out: its hash, its answer, and the step and ordinal of
the row. The rows lie in that order: by their keys every one would dirty a page of its own."""

MAX_DEPTH = 32
"""How deep one message may lead to another before it is taken for a cycle."""
MAX_ANSWERS = 100_000
"""How many answers are kept for repeated idempotency keys; the oldest are forgotten first."""
MAX_KEY_LENGTH = 128


class StepKind(StrEnum):
    """What kind of input a step carries."""

    START = "start"
    SLICE = "slice"
    COMMAND = "command"


class Step:
    """One input on its way to quiescence: what it wrote, said and recorded so far.

    ``at`` is market time, ``machine_at`` the machine's; ``slice`` is the index of the slice that
    market time belongs to, -1 before the first. ``caller`` is who the present command comes from.
    """

    __slots__ = (
        "_carry",
        "_ordinals",
        "_pending",
        "_places",
        "_rows",
        "_unsettled",
        "at",
        "audits",
        "caller",
        "key_reused",
        "kind",
        "machine_at",
        "messages",
        "number",
        "run",
        "slice",
    )

    def __init__(
        self,
        *,
        run: RunId,
        number: int,
        kind: StepKind,
        slice_index: int,
        at: Nanos,
        machine_at: Nanos,
        caller: Caller,
        carry: Callable[[Command, Caller, Step], Answer],
    ) -> None:
        self.run = run
        self.number = number
        self.kind = kind
        self.slice = slice_index
        self.at = at
        self.machine_at = machine_at
        self.caller = caller
        self.key_reused = False
        self._rows: list[Row] = []
        self.messages: list[Message] = []
        self.audits: list[tuple[str, str, str, Mapping[str, Any]]] = []
        self._pending: deque[Message] = deque()
        self._ordinals: dict[str, int] = {}
        self._places: dict[tuple[object, ...], int] = {}
        self._unsettled: dict[
            tuple[object, ...], tuple[str, Callable[[], Mapping[str, object]]]
        ] = {}
        self._carry = carry

    @property
    def rows(self) -> list[Row]:
        """All rows in order, each of :meth:`put` as it is now."""
        for name, (statement, row) in self._unsettled.items():
            self._rows[self._places[name]] = (statement, row())
        self._unsettled.clear()
        return self._rows

    @property
    def size(self) -> tuple[int, int, int]:
        """How many rows, messages and records there are: a refusal leaves it as it was."""
        return len(self._rows), len(self.messages), len(self.audits)

    def write(self, statement: str, /, **values: object) -> None:
        """Append one row: the named statement of a ``store.sql`` with its parameters."""
        self._rows.append((statement, values))

    def put(self, statement: str, /, *key: object, row: Callable[[], Mapping[str, object]]) -> None:
        """Write the whole row of ``key`` as ``row`` tells it when the step ends.

        However often one thing changes in a step, as an agent's counts with every fill of a bar, it is
        told once.
        """
        name = (statement, *key)
        if name not in self._places:
            self._places[name] = len(self._rows)
            self._rows.append((statement, {}))
        self._unsettled[name] = (statement, row)

    def say(self, message: Message) -> None:
        """Say a fact; it is heard as soon as the present hearer has returned."""
        self.messages.append(message)
        self._pending.append(message)

    def record(self, partition: str, kind: str, **body: object) -> None:
        """Append one record to the audit chain of ``partition``."""
        self.audits.append((partition, kind, self.caller.identity, body))

    def new_id(self, kind: str) -> str:
        """Return the identity of the next thing of ``kind`` born in this step."""
        ordinal = self._ordinals.get(kind, 0)
        self._ordinals[kind] = ordinal + 1
        return domain_id(kind, run=self.run, step=self.number, ordinal=ordinal)

    def carry(self, command: Command, caller: Caller) -> Answer:
        """Carry out ``command`` for ``caller`` inside this step: how built-in agents act.

        A :class:`DomainError` means refused with nothing changed; the step goes on.
        """
        return self._carry(command, caller, self)

    def take_said(self) -> list[Message]:
        """Return what was said since the last call, in order."""
        said = list(self._pending)
        self._pending.clear()
        return said


class Sink(Protocol):
    """Where finished steps go: the journal."""

    def admit(self) -> None:
        """Raise :class:`Overloaded` or :class:`Unavailable` when no step may start now."""
        ...

    def append(self, step: Step) -> None:
        """Take a finished step; it commits or the process ends."""
        ...

    async def committed(self, number: int) -> None:
        """Return once the step ``number`` is on disk."""
        ...


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and the step after which it is true."""

    answer: Answer
    step: int
    repeated: bool = False


@dataclass(slots=True)
class Binding:
    """A command's operation and the service that carries it out."""

    operation: Operation
    service: object


@dataclass(slots=True)
class Routes:
    """Who hears which message, in order, and who carries out which command."""

    hearers: dict[type[Message], tuple[Hear, ...]] = field(default_factory=dict)
    commands: dict[type[Command], Binding] = field(default_factory=dict)


class Sequencer:
    """Runs the steps, one at a time, on the event loop.

    ``foretell`` is told what every finished step said. ``watch`` is shown every finished step,
    ``watch_command`` a step under way after every command that a built-in agent gave in it, refused
    or not; they change nothing.
    """

    def __init__(
        self,
        *,
        run: RunId,
        routes: Routes,
        journal: Sink,
        clock: Clock,
        audit: AuditChain,
        start_at: Nanos,
        fatal: Callable[[BaseException], None],
        spared: frozenset[type[Command]] = frozenset(),
        foretell: Callable[[Sequence[Message]], None] = lambda _: None,
        watch: Callable[[Step], None] | None = None,
        watch_command: Callable[[Step], None] | None = None,
    ) -> None:
        self.run = run
        self._fatal = fatal
        self._spared = spared
        self._foretell = foretell
        self._watch = watch
        self._watch_command = watch_command
        self._routes = routes
        self._journal = journal
        self._clock = clock
        self._audit = audit
        self._answers: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._busy = False
        self.number = 0
        self.slice = -1
        self.at = start_at
        self.first_outside: str | None = None
        self._outside_noted = False

    def load(self, reader: Reader) -> None:
        """Take up the counters, answers and audit heads where the database left them."""
        for row in reader.rows("runtime.last_step"):
            self.number, self.slice = int(row["number"]), int(row["slice"])
            self.at = Nanos(int(row["at"]))
        given = reader.tuples("runtime.answers")
        for caller, key, request, answer, step, ordinal in given:
            self._answers[caller, key] = (request, answer, step, ordinal)
        if len(self._answers) != len(given):
            raise ValueError("two answers are kept for one idempotency key of a caller")
        self._audit.load(
            {
                str(row["partition"]): (int(row["sequence"]), bytes(row["hash"]))
                for row in reader.rows("runtime.audit_heads")
            }
        )
        for row in reader.rows("runtime.first_outside_input"):
            self.first_outside = str(row["what"])

    def start_step(self, work: Callable[[Step], None]) -> int:
        """Run a step of the deck's own at start: the birth of a run, or its coming back."""
        step = self._begin(StepKind.START, DECK_CALLER)
        work(step)
        self._drain(step, depth=0)
        return self._end(step)

    def slice_step(self, message: Message, *, index: int, at: Nanos) -> int:
        """Run the step of one slice and return its number."""
        self.slice, self.at = index, at
        step = self._begin(StepKind.SLICE, DECK_CALLER)
        step.say(message)
        self._drain(step, depth=0)
        return self._end(step)

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        """Carry ``command`` out in a step of its own and answer once that step is on disk.

        Raises
        ------
        DomainError
            If it is refused; then nothing has changed and no step was taken.
        """
        try:
            self._journal.admit()
        except Overloaded:
            # A stop waits for no queue; only a journal that has failed refuses its record.
            if type(command) not in self._spared:
                raise
        step = self._begin(StepKind.COMMAND, caller)
        try:
            answer, repeated = self._carry_out(command, caller, step)
        except DomainError:
            self._abandon(step)
            raise
        except BaseException as error:
            # Memory may be half changed: only a restart from the journal is safe.
            self._fatal(error)
            raise
        if not any(step.size):
            self._busy = False
            # A repeated answer may belong to a step still on its way to disk; later ones are not waited
            # for, and so not named.
            number = self.number
            await self._journal.committed(number)
            return Receipt(answer=answer, step=number, repeated=repeated)
        self.note_outside(f"{type(command).__name__} by {caller.identity}")
        number = self._end(step)
        await self._journal.committed(number)
        return Receipt(answer=answer, step=number, repeated=repeated)

    def note_outside(self, what: str) -> None:
        """Remember the first thing that the run owes to something else than its manifest.

        It is written with the step under way, or the next one.
        """
        if self.first_outside is None:
            self.first_outside = what
            self._outside_noted = True

    def _begin(self, kind: StepKind, caller: Caller) -> Step:
        if self._busy:
            raise RuntimeError("a step began inside another step")
        self._busy = True
        return Step(
            run=self.run,
            number=self.number + 1,
            kind=kind,
            slice_index=self.slice,
            at=self.at,
            machine_at=self._clock.now(),
            caller=caller,
            carry=self._carry_nested,
        )

    def _abandon(self, step: Step) -> None:
        self._busy = False
        if any(step.size):
            raise RuntimeError("a command was refused after it had changed something")

    def _end(self, step: Step) -> int:
        if self._outside_noted:
            self._outside_noted = False
            step.write("runtime.outside_input_saved", step=step.number, what=self.first_outside)
        for partition, kind, actor, body in step.audits:
            row = self._audit.append(
                partition, step=step.number, at=step.at, kind=kind, actor=actor, body=body
            )
            step.write("runtime.audit_saved", **row)
        step.rows.insert(
            0,
            (
                "runtime.step_saved",
                {
                    "number": step.number,
                    "kind": step.kind.value,
                    "slice": step.slice,
                    "at": step.at,
                    "caller": step.caller.identity,
                    "machine_at": step.machine_at,
                },
            ),
        )
        self.number = step.number
        self._journal.append(step)
        self._busy = False
        self._foretell(step.messages)
        if self._watch is not None:
            self._watch(step)
        return step.number

    def _drain(self, step: Step, *, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise RuntimeError(f"messages nest deeper than {MAX_DEPTH}: a cycle in the routes")
        for message in step.take_said():
            for hear in self._routes.hearers.get(type(message), ()):
                hear(message, step)
                self._drain(step, depth=depth + 1)

    def _carry_nested(self, command: Command, caller: Caller, step: Step) -> Answer:
        outer, before = step.caller, step.size
        step.caller = caller
        try:
            return self._carry_out(command, caller, step)[0]
        except DomainError:
            if before != step.size:
                raise RuntimeError("a command was refused after it had changed something") from None
            raise
        finally:
            if self._watch_command is not None:
                self._watch_command(step)
            step.caller = outer
            step.key_reused = False

    def _carry_out(self, command: Command, caller: Caller, step: Step) -> tuple[Answer, bool]:
        binding = self._routes.commands[type(command)]
        operation = binding.operation
        caller.require(operation.permission)
        key = _idempotency_key(command)
        request = b""
        if key is not None:
            request = sha256(
                type(command).__name__.encode() + b"\0" + msgspec.json.encode(command)
            ).digest()
            known = self._answers.get((caller.identity, key))
            if known is not None:
                if known[0] == request:
                    return _given(known[1], operation, key=key), True
                if not getattr(command, "judges_own_key", False):
                    raise Conflict(
                        f"idempotency_key {key!r} was used for another request",
                        code="IDEMPOTENCY_CONFLICT",
                        field="idempotency_key",
                        value=key,
                        accepted="a new key, or the identical request",
                    )
                step.key_reused = True
        answer: Answer = operation.function(binding.service, command, step)
        self._drain(step, depth=1)
        if key is not None and not step.key_reused:
            self._remember((caller.identity, key), request, msgspec.json.encode(answer), step)
        return answer, False

    def _remember(self, key: tuple[str, str], request: bytes, answer: bytes, step: Step) -> None:
        # Of several answers of one step, the first given is the first forgotten.
        ordinal = step.size[0]
        self._answers[key] = (request, answer, step.number, ordinal)
        step.write(
            "runtime.answer_saved",
            caller=key[0],
            idempotency_key=key[1],
            request_hash=request,
            answer=answer,
            step=step.number,
            ordinal=ordinal,
        )
        if len(self._answers) > MAX_ANSWERS:
            _, (_, _, given_in, place) = self._answers.popitem(last=False)
            step.write("runtime.answer_forgotten", step=given_in, ordinal=place)


def _given(answer: bytes, operation: Operation, *, key: str) -> Answer:
    """Return an answer as it was given, unless an earlier program gave it in another form."""
    try:
        told: Answer = msgspec.json.decode(answer, type=operation.output)
    except msgspec.DecodeError as error:
        raise Conflict(
            f"the request of idempotency_key {key!r} was carried out, but by an earlier version of the "
            f"program whose answer this one cannot give again ({error}); ask for what it made",
            code="IDEMPOTENCY_CONFLICT",
            field="idempotency_key",
            value=key,
            accepted="a new key for a new request",
        ) from None
    return told


def _idempotency_key(command: Command) -> str | None:
    key: str | None = getattr(command, "idempotency_key", None)
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise InvalidInput.of("idempotency_key", key, f"1 to {MAX_KEY_LENGTH} printable characters")
    return key
