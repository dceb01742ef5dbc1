"""An event loop whose time is virtual and whose order is drawn from a seed.

Nothing waits: when no task can go on, time jumps to the next timer, and when there is no timer the
program is stuck and :class:`Deadlock` says so. Steps of tasks that are ready together run in a
seeded order; plain callbacks keep the order asyncio promises. What would run in a thread runs here,
in one piece, after a latency that the disk decides.

It stands on private parts of asyncio (``_run_once``, ``_ready``); CPython 3.11 to 3.13 have them.
"""

from __future__ import annotations

import asyncio
import selectors
import sqlite3
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from typing import Any, Protocol, TypeVar

from quarterdeck.app.simulation.chance import Chance
from quarterdeck.kernel.errors import DomainError

_T = TypeVar("_T")
_TASK_STEPS = frozenset({"TaskStepMethWrapper", "TaskWakeupMethWrapper"})


class Deadlock(RuntimeError):
    """Every task waits and no timer is pending."""


class Crashed(KeyboardInterrupt):
    """The simulated process ends here; asyncio lets it pass through every callback."""


class Disk(Protocol):
    """Decides how long an effect takes and what becomes of it."""

    def latency_s(self, name: str) -> float:
        """Return the virtual seconds until the effect called ``name`` happens; it is asked at its start."""
        ...

    def carry_out(self, work: Callable[[], _T], *, name: str) -> _T:
        """Do ``work``, called ``name``, or fail instead of it or after it, or raise Crashed."""
        ...

    def failure_known(self) -> None:
        """Hear that whoever waited for an effect has been told that it failed."""
        ...


class QuietDisk:
    """A disk without faults; each effect takes up to two milliseconds."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def latency_s(self, name: str) -> float:  # noqa: ARG002
        """Return the virtual seconds until the effect happens."""
        return self._chance.between(0.0, 0.002)

    def carry_out(self, work: Callable[[], _T], *, name: str) -> _T:  # noqa: ARG002
        """Do ``work``."""
        return work()

    def failure_known(self) -> None:
        """Nothing follows from it."""


class _Jump(selectors.SelectSelector):
    """Never polls: moves the loop's time to the next timer instead."""

    loop: SimLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return no events; advance time by ``timeout``."""
        if timeout is None:
            raise Deadlock("every task waits and nothing is left that could wake one")
        if timeout > 0:
            self.loop.advance(timeout)
        return []


class SimTask(asyncio.Task[_T]):
    """A task that hashes by its birth, so that sets of tasks have one order on every machine."""

    def __init__(
        self, coro: Generator[Any, None, _T] | Coroutine[Any, Any, _T], *, serial: int, **more: Any
    ) -> None:
        self._serial = serial
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self._serial

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.SelectorEventLoop):
    """The loop; ``wake_ups`` counts the callbacks it has run."""

    def __init__(self, chance: Chance, disk: Disk | None = None) -> None:
        selector = _Jump()
        selector.loop = self
        self._now = 0.0
        self._order = chance.fork("order")
        self.disk: Disk = QuietDisk(chance.fork("disk")) if disk is None else disk
        self.wake_ups = 0
        super().__init__(selector)
        self._clock_resolution = 1e-9
        serials = count(1)
        self.set_task_factory(
            lambda loop, coro, **more: SimTask(coro, serial=next(serials), loop=loop, **more)
        )

    def time(self) -> float:
        """Return the virtual seconds since the loop began."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        self.wake_ups += len(ready)
        if len(ready) > 1:
            slots = [i for i, handle in enumerate(ready) if _is_task_step(handle)]
            picked = [ready[i] for i in slots]
            self._order.shuffle(picked)
            for i, handle in zip(slots, picked, strict=True):
                ready[i] = handle
        BaseEventLoop._run_once(self)  # type: ignore[attr-defined]  # noqa: SLF001

    def run_in_executor(  # type: ignore[override]
        self,
        executor: object,  # noqa: ARG002
        func: Callable[..., _T],
        *args: Any,
    ) -> asyncio.Future[_T]:
        """Run ``func`` on this thread once the disk is done with it."""
        future: asyncio.Future[_T] = self.create_future()
        self.call_later(self.disk.latency_s(_name(func)), self._settle, future, func, args)
        return future

    def _settle(
        self, future: asyncio.Future[_T], func: Callable[..., _T], args: tuple[Any, ...]
    ) -> None:
        try:
            found = self.disk.carry_out(lambda: func(*args), name=_name(func))
        except (DomainError, sqlite3.Error, OSError) as error:
            # As a thread would: what went wrong is the waiting task's. Anything else is a bug of ours
            # and stops the loop.
            if not future.done():
                future.set_exception(error)
            # After those who wait have been told: until then nobody can know.
            self.call_soon(self.disk.failure_known)
            return
        if not future.done():
            future.set_result(found)


def _name(func: Callable[..., object]) -> str:
    return getattr(func, "__qualname__", "thread")


def _is_task_step(handle: asyncio.Handle) -> bool:
    callback = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001
    return type(callback).__name__ in _TASK_STEPS or isinstance(
        getattr(callback, "__self__", None), asyncio.Task
    )
