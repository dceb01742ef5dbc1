"""The feed's driver: takes one slice after another to the sequencer, at the speed asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Protocol

import msgspec

from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.sequencer import Sequencer

LEAD_STEPS = 50
"""How many slice steps may be in memory ahead of the disk."""
MAX_SPEED = 10_000.0
MIN_SPEED = 0.01


class FeedState(StrEnum):
    """What the feed is doing."""

    STARTING = "starting"
    WARMING_UP = "warming_up"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where the feed is: ``slice`` of ``slices``, and how fast (``speed`` null is flat out)."""

    state: FeedState
    slice: int
    slices: int
    at: Nanos
    speed: float | None


class Durable(Protocol):
    """Waits for the disk."""

    async def committed(self, number: int) -> None:
        """Return once step ``number`` is on disk."""
        ...


class Pacer:
    """Drives a replay; a restart goes on with the slice after the last one on disk.

    ``arrival`` makes the message of slice ``i``; ``before`` is told the index just before its
    step (the virtual clock of a closed run moves there).
    """

    name = "feed"

    def __init__(
        self,
        *,
        slices: int,
        arrival: Callable[[int], Message],
        at: Callable[[int], Nanos],
        sequencer: Sequencer,
        journal: Durable,
        speed: float | None,
        warm_up: int,
        before: Callable[[int], None],
    ) -> None:
        self._slices = slices
        self._arrival = arrival
        self._at = at
        self._sequencer = sequencer
        self._journal = journal
        self._speed = speed
        self._warm_up = warm_up
        self._before = before
        self._paused = False
        self._single = 0
        self._changed = asyncio.Event()
        self._started = False
        self.ended = asyncio.Event()

    async def __aenter__(self) -> Pacer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def status(self) -> FeedStatus:
        """Return where the feed is."""
        index = self._sequencer.slice
        if self.ended.is_set():
            state = FeedState.ENDED
        elif not self._started:
            state = FeedState.STARTING
        elif self._paused:
            state = FeedState.PAUSED
        elif index < self._warm_up:
            state = FeedState.WARMING_UP
        else:
            state = FeedState.RUNNING
        return FeedStatus(
            state=state, slice=index, slices=self._slices, at=self._sequencer.at, speed=self._speed
        )

    def seconds_per_bar(self) -> float | None:
        """Return the machine seconds between bars at the present speed; null when unknown."""
        if self._paused or self._speed is None or self.ended.is_set():
            return None
        return 1.0 / self._speed

    def pause(self) -> None:
        """Stop before the next slice."""
        self._paused = True
        self._changed.set()

    def resume(self) -> None:
        """Go on at the speed set."""
        self._paused = False
        self._single = 0
        self._changed.set()

    def step_once(self) -> None:
        """Let one slice through while paused."""
        if not self._paused:
            raise Conflict(
                "the replay is not paused",
                field="action",
                value="step",
                accepted="step after pause",
            )
        self._single += 1
        self._changed.set()

    def set_speed(self, speed: float | None) -> None:
        """Set the bars per second; null is as fast as the deck keeps up."""
        if speed is not None and not MIN_SPEED <= speed <= MAX_SPEED:
            raise InvalidInput.of("speed", speed, f"{MIN_SPEED} to {MAX_SPEED} bars/s, or max")
        self._speed = speed
        self._changed.set()

    async def run(self) -> None:
        """Deliver every remaining slice, then say that the feed has ended."""
        self._started = True
        loop = asyncio.get_running_loop()
        due = loop.time()
        for index in range(self._sequencer.slice + 1, self._slices):
            due = await self._wait(index, due)
            self._before(index)
            number = self._sequencer.slice_step(
                self._arrival(index), index=index, at=self._at(index)
            )
            # Flat out, the disk sets the pace; the loop must still turn for everybody else.
            await self._journal.committed(number - LEAD_STEPS)
            await asyncio.sleep(0)
        await self._journal.committed(self._sequencer.number)
        self.ended.set()

    async def _wait(self, index: int, due: float) -> float:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            if self._paused and self._single == 0:
                await self._changed.wait()
                due = loop.time()
                continue
            if self._single:
                self._single -= 1
                return loop.time()
            if self._speed is None or index < self._warm_up:
                return loop.time()
            next_due = due + 1.0 / self._speed
            left = next_due - loop.time()
            if left <= 0:
                # Late by more than a bar means the speed is beyond the machine: do not hurry after.
                return max(next_due, loop.time() - 1.0 / self._speed)
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return next_due
