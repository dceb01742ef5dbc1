"""A drill walks the real path of the stop, says what it proved, and finds a stop that does not hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quarterdeck.app.drill import drilled
from quarterdeck.app.shadow import Shadow
from quarterdeck.execution.model import DrillProof, GetDrill
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.config import Config
from tests.unit.execution.deck import INSTRUMENTS, Deck, Pace, open_deck


def shadow_of(deck: Deck, path: Path) -> Shadow:
    return Shadow(
        Config(), path=path, desk=deck.desk, instruments=INSTRUMENTS, capital=100_000_000_000,
        clock=SystemClock(), pace=Pace(),
    )  # fmt: skip


def test_a_drill_proves_the_stop_and_leaves_the_run_alone(tmp_path: Path) -> None:
    deck = open_deck()
    before = deck.digest()
    proof = asyncio.run(drilled(shadow_of(deck, tmp_path / "drill")))
    assert proof.faults == ()
    assert (proof.accepted, proof.refused, proof.cancelled) == (0, 5, proof.orders)
    assert 0 < proof.in_force_ms <= proof.done_ms
    assert deck.digest() == before


@pytest.mark.parametrize("planted", ["deaf", "forgetful"])
def test_a_stop_that_does_not_hold_is_found(
    tmp_path: Path, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quarterdeck.app.drill.PATIENCE_S", 0.2)
    shadow = shadow_of(open_deck(), tmp_path / "drill")
    if planted == "deaf":
        # The gate does not look at the flag.
        shadow.flag.raised = lambda: 0  # type: ignore[method-assign]
    else:
        shadow.flag.watch = lambda _: None  # type: ignore[method-assign]
    proof = asyncio.run(drilled(shadow))
    assert proof.faults


def test_the_record_of_a_drill_survives_a_restart_and_a_failure_keeps_the_last_proof() -> None:
    deck = open_deck()
    assert deck.ask(GetDrill()).number == 0
    good = DrillProof(
        faults=(), in_force_ms=1.5, done_ms=9.0, orders=15, accepted=0, refused=5, cancelled=15
    )
    proven = deck.send(good).proven_at
    deck.clock.at_slice(99)
    deck.send(DrillProof(**{name: getattr(good, name) for name in good.__struct_fields__ if name != "faults"}, faults=("it did not hold",)))  # fmt: skip
    deck.restart()
    view = deck.ask(GetDrill())
    assert (view.number, view.faults, view.proven_at) == (2, ("it did not hold",), proven)
    assert view.at != proven
