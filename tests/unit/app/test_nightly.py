"""The fitted expert's process: what it finds is handed in, what fails is told and ends nothing."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest

from quarterdeck.app.engine import Engine
from quarterdeck.app.nightly import NightShift, fits_of
from quarterdeck.app.parts import Capabilities
from quarterdeck.risk.model import TakeFits


def returns() -> list[float]:
    """Return calm and stormy years by turns."""
    rng = np.random.default_rng(3)
    moves = rng.standard_t(6, 1_500) * np.repeat([0.006, 0.012, 0.02, 0.008, 0.015], 300)
    return [float(move) for move in moves]


def shift() -> NightShift:
    """Return the shift over one instrument; only the process it starts is looked at."""
    fitting = SimpleNamespace(returns=lambda: {"A": np.array(returns())})
    engine = SimpleNamespace(sequencer=SimpleNamespace(slice=1_500))
    parts = SimpleNamespace(risk=SimpleNamespace(fitting=fitting))
    return NightShift(cast("Engine", engine), cast("Capabilities", parts))


def test_a_process_of_its_own_fits() -> None:
    asked = msgspec.json.encode({"A": returns(), "B": [0.0] * 600})
    found = msgspec.json.decode(asyncio.run(fits_of(asked)), type=TakeFits)
    assert found.model.startswith("arch ")
    one = {fit.symbol: fit for fit in found.fits}["A"]
    assert 0.5 < one.memory < 1.0
    assert one.base > 0.0


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="object"):
        asyncio.run(fits_of(b"[]"))


def test_no_process_to_be_had_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "no-such-program")
    night = shift()
    assert asyncio.run(night.fit()) is False
    assert "slice 1500 failed" in night.detail()
