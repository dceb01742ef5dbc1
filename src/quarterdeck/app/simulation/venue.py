"""A broker far away that nobody can rely on; it outlives the deck's crashes and keeps its own books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.app.simulation.chance import Chance
from quarterdeck.execution.core.venue import Bar
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerFill,
    BrokerOrder,
    BrokerReport,
    BrokerState,
    OutcomeUnknown,
)
from quarterdeck.kernel.errors import Conflict, DomainError, Unavailable
from quarterdeck.kernel.vocabulary import Side

MISCHIEF = 0.22
"""How often a call meets one of the venue's moods."""
FOREIGN = 0.03
"""How often, in a bar, somebody else trades on the account."""
MAX_FOREIGN = 3
THIN = 600
UNTHROTTLED = 1_000_000
"""Requests between two bars that a calm venue takes: more than a life makes."""
"""Units that are traded at most in a bar of a thin market."""

_T = TypeVar("_T")
Request = Callable[[], Coroutine[None, None, _T]]


class _UnderWay(NamedTuple):
    """A request that arrives later; ``brings`` an order there that may not be there yet."""

    due_s: float
    name: str
    request: Request[BrokerState]
    brings: bool


class SimVenue:
    """``inside`` is the venue itself, with the requests that reach it; in front of it is the line.

    ``calm`` ends every mood, ``dead`` is true while a crashed deck is swept away. ``on_bytes`` is told of
    every order in the instant in which it leaves the deck; ``hangs`` is true while a call takes long.
    """

    def __init__(
        self,
        inside: PaperBroker,
        *,
        moods: tuple[str, ...],
        chance: Chance,
        age_s: Callable[[], float],
        calm: Callable[[], bool],
        dead: Callable[[], bool],
        note: Callable[[str], None],
    ) -> None:
        self._inside = inside
        self._moods = moods
        self._chance = chance
        self._age_s = age_s
        self._calm = calm
        self._dead = dead
        self._note = note
        self._under_way: list[_UnderWay] = []
        self._down_until = 0.0
        self._books: BrokerBooks | None = None
        self._foreign = 0
        self._slice = -1
        self.hangs = False
        self.on_bytes: Callable[[BrokerOrder], None] = lambda _: None

    async def submit(self, order: BrokerOrder) -> BrokerState:
        """Take an order, or not."""
        self.on_bytes(order)
        return await self._brought(
            order.client_id, partial(self._inside.submit, order), brings=True
        )

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        """Put an order in the place of another, or not."""
        self.on_bytes(order)
        request = partial(self._inside.exchange, client_id, order, filled=filled)
        return await self._brought(order.client_id, request, brings=True)

    async def cancel(self, client_id: str) -> BrokerState:
        """End an order, or not."""
        return await self._brought(client_id, partial(self._inside.cancel, client_id))

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        """Change an order, or not."""
        request = partial(self._inside.replace, client_id, quantity=quantity, limit=limit)
        return await self._brought(client_id, request)

    async def find(self, client_id: str) -> BrokerState | None:
        """Return an order as it stands; now and then it is not found."""
        mood = await self._asked(("silent", "absent", "down"), of=client_id)
        return None if mood == "absent" else await self._inside.find(client_id)

    async def books(self) -> BrokerBooks:
        """Return working orders, positions and cash; now and then of another moment, or nothing."""
        mood = await self._asked(("silent", "old", "flat", "down"), of="the books")
        before, found = self._books, await self._inside.books()
        self._books = found
        if mood == "old" and before is not None:
            return before
        if mood == "flat":
            return BrokerBooks(sequence=found.sequence, working=(), positions={}, cash=0)
        return found

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        """Return the reports after ``after``; now and then twice, in disorder or with one left out."""
        mood = await self._asked(("silent", "twice", "gap", "down"), of="the reports")
        found = await self._inside.reports(after)
        if mood == "twice":
            return (*reversed(found), *found)
        if mood == "gap" and found:
            left_out = self._chance.below(len(found))
            return (*found[:left_out], *found[left_out + 1 :])
        return found

    async def close(self, index: int, bars: Mapping[int, Bar]) -> None:
        """See the bars of slice ``index``, once."""
        if index <= self._slice or self._dead():
            return
        self._slice = index
        self._arrive()
        self._trade_of_others(bars)
        if "thin" in self._moods and not self._calm() and self._chance.happens(0.6):
            bars = {row: bar._replace(volume=self._chance.below(THIN)) for row, bar in bars.items()}
        self._inside.close(bars)

    def has(self, client_id: str) -> bool:
        """Return whether the venue itself has ever taken that order."""
        return at_once(self._inside.find(client_id)) is not None

    def under_way(self, client_id: str) -> bool:
        """Return whether that order itself may still arrive."""
        return any(one.brings and one.name == client_id for one in self._under_way)

    def truth(self) -> BrokerBooks:
        """Return the venue's books as they are."""
        return at_once(self._inside.books())

    def told(self, *, after: int, upto: int) -> tuple[BrokerReport, ...]:
        """Return the venue's reports after ``after`` up to ``upto``."""
        return at_once(self._inside.reports(after))[: upto - after]

    def fills_of(self, client_id: str) -> tuple[BrokerFill, ...]:
        """Return what has filled of that order at the venue itself."""
        found = at_once(self._inside.find(client_id))
        return () if found is None else found.fills

    def end_by_hand(self, client_id: str) -> None:
        """End an order as a person at the broker's own desk does."""
        if self.has(client_id):
            at_once(self._inside.cancel(client_id))

    async def _brought(
        self, name: str, request: Request[BrokerState], *, brings: bool = False
    ) -> BrokerState:
        """Bring a request there and an answer back, as well as the line does today."""
        mood = await self._mood(
            ("lost", "late", "silent", "twice", "wrong", "refused", "unconnected", "down")
        )
        if mood in ("unconnected", "down"):
            raise Unavailable("no line", code="UNCONNECTED")
        if mood == "refused":
            raise Conflict("not today", code="REJECTED")
        if mood == "lost":
            raise OutcomeUnknown(name)
        if mood == "late":
            due = self._age_s() + self._chance.between(0.02, 2.5)
            self._under_way.append(_UnderWay(due, name, request, brings))
            raise OutcomeUnknown(name)
        try:
            state = await request()
        except DomainError:
            if mood == "silent":
                raise OutcomeUnknown(name) from None
            raise
        match mood:
            case "silent":
                raise OutcomeUnknown(name)
            case "twice":
                return await request()
            case "wrong" if self._chance.happens(0.5):
                return replace(state, client_id="somebody else")
            case "wrong":
                return replace(state, filled=state.quantity + 1)
            case _:
                return state

    async def _asked(self, moods: tuple[str, ...], *, of: str) -> str | None:
        mood = await self._mood(moods)
        if mood == "down":
            raise Unavailable("no line", code="UNCONNECTED")
        if mood == "silent":
            raise OutcomeUnknown(of)
        return mood

    async def _mood(self, moods: tuple[str, ...]) -> str | None:
        """Let the call take its time, and return what comes of it."""
        chance = self._chance
        slow = "slow" in self._moods and not self._calm() and chance.happens(0.05)
        self.hangs = slow
        await asyncio.sleep(chance.between(0.1, 1.0) if slow else chance.between(0.0002, 0.003))
        self.hangs = False
        if self._dead():
            raise Unavailable("no line", code="UNCONNECTED")
        self._arrive()
        if self._calm():
            # After the last bar no other one would begin a new count of requests.
            self._inside.requests_per_bar = UNTHROTTLED
            return None
        if self._age_s() < self._down_until:
            return "down"
        open_ = [mood for mood in moods if mood in self._moods]
        if not open_ or not chance.happens(MISCHIEF):
            return None
        mood = chance.pick(open_)
        if mood == "down":
            self._down_until = self._age_s() + chance.between(0.1, 1.5)
        self._note(f"the venue: {mood}")
        return mood

    def _arrive(self) -> None:
        """Let what was on its way arrive, if it is time."""
        due = [one for one in self._under_way if self._calm() or one.due_s <= self._age_s()]
        for one in due:
            self._under_way.remove(one)
            try:
                at_once(one.request())
            except DomainError as refusal:
                self._note(f"{one.name} arrived late and was refused: {refusal.code}")
            else:
                self._note(f"{one.name} arrived late")

    def _trade_of_others(self, bars: Mapping[int, Bar]) -> None:
        usual = "foreign" in self._moods and not self._calm() and self._foreign < MAX_FOREIGN
        if not (usual and bars and self._chance.happens(FOREIGN)):
            return
        self._foreign += 1
        order = BrokerOrder(
            client_id=f"foreign-{self._foreign}",
            instrument=self._chance.pick(sorted(bars)),
            side=self._chance.pick((Side.BUY, Side.SELL)),
            quantity=1 + self._chance.below(20),
        )
        try:
            at_once(self._inside.submit(order))
        except DomainError as refusal:
            self._note(f"{order.client_id} was refused: {refusal.code}")


def at_once(work: Coroutine[None, None, _T]) -> _T:
    """Return what ``work`` returns, which waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        found: _T = done.value
        return found
    work.close()
    raise RuntimeError("it waited")
