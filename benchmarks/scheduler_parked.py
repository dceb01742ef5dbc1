"""What a thousand agents cost that wait for work, each parked in a long-poll of its own at a running deck.

``whole_core_share``: CPU time of the deck's process (its threads included) over the time that passed, while
every agent waits the longest there is and asks again at once; ``idle_core_share``: the same before any came;
``parked_core_share``: the difference, which is what the agents cost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _scheduler_peers as peers
from benchmarks._reporting import Figures, main, progress

AGENTS, WAIT_MS = 1_000, 20_000
IDLE_S, PARKED_S = 10.0, 40.0
"""Parked for twice as long as an agent waits, so that every one has asked again twice."""


def cpu_s(pid: str) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


async def share_of(pid: str, seconds: float) -> float:
    """Return how much of a core a process takes."""
    began, before = time.monotonic(), cpu_s(pid)
    await asyncio.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - began)


def registered(facts: dict[str, str]) -> list[str]:
    """Return the keys of as many new agents."""
    operator = peers.Line(facts["address"], facts["key"])
    names = [f"agent-{number:04d}" for number in range(AGENTS)]
    return [
        str(operator.post("/agents", {"name": name, "capabilities": ["noop"]})["key"])
        for name in names
    ]


class Parked:
    """Agents that wait; ``answers`` counts how often one was told that there is no work."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self.answers = 0

    async def wait(self, key: str) -> None:
        """Ask again and again; anything but an empty answer ends the measurement."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        body = json.dumps({"wait_ms": WAIT_MS})
        request = (
            f"POST /api/v1/tasks/claim HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        while True:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split()[0])
            answer = json.loads(await reader.readexactly(length))
            if not head.startswith("http/1.1 200") or answer["claim"] is not None:
                raise RuntimeError(f"not an empty answer: {answer}")
            self.answers += 1


async def measured(facts: dict[str, str], keys: list[str]) -> tuple[float, float, int]:
    """Return the deck's share of a core idle and with everybody parked, and the answers meanwhile."""
    idle = await share_of(facts["pid"], IDLE_S)
    parked = Parked(facts["address"])
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(parked.wait(key)) for key in keys]
        await asyncio.sleep(5.0)
        before = parked.answers
        busy = await share_of(facts["pid"], PARKED_S)
        answers = parked.answers - before
        for one in waiting:
            one.cancel()
    return idle, busy, answers


def measure() -> Figures:
    """Return the shares."""
    with (
        tempfile.TemporaryDirectory(prefix="qd-parked-") as folder,
        peers.served(Path(folder)) as facts,
    ):
        keys = registered(facts)
        progress(f"{len(keys)} agents are known")
        idle, busy, answers = asyncio.run(measured(facts, keys))
    if answers < AGENTS:
        raise RuntimeError(f"{answers} answers: not everybody was parked")
    return {
        "parked_core_share": busy - idle,
        "whole_core_share": busy,
        "idle_core_share": idle,
        "agents": AGENTS,
        "answers": answers,
        "wait_ms": WAIT_MS,
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "scheduler_parked",
            measure,
            claims={"parked_core_share": "under 0.03 with 1,000 agents"},
        )
    )
