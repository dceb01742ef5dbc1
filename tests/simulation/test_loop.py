"""The loop tells virtual time, draws its order from the seed, and knows when it is stuck."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.loop import Crashed, Deadlock, SimLoop

TRACE = """
import asyncio
from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.loop import SimLoop

said = []

async def worker(name):
    try:
        for turn in range(4):
            await asyncio.sleep(0)
            said.append(name)
            said.append(await asyncio.to_thread(lambda: -name))
        await asyncio.Event().wait()
    finally:
        said.append(f"{name} ended")

async def failing():
    await asyncio.sleep(1)
    raise ValueError

async def main():
    # A failing task cancels the others in the order of a set: the order of their births here.
    try:
        async with asyncio.TaskGroup() as group:
            for name in range(1, 9):
                group.create_task(worker(name))
            group.create_task(failing())
    except* ValueError:
        said.append("all ended")

loop = SimLoop(Chance(SEED))
loop.run_until_complete(main())
loop.close()
print(said)
"""


def trace(seed: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRACE.replace("SEED", str(seed))],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout


def test_one_seed_has_one_trace_in_every_process() -> None:
    assert trace(1) == trace(1) != trace(2)


def test_a_virtual_day_takes_a_moment() -> None:
    loop = SimLoop(Chance(0))

    async def day() -> float:
        for _ in range(24 * 60):
            await asyncio.sleep(60)
        return loop.time()

    began = time.perf_counter()
    assert loop.run_until_complete(day()) == pytest.approx(86_400)
    loop.close()
    assert time.perf_counter() - began < 30


def test_a_program_that_nothing_can_wake_is_found_out() -> None:
    loop = SimLoop(Chance(0))

    async def stuck() -> None:
        await asyncio.Event().wait()

    task = loop.create_task(stuck())
    with pytest.raises(Deadlock):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_a_crash_ends_the_loop_at_once() -> None:
    loop = SimLoop(Chance(0))
    after = []

    def crash() -> None:
        raise Crashed("here")

    loop.call_later(1.0, crash)
    loop.call_later(1.1, after.append, "later")
    task = loop.create_task(asyncio.sleep(2.0))
    with pytest.raises(Crashed):
        loop.run_until_complete(task)
    assert after == []
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_what_fails_in_a_thread_fails_in_the_task_that_waits() -> None:
    loop = SimLoop(Chance(0))

    def broken() -> None:
        raise OSError(5, "disk I/O error")

    async def main() -> None:
        await asyncio.to_thread(broken)

    with pytest.raises(OSError, match="disk I/O error"):
        loop.run_until_complete(main())
    loop.close()


def test_chance_repeats_itself_and_forks_do_not_disturb_each_other() -> None:
    one, other = Chance(7), Chance(7)
    assert [one.bits() for _ in range(5)] == [other.bits() for _ in range(5)]
    assert one.fork("a").bits() == Chance(7).fork("a").bits() != Chance(7).fork("b").bits()
    drawn = [one.below(6) for _ in range(6_000)]
    assert set(drawn) == set(range(6))
    assert all(800 < drawn.count(face) < 1_200 for face in range(6))
