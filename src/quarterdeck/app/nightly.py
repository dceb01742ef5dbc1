"""The fitted expert's night shift: a process of its own fits, and what it finds is handed in as a command."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from contextlib import nullcontext

import msgspec

from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.library.gjr import installed
from quarterdeck.risk.model import TakeFits
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.supervisor import Component

LOOK_S = 0.5
"""How often it is looked whether a fit is due."""
REST_S = 60.0
"""How long it rests after one that failed."""
PATIENCE_S = 600.0
"""How long one may take."""


class NightShift:
    """Fits when it is due; a closed run has none, because a fit comes when it comes."""

    def __init__(self, engine: Engine, parts: Capabilities) -> None:
        self._sequencer = engine.sequencer
        self._fitting = parts.risk.fitting
        self._told = "nothing was due yet"

    async def run(self) -> None:
        """Look for as long as the deck lives."""
        while True:
            await asyncio.sleep(LOOK_S)
            outside = self._sequencer.first_outside is not None
            if outside and self._fitting.due(self._sequencer.slice) and not await self.fit():
                await asyncio.sleep(REST_S)

    def detail(self) -> str:
        """Return how the last one went."""
        return self._told

    async def fit(self) -> bool:
        """Fit now and hand in what was found; return whether that was taken. What failed is told, no more."""
        asked = {name: values.tolist() for name, values in self._fitting.returns().items()}
        if not asked:
            self._told = "no instrument has returns enough"
            return False
        since = self._sequencer.slice
        try:
            found = msgspec.json.decode(await fits_of(msgspec.json.encode(asked)), type=TakeFits)
            if not found.fits:
                self._told = f"no fit converged at slice {since}"
                return False
            await self._sequencer.submit(found, DECK_CALLER)
        except (DomainError, msgspec.DecodeError, RuntimeError, OSError) as error:
            self._told = f"the fit of slice {since} failed: {error}"
            return False
        self._told = f"{len(found.fits)} fits of slice {since} by {found.model}"
        return True


async def fits_of(asked: bytes) -> bytes:
    """Return what the process wrote, asked for fits of returns by symbol as JSON.

    Raises
    ------
    RuntimeError
        With the process's last line, if it failed.
    OSError
        If there could be no process, or it took too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quarterdeck.library.gjr", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            written, said = await process.communicate(asked)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = said.decode(errors="replace").strip().splitlines()
        raise RuntimeError(lines[-1][:200] if lines else f"exit {process.returncode}")
    return written


def night_shift(engine: Engine, parts: Capabilities) -> tuple[Component, ...]:
    """Return the component that fits, none where nothing asks for it.

    Raises
    ------
    InvalidInput
        If fits are asked for and the package that makes them is not installed.
    """
    every = engine.plan.config.risk.fitted_every_bars
    if not every:
        return ()
    if not installed():
        raise InvalidInput.of(
            "risk.fitted_every_bars",
            every,
            "0, or the package arch: pip install 'quarterdeck[fit]'",
        )
    shift = NightShift(engine, parts)
    return (
        Component(
            "fitted expert", nullcontext(), needs=("state",), run=shift.run, detail=shift.detail
        ),
    )
