"""Steps: order of delivery, refusals that change nothing, answers that repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from quarterdeck.kernel.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotPermitted,
    Overloaded,
)
from quarterdeck.kernel.ids import AgentId, RunId
from quarterdeck.kernel.messages import Answer, Command, Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import VirtualClock
from quarterdeck.runtime.policy import Caller, CallerKind, Effect, Operation, Permission
from quarterdeck.runtime.sequencer import Binding, Routes, Sequencer, Step, StepKind

AGENT = Caller(
    identity=AgentId("a"), kind=CallerKind.AGENT, permissions=frozenset({Permission.WORK})
)


class First(Message, frozen=True):
    """The original message."""


class Second(Message, frozen=True):
    """What a hearer says about it."""


class Add(Command, frozen=True):
    """Add an amount."""

    amount: int
    idempotency_key: str | None = None


class Judged(Command, frozen=True):
    """A command that judges its own key."""

    judges_own_key: ClassVar[bool] = True
    amount: int
    idempotency_key: str


class Total(Answer, frozen=True):
    """The sum so far."""

    total: int
    reused: bool = False


@dataclass
class Sink:
    """Keeps steps instead of writing them."""

    steps: list[Step] = field(default_factory=list)

    def admit(self) -> None:
        return None

    def append(self, step: Step) -> None:
        self.steps.append(step)

    async def committed(self, number: int) -> None:
        return None


class Adder:
    """A service with one number."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, command: Add | Judged, step: Step) -> Total:
        if command.amount < 0:
            raise InvalidInput.of("amount", command.amount, "0 or more")
        if command.amount == 13:
            step.write("x.y")
            raise InvalidInput.of("amount", command.amount, "a number that brings luck")
        if command.amount == 66:
            raise RuntimeError("a bug")
        self.total += command.amount
        step.write("x.added", amount=command.amount)
        return Total(total=self.total, reused=step.key_reused)


def operation(command: type[Command]) -> Operation:
    return Operation(
        name=f"x.{command.__name__}",
        summary="",
        permission=Permission.WORK,
        effect=Effect.COMMAND,
        method="POST",
        path=f"/{command.__name__}",
        input=command,
        output=Total,
        function=Adder.add,
    )


def sequencer(
    routes: Routes, sink: Sink, fatal: Callable[[BaseException], None] = lambda _: None
) -> Sequencer:
    return Sequencer(
        run=RunId("r"),
        routes=routes,
        journal=sink,
        clock=VirtualClock(start=Nanos(0)),
        audit=AuditChain(),
        start_at=Nanos(0),
        fatal=fatal,
    )


def adding() -> tuple[Sequencer, Sink, Adder, list[BaseException]]:
    adder, sink, bugs = Adder(), Sink(), []
    routes = Routes(commands={kind: Binding(operation(kind), adder) for kind in (Add, Judged)})
    return sequencer(routes, sink, bugs.append), sink, adder, bugs


def test_what_is_said_is_heard_before_the_next_hearer_of_the_original() -> None:
    heard: list[str] = []

    def early(message: Message, step: Step) -> None:
        heard.append("early")
        step.say(Second())
        heard.append("early again")

    routes = Routes(
        hearers={
            First: (early, lambda m, s: heard.append("late")),
            Second: (lambda m, s: heard.append("second"),),
        }
    )
    sequencer(routes, Sink()).slice_step(First(), index=0, at=Nanos(1))
    assert heard == ["early", "early again", "second", "late"]


def test_a_cycle_of_messages_is_found_and_not_followed_for_ever() -> None:
    routes = Routes(hearers={First: (lambda m, s: s.say(First()),)})
    with pytest.raises(RuntimeError, match="cycle"):
        sequencer(routes, Sink()).slice_step(First(), index=0, at=Nanos(1))


def test_a_step_cannot_begin_inside_a_step() -> None:
    inner: list[Sequencer] = []

    def hear(message: Message, step: Step) -> None:
        inner[0].slice_step(Second(), index=1, at=Nanos(2))

    deck = sequencer(Routes(hearers={First: (hear,)}), Sink())
    inner.append(deck)
    with pytest.raises(RuntimeError, match="inside"):
        deck.slice_step(First(), index=0, at=Nanos(1))


def test_a_refused_command_takes_no_step() -> None:
    deck, sink, adder, _ = adding()
    with pytest.raises(InvalidInput):
        asyncio.run(deck.submit(Add(amount=-1), AGENT))
    assert (sink.steps, adder.total, deck.number) == ([], 0, 0)


def test_a_refusal_after_a_change_is_a_bug_and_said_so() -> None:
    deck, _, _, _ = adding()
    with pytest.raises(RuntimeError, match="refused after it had changed"):
        asyncio.run(deck.submit(Add(amount=13), AGENT))


def test_a_bug_inside_a_step_ends_the_deck() -> None:
    deck, _, _, bugs = adding()
    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(deck.submit(Add(amount=66), AGENT))
    assert len(bugs) == 1


