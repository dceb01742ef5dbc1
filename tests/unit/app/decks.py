"""A whole deck in this process, on real files and a few months of the embedded data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import msgspec

from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.app.deck import Deck
from quarterdeck.app.plan import EMBEDDED, Plan
from quarterdeck.crew import CREW
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.runtime.config_file import shipped_config
from quarterdeck.runtime.folder import DataFolder

Given = TypeVar("Given")
END = parse_rfc3339("2005-12-01T00:00:00Z")
PATIENCE_S = 300.0
"""How long what must happen may take: no machine is so slow, and only a failure takes so long."""
PAUSE_S = 0.01


async def until(fact: Callable[[], object]) -> None:
    """Let the deck go on until ``fact`` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_S)


async def admitted(ask: Callable[[], Awaitable[Given]]) -> Given:
    """Ask until the journal admits it: a step in memory for 250 ms, as on a busy machine, refuses others."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await ask()
            except Overloaded:
                await asyncio.sleep(PAUSE_S)


def plan_in(folder: DataFolder, *, speed: float | None = None) -> Plan:
    """A run of the embedded data's first months with all built-in agents, on any free port."""
    config = shipped_config()
    server = msgspec.structs.replace(config.server, port=0)
    run = msgspec.structs.replace(config.run, warm_up_bars=60)
    return Plan(
        config=msgspec.structs.replace(config, server=server, run=run),
        folder=folder,
        feed=open_replay(None, symbols=None, start=None, end=END),
        source=EMBEDDED,
        speed=speed,
        members=tuple(sorted(CREW)),
        any_port=True,
    )


def lived(path: Path, work: Callable[[Deck], Coroutine[None, None, None]]) -> Deck:
    """Run a deck in ``path`` to the end of its feed, then ``work``, then to its orderly end."""
    with DataFolder(path) as folder:
        deck = Deck(plan_in(folder), kernel_digest="as tested")

        async def talk() -> None:
            await deck.ended.wait()
            await work(deck)
            deck.quit()

        asyncio.run(deck.run(talk))
        return deck
