"""Holds the invariants of a real deck: all of them at its start, then a little at a time.

While the deck runs, every turn reads a few pages of what is on disk and adds them to the second book.
When all is read and no step has come in between, what memory holds is compared with it, and the
folding begins anew. Nothing is compared across a step: a turn that is overtaken is continued later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quarterdeck.app.engine import Engine
from quarterdeck.app.invariants.books import Books, held_in_turn, numbered, orders_fit
from quarterdeck.app.invariants.opening import found_at_start
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation, moment_of
from quarterdeck.app.invariants.shadow import Shadow
from quarterdeck.app.parts import Capabilities
from quarterdeck.execution.model import GetStop, RaiseStop
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.state import Reader
from quarterdeck.server.desk.condition import VIOLATIONS, NoteCondition

TURN_S = 1.0
"""Machine seconds between two turns."""
PAGE = 1_000
"""Rows of one read; a read never gives more."""
PAGES = 3
"""Pages of each table in one turn: 100,000 orders are looked at whole in two minutes, for about
12 ms of a second's CPU, nearly all of it off the loop and without the interpreter's lock.
"""
QUIET_TURNS = 30
"""Turns without a look after one that saw everything, as long as no step is taken: only damage could
change what it finds."""

Rows = Sequence[Mapping[str, Any]]


class Guard:
    """Watches the invariants and, if one does not hold, stops trading and raises an alert.

    ``found`` holds what was violated since the start; it never shrinks, since what is damaged needs a
    person, and trading that is opened in spite of it is stopped again.
    """

    def __init__(self, engine: Engine, *, parts: Capabilities) -> None:
        self._engine = engine
        self._parts = parts
        self._books = self._fresh()
        self._told = 0
        self._whole = -1
        self._rested = 0
        self._one = asyncio.Lock()
        self.found: tuple[Violation, ...] = ()
        self.passes = 0

    def sound(self) -> bool:
        """Return whether every rule has held so far."""
        return not self.found

    def detail(self) -> str:
        """Return what an operator sees."""
        if self.found:
            first = self.found[0]
            more = f" (and {len(self.found) - 1} more)" if len(self.found) > 1 else ""
            return f"{first.rule}: {first.text}{more}"
        return f"all hold; full looks since the start: {self.passes:,}"

    def at_start(self, reader: Reader) -> None:
        """Hold everything that was just loaded against what is on disk, before any step."""
        self.found = found_at_start(reader, self._books, self._moment())
        self._books = self._fresh()

    async def report(self) -> None:
        """Stop trading for what was found, and raise an alert for what is new."""
        if not self.found:
            return
        sequencer, first = self._engine.sequencer, self.found[0]
        stop = self._parts.execution.stop_state(GetStop(), DECK_CALLER)
        if not stop.stopped:
            reason = f"an invariant does not hold: {first.rule}: {first.text}"
            await sequencer.submit(RaiseStop(reason=reason), DECK_CALLER)
        if self._told < len(self.found):
            values = {each.rule: 1.0 for each in self.found}
            await sequencer.submit(NoteCondition(number=VIOLATIONS, values=values), DECK_CALLER)
            self._told = len(self.found)

    async def run(self) -> None:
        """Take one turn after another for as long as the deck lives."""
        while True:
            await asyncio.sleep(TURN_S)
            if self._may_rest():
                continue
            try:
                await self.turn()
            except Overloaded:
                # Others read more than there are readers for: nothing is lost by a later turn.
                continue
            await self.report()

    def _may_rest(self) -> bool:
        """Return whether everything was looked at since the last step, and not too long ago."""
        self._rested += 1
        if self._whole == self._engine.sequencer.number and self._rested < QUIET_TURNS:
            return True
        self._rested = 0
        return False

    async def turn(self) -> None:
        """Read a few pages, and compare once everything is read and nothing has moved."""
        async with self._one:
            await self._turn()

    async def _turn(self) -> None:
        desk, books = self._parts.execution.desk, self._books
        number = self._engine.sequencer.number
        fills, lines, orders = desk.counters.fills, desk.ledger.lines, desk.book.last
        await self._engine.journal.committed(number)
        for _ in range(PAGES):
            if books.fills < fills:
                self._note(await self._fills(min(books.fills + PAGE, fills)))
            if books.lines < lines:
                self._note(await self._lines(min(books.lines + PAGE, lines)))
            if books.orders < orders:
                self._note(await self._orders(min(books.orders + PAGE, orders)))
        if (books.fills, books.lines, books.orders) == (fills, lines, orders):
            await self._compare(number)

    async def _compare(self, number: int) -> None:
        books, sequencer = self._books, self._engine.sequencer
        books.shadow.working, books.shadow.jobs = {}, {}
        await self._paged("execution.capitals", books.take_capital)
        await self._paged("execution.open_orders", books.take_open_orders)
        await self._paged("agents.open_task_states", books.take_open_tasks)
        verdicts = held_in_turn(books, self._moment())
        while sequencer.number == number:
            try:
                self._note(next(verdicts))
            except StopIteration:
                self._books = self._fresh()
                self.passes += 1
                self._whole = number
                return
            # Between two rules whoever waits has his turn; if he takes a step, this ends here.
            await asyncio.sleep(0)

    async def _fills(self, upto: int) -> Verdict:
        after = self._books.fills
        rows = await self._read("execution.fills_folded", after=after, upto=upto)
        if self._books.take_fills(rows, upto=upto) == upto - after:
            return None
        missing = await self._read("execution.fill_missing", after=after)
        return numbered("execution_fills", missing[0]["number"])

    async def _lines(self, upto: int) -> Verdict:
        after = self._books.lines
        rows = await self._read("execution.lines_folded", after=after, upto=upto)
        cut = await self._read("execution.entries_unbalanced_between", after=after, upto=upto)
        if self._books.take_lines(rows, unbalanced=cut, upto=upto) == upto - after:
            return None
        missing = await self._read("execution.line_missing", after=after)
        return numbered("execution_ledger", missing[0]["number"])

    async def _orders(self, upto: int) -> Verdict:
        after, self._books.orders = self._books.orders, upto
        counted = await self._read("execution.orders_counted", after=after, upto=upto)
        if counted[0]["orders"] != upto - after:
            missing = await self._read("execution.order_missing", after=after)
            return numbered("execution_orders", missing[0]["number"])
        return orders_fit(await self._read("execution.orders_at_odds", after=after, upto=upto))

    async def _paged(self, statement: str, take: Callable[[Rows], None]) -> None:
        after = 0
        while rows := await self._read(statement, after=after):
            take(rows)
            after = rows[-1]["number"]

    async def _read(self, statement: str, **values: int) -> Rows:
        return await self._engine.history.rows(statement, **values)

    def _note(self, verdict: Verdict) -> None:
        if verdict is not None and verdict.rule not in {each.rule for each in self.found}:
            self.found = (*self.found, verdict)

    def _moment(self) -> Moment:
        parts = self._parts
        return moment_of(
            self._books.shadow,
            execution=parts.execution,
            agents=parts.agents,
            portfolio=parts.portfolio,
            raised=self._engine.stop.raised(),
            machine_at=self._engine.wall.now(),
        )

    def _fresh(self) -> Books:
        desk = self._parts.execution.desk
        return Books(Shadow(contracts=desk.contracts, terms=desk.terms))