def test_a_caller_without_the_permission_changes_nothing() -> None:
    deck, sink, adder, _ = adding()
    nobody = Caller(identity=AgentId("n"), kind=CallerKind.AGENT, permissions=frozenset())
    with pytest.raises(NotPermitted):
        asyncio.run(deck.submit(Add(amount=1), nobody))
    assert (sink.steps, adder.total) == ([], 0)


def test_the_same_request_under_one_key_happens_once() -> None:
    deck, sink, adder, _ = adding()

    async def twice() -> None:
        first = await deck.submit(Add(amount=5, idempotency_key="k"), AGENT)
        again = await deck.submit(Add(amount=5, idempotency_key="k"), AGENT)
        assert first.answer == again.answer
        assert (first.repeated, again.repeated) == (False, True)

    asyncio.run(twice())
    assert adder.total == 5
    assert len(sink.steps) == 1


def test_another_request_under_a_used_key_is_a_conflict() -> None:
    deck, _, adder, _ = adding()

    async def other() -> None:
        await deck.submit(Add(amount=5, idempotency_key="k"), AGENT)
        with pytest.raises(Conflict) as refusal:
            await deck.submit(Add(amount=6, idempotency_key="k"), AGENT)
        assert refusal.value.code == "IDEMPOTENCY_CONFLICT"

    asyncio.run(other())
    assert adder.total == 5


def test_a_command_that_judges_its_key_is_told_of_the_reuse() -> None:
    deck, _, _, _ = adding()

    async def other() -> Answer:
        await deck.submit(Judged(amount=5, idempotency_key="k"), AGENT)
        return (await deck.submit(Judged(amount=6, idempotency_key="k"), AGENT)).answer

    assert asyncio.run(other()) == Total(total=11, reused=True)


@pytest.mark.parametrize("key", ["", "x" * 129, "a\nb"])
def test_a_key_that_cannot_be_shown_is_refused(key: str) -> None:
    deck, _, _, _ = adding()
    with pytest.raises(DomainError) as refusal:
        asyncio.run(deck.submit(Add(amount=1, idempotency_key=key), AGENT))
    assert refusal.value.field == "idempotency_key"


def test_the_first_outside_input_is_remembered_for_the_report() -> None:
    deck, _, _, _ = adding()
    deck.slice_step(First(), index=0, at=Nanos(1))
    assert deck.first_outside is None
    asyncio.run(deck.submit(Add(amount=1), AGENT))
    assert deck.first_outside == "Add by a"


def test_ids_derive_from_run_step_and_ordinal() -> None:
    ids: list[str] = []
    routes = Routes(hearers={First: (lambda m, s: ids.extend((s.new_id("o"), s.new_id("o"))),)})
    sequencer(routes, Sink()).slice_step(First(), index=0, at=Nanos(1))
    assert ids == ["o-r-1-0", "o-r-1-1"]


class Full(Sink):
    """A journal that admits nothing more."""

    def admit(self) -> None:
        raise Overloaded("the disk is slower than the steps", code="JOURNAL_SLOW")


def test_a_spared_command_is_carried_out_however_slow_the_disk_is() -> None:
    adder, sink = Adder(), Full()
    routes = Routes(commands={kind: Binding(operation(kind), adder) for kind in (Add, Judged)})
    deck = Sequencer(
        run=RunId("r"),
        routes=routes,
        journal=sink,
        clock=VirtualClock(start=Nanos(0)),
        audit=AuditChain(),
        start_at=Nanos(0),
        fatal=lambda _: None,
        spared=frozenset({Add}),
    )
    asyncio.run(deck.submit(Add(amount=1), AGENT))
    assert adder.total == 1
    with pytest.raises(Overloaded):
        asyncio.run(deck.submit(Judged(amount=1, idempotency_key="k"), AGENT))
    assert adder.total == 1


def test_what_is_noted_from_outside_is_written_with_the_next_step() -> None:
    sink = Sink()
    deck = sequencer(Routes(), sink)
    deck.note_outside("the stop flag")
    deck.note_outside("something later")
    deck.slice_step(First(), index=0, at=Nanos(1))
    written = [values for name, values in sink.steps[0].rows if "outside" in name]
    assert written == [{"step": 1, "what": "the stop flag"}]


def test_of_the_rows_of_one_key_in_a_step_the_last_is_kept_in_the_place_of_the_first() -> None:
    step = Step(
        run=RunId("r"),
        number=1,
        kind=StepKind.COMMAND,
        slice_index=0,
        at=Nanos(0),
        machine_at=Nanos(0),
        caller=AGENT,
        carry=lambda command, caller, step: Total(total=0),
    )
    step.put("s.saved", "a", 1, row=lambda: {"total": 1})
    step.write("s.line_saved", n=1)
    step.put("s.saved", "a", 2, row=lambda: {"total": 5})
    step.put("t.saved", "a", 1, row=lambda: {"total": 7})
    step.put("s.saved", "a", 1, row=lambda: {"total": 2})
    step.write("s.line_saved", n=2)
    assert step.rows == [
        ("s.saved", {"total": 2}),
        ("s.line_saved", {"n": 1}),
        ("s.saved", {"total": 5}),
        ("t.saved", {"total": 7}),
        ("s.line_saved", {"n": 2}),
    ]
