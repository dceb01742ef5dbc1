"""A broker that answers late, twice, never or wrongly, in front of one that behaves."""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerOrder,
    BrokerReport,
    BrokerState,
    OutcomeUnknown,
)
from quarterdeck.execution.ports import Broker
from quarterdeck.kernel.errors import Unavailable


class Hostile:
    """``mood`` is what it does to a submit; ``sent`` counts what reached the broker behind it."""

    def __init__(self, behind: Broker, mood: str, *, silent: int = 0) -> None:
        self.behind = behind
        self.mood = mood
        self.silent = silent
        self.sent: list[str] = []

    async def submit(self, order: BrokerOrder) -> BrokerState:
        self.sent.append(order.client_id)
        if self.mood == "lost":
            raise OutcomeUnknown(order.client_id)
        if self.mood == "unconnected":
            raise Unavailable("no line", code="UNCONNECTED")
        state = await self.behind.submit(order)
        if self.mood == "twice":
            state = await self.behind.submit(order)
        if self.mood == "never":
            raise OutcomeUnknown(order.client_id)
        if self.mood == "wrong id":
            return replace(state, client_id="somebody else")
        if self.mood == "wrong fill":
            return replace(state, filled=state.quantity + 1)
        return state

    async def cancel(self, client_id: str) -> BrokerState:
        state = await self.behind.cancel(client_id)
        if self.mood == "never":
            raise OutcomeUnknown(client_id)
        return state

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        return await self.behind.replace(client_id, quantity=quantity, limit=limit)

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        self.sent.append(order.client_id)
        state = await self.behind.exchange(client_id, order, filled=filled)
        if self.mood == "never":
            raise OutcomeUnknown(order.client_id)
        return state

    async def find(self, client_id: str) -> BrokerState | None:
        if self.silent:
            self.silent -= 1
            raise OutcomeUnknown(client_id)
        return await self.behind.find(client_id)

    async def books(self) -> BrokerBooks:
        return await self.behind.books()

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        found = await self.behind.reports(after)
        return (*reversed(found), *found) if self.mood == "twice" else found
