"""Committed messages on their way out: to live views and notifiers, never back into a step.

Whoever only wants to be woken may hear of a step earlier, between its end and its way to the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from quarterdeck.kernel.messages import Message


class Subscription:
    """One subscriber's bounded queue of steps; when it is full the oldest are dropped and counted.

    ``capacity`` and ``dropped`` count messages.
    """

    def __init__(self, bus: Bus, *, capacity: int) -> None:
        self._bus = bus
        self._capacity = capacity
        self._queue: deque[tuple[int, Sequence[Message]]] = deque()
        self._held = 0
        self._arrived = asyncio.Event()
        self.dropped = 0

    def put(self, number: int, messages: Sequence[Message]) -> None:
        """Take the messages of one committed step."""
        self._queue.append((number, messages))
        self._held += len(messages)
        while self._held > self._capacity:
            _, oldest = self._queue.popleft()
            self._held -= len(oldest)
            self.dropped += len(oldest)
        self._arrived.set()

    async def steps(self) -> list[tuple[int, Sequence[Message]]]:
        """Wait for at least one step and return all that are there, each with its messages."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        taken, self._held = list(self._queue), 0
        self._queue.clear()
        return taken

    async def next(self) -> list[tuple[int, Message]]:
        """Wait for at least one message and return all that are there, with their steps."""
        return _each(await self.steps())

    def taken(self) -> list[tuple[int, Message]]:
        """Return all messages that are there, with their steps, without waiting."""
        taken, self._held = list(self._queue), 0
        self._queue.clear()
        return _each(taken)

    def close(self) -> None:
        """Stop receiving."""
        self._bus.forget(self)


def _each(steps: Iterable[tuple[int, Sequence[Message]]]) -> list[tuple[int, Message]]:
    return [(number, message) for number, messages in steps for message in messages]


class Bus:
    """Hands committed messages to whoever subscribed; it never waits for anybody."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._woken: list[Callable[[Sequence[Message]], None]] = []

    def wake(self, hear: Callable[[Sequence[Message]], None]) -> None:
        """Let ``hear`` be told what every step said as soon as it has ended.

        It is not on disk then: this is for what shows nobody anything, such as asking for work, whose
        answer waits for a later step to be on disk and so for this one.
        """
        self._woken.append(hear)

    def foretell(self, messages: Sequence[Message]) -> None:
        """Tell those to be woken what a step said that has just ended."""
        if messages:
            for hear in self._woken:
                hear(messages)

    def subscribe(self, capacity: int) -> Subscription:
        """Return a new subscription that holds at most ``capacity`` messages."""
        subscription = Subscription(self, capacity=capacity)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Remove a subscription; removing it twice is harmless."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, number: int, messages: Sequence[Message]) -> None:
        """Hand the messages of a committed step to every subscriber."""
        if messages:
            for subscription in self._subscriptions:
                subscription.put(number, messages)
