"""Lifetimes: started in order, stopped in reverse, and a failure named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from quarterdeck.kernel.errors import Conflict
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.supervisor import Component, Phase, Supervisor


@asynccontextmanager
async def lifetime(
    name: str, log: list[str], error: Exception | None = None
) -> AsyncIterator[None]:
    if error is not None:
        raise error
    log.append(f"+{name}")
    try:
        yield
    finally:
        log.append(f"-{name}")


def up_when(last: str, name: str, up: asyncio.Event) -> Callable[[], Coroutine[None, None, None]]:
    async def run() -> None:
        if name == last:
            up.set()

    return run


def test_what_starts_last_stops_first() -> None:
    async def go() -> list[str]:
        log: list[str] = []
        up = asyncio.Event()
        supervisor = Supervisor(clock=SystemClock())
        for name in "abc":
            supervisor.add(Component(name, lifetime(name, log), run=up_when("c", name, up)))
        task = asyncio.create_task(supervisor.run())
        await up.wait()
        supervisor.quit()
        await task
        assert {line.phase for line in supervisor.snapshot()} == {Phase.STOPPED}
        return log

    assert asyncio.run(go()) == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_a_component_that_cannot_start_takes_down_what_stands_already() -> None:
    log: list[str] = []

    async def go() -> Supervisor:
        supervisor = Supervisor(clock=SystemClock())
        supervisor.add(Component("a", lifetime("a", log)))
        supervisor.add(Component("b", lifetime("b", log, Conflict("taken"))))
        with pytest.raises(Conflict, match="taken"):
            await supervisor.run()
        return supervisor

    supervisor = asyncio.run(go())
    assert log == ["+a", "-a"]
    assert supervisor.snapshot()[1].phase is Phase.FAILED


def test_a_run_that_dies_ends_the_deck_with_its_cause() -> None:
    log: list[str] = []

    async def dying() -> None:
        raise ZeroDivisionError("the cause")

    async def go() -> None:
        supervisor = Supervisor(clock=SystemClock())
        supervisor.add(Component("a", lifetime("a", log)))
        supervisor.add(Component("b", lifetime("b", log), run=dying))
        with pytest.raises(ZeroDivisionError, match="the cause"):
            await supervisor.run()

    asyncio.run(go())
    assert log == ["+a", "+b", "-b", "-a"]


def test_a_drain_is_awaited_before_its_run_is_cancelled() -> None:
    log: list[str] = []

    async def go() -> None:
        done, up = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            up.set()
            await done.wait()
            log.append("finished")

        async def drain() -> None:
            done.set()
            await asyncio.sleep(0)

        supervisor = Supervisor(clock=SystemClock())
        supervisor.add(Component("a", lifetime("a", log), run=run, drain=drain))
        task = asyncio.create_task(supervisor.run())
        await up.wait()
        supervisor.quit()
        await task

    asyncio.run(go())
    assert log == ["+a", "finished", "-a"]


def test_a_component_cannot_need_what_comes_later() -> None:
    supervisor = Supervisor(clock=SystemClock())
    with pytest.raises(ValueError, match="needs"):
        supervisor.add(Component("a", lifetime("a", []), needs=("b",)))
