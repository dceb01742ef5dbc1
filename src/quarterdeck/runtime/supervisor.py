"""Lifetimes: start in order, watch, stop in reverse, and say by name what failed.

A component is an async context manager with a ``name``; one that also has ``run`` is watched from
the moment it is up, and its end while the deck should be running ends the deck. Start-up is
recovery: there is no other way to come back than to exit and start again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.clock import Clock

START_S = 120.0
"""How long one component may take to start."""


class Phase(StrEnum):
    """Where a component stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ComponentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the register that an operator sees."""

    name: str
    needs: tuple[str, ...]
    order: int
    phase: Phase
    since: str | None
    detail: str
    sound: bool = True


@dataclass(slots=True)
class Component:
    """Something with a lifetime: ``lifetime`` opens it, ``run`` (if any) keeps it going.

    ``drain`` is awaited at an orderly end, before ``run`` is cancelled and the lifetime closed.
    ``run`` may return when its work is done; an exception ends the deck. One that is up and not
    ``sound`` needs a person; its ``detail`` says why.
    """

    name: str
    lifetime: AbstractAsyncContextManager[Any]
    needs: tuple[str, ...] = ()
    run: Callable[[], Coroutine[Any, Any, None]] | None = None
    drain: Callable[[], Awaitable[None]] | None = None
    detail: Callable[[], str] = field(default=lambda: "")
    sound: Callable[[], bool] = field(default=lambda: True)


class StartFailed(Exception):
    """A component did not start; the text names it and its cause."""


class Supervisor:
    """Starts components in the order given and stops them in reverse."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._components: list[Component] = []
        self._phases: dict[str, tuple[Phase, Nanos | None]] = {}
        self._quit = asyncio.Event()
        self._failure: BaseException | None = None

    def add(self, component: Component) -> None:
        """Add the next component in start order; everything it needs must be there already."""
        missing = [name for name in component.needs if name not in self._phases]
        if missing or component.name in self._phases:
            raise ValueError(f"{component.name}: needs {missing}, or is there already")
        self._components.append(component)
        self._phases[component.name] = (Phase.WAITING, None)

    def quit(self) -> None:
        """Ask for an orderly end."""
        self._quit.set()

    def fail(self, error: BaseException) -> None:
        """End the deck because of a bug found outside any component's ``run``."""
        if self._failure is None:
            self._failure = error
        self._quit.set()

    def failed(self) -> bool:
        """Return whether the deck ends because of an error."""
        return self._failure is not None

    def ready(self) -> bool:
        """Return whether every component is up."""
        return all(phase is Phase.READY for phase, _ in self._phases.values())

    def started(self) -> bool:
        """Return whether every component was up once and none has failed."""
        return self.ready() or any(p is Phase.STOPPING for p, _ in self._phases.values())

    def snapshot(self) -> list[ComponentStatus]:
        """Return the register, in start order."""
        lines = []
        for order, component in enumerate(self._components):
            phase, since = self._phases[component.name]
            lines.append(
                ComponentStatus(
                    name=component.name,
                    needs=component.needs,
                    order=order,
                    phase=phase,
                    since=None if since is None else rfc3339(since),
                    detail=component.detail() if phase is Phase.READY else "",
                    sound=phase is not Phase.READY or component.sound(),
                )
            )
        return lines

    async def run(self) -> None:
        """Start everything, wait for :meth:`quit` or the first failure, stop everything."""
        try:
            await self._run()
        except BaseExceptionGroup as group:
            # One cause is said as itself: the group is how tasks are kept, not what went wrong.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group, AsyncExitStack() as lifetimes:
            try:
                for component in self._components:
                    await self._start(component, lifetimes, group)
                await self._quit.wait()
            finally:
                for component in self._components:
                    if self._phases[component.name][0] is Phase.READY:
                        self._enter(component.name, Phase.STOPPING)
        for component in self._components:
            self._enter(component.name, Phase.STOPPED)

    async def _start(
        self, component: Component, lifetimes: AsyncExitStack, group: asyncio.TaskGroup
    ) -> None:
        self._enter(component.name, Phase.STARTING)
        try:
            async with asyncio.timeout(START_S):
                await lifetimes.enter_async_context(component.lifetime)
        except DomainError:
            self._enter(component.name, Phase.FAILED)
            raise
        except TimeoutError:
            self._enter(component.name, Phase.FAILED)
            raise StartFailed(f"{component.name} was not up after {START_S:.0f} s") from None
        if component.run is not None:
            task = group.create_task(self._watch(component.name, component.run))
            lifetimes.push_async_callback(self._end, component, task)
        self._enter(component.name, Phase.READY)

    async def _end(self, component: Component, task: asyncio.Task[None]) -> None:
        if component.drain is not None and self._failure is None and not task.done():
            await component.drain()
        task.cancel()
        await asyncio.wait([task])

    async def _watch(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._enter(name, Phase.FAILED)
            self.fail(error)

    def _enter(self, name: str, phase: Phase) -> None:
        self._phases[name] = (phase, self._clock.now())
