"""Carrying requests to the deck: one path for REST, MCP and whatever else asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from quarterdeck.agents.model import ClaimAnswer, ClaimWork, TaskAssigned, TaskReady
from quarterdeck.execution.model import OrderView
from quarterdeck.kernel.errors import InvalidInput, Overloaded, Unavailable
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.runtime.pacer import FeedState, FeedStatus
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.ports import Ports

MAX_WAIT_MS = 20_000
"""Longest wait of a claim: below the time-outs of the hosts that agents run in."""
MAX_WAITING = 2_000
"""Most callers that may wait for work at one time."""
CALLED_AGAIN_S = 1.0
"""When those who still wait are looked at again after others were called."""


Called = Callable[[Sequence[AgentId]], Sequence[AgentId]]
"""Which of the agents that wait should ask now."""


def _is_work(message: Message) -> bool:
    """Return whether ``message`` tells of work for somebody: what is only set aside may move."""
    return isinstance(message, TaskReady) or (
        isinstance(message, TaskAssigned) and not message.begun
    )


class Bell:
    """Wakes those who wait for work and for whom there is some; a ring is a hint, never a promise."""

    def __init__(self, called: Called) -> None:
        self._called = called
        self._waiting: dict[asyncio.Future[None], AgentId] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._about_to_ring = False

    def hear(self, messages: Sequence[Message]) -> None:
        """Ring when the present step is over, if it made work ready."""
        if self._about_to_ring or not self._waiting:
            return
        if any(_is_work(message) for message in messages):
            self._about_to_ring = True
            asyncio.get_running_loop().call_soon(self._ring_once)

    def _ring_once(self) -> None:
        self._about_to_ring = False
        self.ring()

    def wait(self, agent: AgentId) -> asyncio.Future[None]:
        """Return a future that is resolved when there is work for ``agent``."""
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} callers wait for work already", code="TOO_MANY_WAITING"
            )
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = agent
        return future

    def forget(self, future: asyncio.Future[None]) -> None:
        """Stop waiting; forgetting twice is harmless."""
        future.cancel()
        self._waiting.pop(future, None)

    def nudge_in(self, seconds: float) -> None:
        """Wake one caller in ``seconds``, or earlier if that was asked for: something is due then."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._nudge)

    def _nudge(self) -> None:
        self._timer = None
        self.ring()
        if self._waiting:
            # Whoever asks makes what is due happen: a retry, the end of a lease.
            self._wake(next(iter(self._waiting)))

    def ring(self) -> None:
        """Wake those for whom there is work now."""
        if self._waiting:
            called = set(self._called(sorted(set(self._waiting.values()))))
            for future, agent in list(self._waiting.items()):
                if agent in called:
                    self._wake(future)
            if called and self._waiting:
                # Who was called may be gone: then the work is anybody's again.
                self.nudge_in(CALLED_AGAIN_S)

    def ring_out(self) -> None:
        """Wake everybody."""
        for future in list(self._waiting):
            self._wake(future)

    def _wake(self, future: asyncio.Future[None]) -> None:
        del self._waiting[future]
        if not future.done():
            future.set_result(None)


class Patience:
    """How long one caller waits: until it goes away, whatever it asked for."""

    def __init__(self) -> None:
        self.gone = False
        self._future: asyncio.Future[None] | None = None

    def leave(self) -> None:
        """Stop waiting now."""
        self.gone = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, future: asyncio.Future[None], seconds: float) -> bool:
        """Wait for ``future``; return whether it came in time and somebody is still there."""
        self._future = future
        try:
            # Not wait_for, which wakes a turn of the loop later: too late to join the batch of the step.
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        return not self.gone


def timed(answer: Answer, feed: FeedStatus) -> Answer:
    """Return an order's answer with the machine seconds until asking again makes sense.

    They are counted from now and at the present speed, so that an answer repeated later, which is
    the remembered one, does not tell of a pace that is past.
    """
    if not isinstance(answer, OrderView) or answer.decision.retry_at_bars is None:
        return answer
    if feed.speed is None or feed.state in (FeedState.PAUSED, FeedState.ENDED):
        return answer
    bars = max(0, answer.slice + answer.decision.retry_at_bars - feed.slice)
    decision = msgspec.structs.replace(answer.decision, retry_after_s=bars / feed.speed)
    return msgspec.structs.replace(answer, decision=decision)


@dataclass(slots=True)
class Carrier:
    """Takes a request to the right port and returns the answer with the step it is true after."""

    ports: Ports
    bell: Bell
    closing: bool = False

    async def carry(
        self, request: Command | Query, caller: Caller, *, patience: Patience | None = None
    ) -> tuple[Answer, int]:
        """Carry ``request`` for ``caller``; only a claim waits, and only while ``patience`` lasts.

        Raises
        ------
        Unavailable
            While the deck is starting or stopping.
        """
        if self.closing or not self.ports.health.ready():
            word = "stopping" if self.closing else "starting"
            raise Unavailable(
                f"the deck is {word}", accepted="the same request once /readyz is 200"
            )
        if isinstance(request, ClaimWork):
            return await self._claim(request, caller, patience=patience or Patience())
        if isinstance(request, Command):
            receipt = await self.ports.commands.submit(request, caller)
            return timed(receipt.answer, self.ports.pacer.status()), receipt.step
        snapshot = await self.ports.views.read(request, caller)
        return snapshot.answer, snapshot.as_of

    def close(self) -> None:
        """Admit nothing more and let everybody who waits go."""
        self.closing = True
        self.bell.ring_out()

    async def _claim(
        self, command: ClaimWork, caller: Caller, *, patience: Patience
    ) -> tuple[Answer, int]:
        if not 0 <= command.wait_ms <= MAX_WAIT_MS:
            raise InvalidInput.of("wait_ms", command.wait_ms, f"0 to {MAX_WAIT_MS} milliseconds")
        once = msgspec.structs.replace(command, wait_ms=0)
        loop = asyncio.get_running_loop()
        until = loop.time() + command.wait_ms / 1000
        while True:
            # Listening before asking: work that becomes ready in between is not missed.
            future = self.bell.wait(caller.identity) if command.wait_ms else None
            try:
                receipt = await self.ports.commands.submit(once, caller)
                left = until - loop.time()
                answer = receipt.answer
                done = isinstance(answer, ClaimAnswer) and answer.claim is not None
                if future is not None and isinstance(answer, ClaimAnswer) and answer.due_ms:
                    self.bell.nudge_in(answer.due_ms / 1000)
                if future is None or done or left <= 0 or self.closing:
                    return receipt.answer, receipt.step
                wait = left
                if isinstance(answer, ClaimAnswer) and answer.kept and answer.retry_after_ms:
                    wait = min(left, answer.retry_after_ms / 1000)
                if not await patience.wait(future, wait) and (patience.gone or wait == left):
                    return receipt.answer, receipt.step
            finally:
                if future is not None:
                    self.bell.forget(future)
