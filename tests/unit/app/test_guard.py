"""What is damaged on disk closes the gate: at the start, and while the deck runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.alerts.model import GetOpenAlerts
from quarterdeck.app.deck import Deck
from quarterdeck.cli import verify
from quarterdeck.execution.model import GetRearm, Rearm
from quarterdeck.execution.service.rearming import resumes
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.app.decks import admitted, lived

DAMAGE = {
    "a fill row deleted": (
        "DELETE FROM execution_fills WHERE number = 3",
        "no row is lost",
        "execution_fills: row 3",
    ),
    "the last fill row deleted": (
        "DELETE FROM execution_fills WHERE number = (SELECT max(number) FROM execution_fills)",
        "orders are fills",
        "execution_orders: row",
    ),
    "a cash figure changed": (
        "UPDATE execution_accounts SET cash_units = cash_units + 1 WHERE number = 1",
        "cash is fills",
        ", by fills ",
    ),
    "an order's status changed": (
        (
            "UPDATE execution_orders SET status = 'working' WHERE number = "
            "(SELECT min(number) FROM execution_orders WHERE status = 'filled')"
        ),
        "order states",
        "is working with",
    ),
    "a filled order called cancelled": (
        (
            "UPDATE execution_orders SET status = 'cancelled' WHERE number = "
            "(SELECT min(number) FROM execution_orders WHERE status = 'filled')"
        ),
        "tallies are orders",
        "execution_tallies: row",
    ),
    "a ledger line changed": (
        "UPDATE execution_ledger SET amount_units = amount_units + 1 WHERE number = 9",
        "double entry",
        "execution_ledger: entry",
    ),
    "a step deleted": ("DELETE FROM step WHERE number = 20", "no row is lost", "step: row 20"),
    "an audit record changed": (
        (
            "UPDATE audit SET record = CAST(replace(CAST(record AS TEXT), 'e', 'f') AS BLOB) "
            "WHERE sequence = (SELECT max(sequence) - 5 FROM audit)"
        ),
        "audit chain",
        "does not follow",
    ),
}


async def nothing(deck: Deck) -> None:
    """Live to the end of the feed and leave."""


@pytest.fixture(scope="module")
def run_that_ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder as a crash leaves it: whole, and without the seal of an orderly end."""
    path = tmp_path_factory.mktemp("whole") / "deck"
    deck = lived(path, nothing)
    assert deck.guard.sound()
    (path / "core.seal").unlink()
    return path


def damaged(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path / "core.db")) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def alerts(deck: Deck) -> dict[str, str]:
    """Return the subject and severity of every open episode of the guard's rule."""
    view = deck.parts.alerts.open_alerts(GetOpenAlerts(), OPERATOR_CALLER)
    return {
        each.subject: each.severity.value
        for each in view.episodes
        if each.rule_id == "invariant-violated"
    }


@pytest.mark.parametrize("what", DAMAGE)
def test_a_start_on_damaged_books_names_the_rule_and_the_row_and_opens_stopped(
    run_that_ended: Path, tmp_path: Path, what: str
) -> None:
    statement, rule, row = DAMAGE[what]
    path = tmp_path / "deck"
    shutil.copytree(run_that_ended, path)
    damaged(path, statement)
    seen: list[str] = []

    async def look(deck: Deck) -> None:
        stop = deck.stop_state()
        assert stop.stopped
        assert rule in (stop.reason or "")
        line = next(each for each in deck.engine.supervisor.snapshot() if each.name == "invariants")
        assert not line.sound
        seen.extend((stop.reason or "", line.detail))
        assert alerts(deck)[rule] == "critical"

    deck = lived(path, look)
    assert rule in {each.rule for each in deck.guard.found}
    assert any(row in each.text for each in deck.guard.found), deck.guard.found
    assert row in "".join(seen)


def test_a_start_on_whole_books_opens_for_trade(run_that_ended: Path, tmp_path: Path) -> None:
    path = tmp_path / "deck"
    shutil.copytree(run_that_ended, path)

    async def look(deck: Deck) -> None:
        assert not deck.stop_state().stopped
        assert not alerts(deck)
        before = deck.guard.passes
        await passed(deck)
        assert deck.guard.passes > before
        assert deck.guard.sound()

    lived(path, look)


async def passed(deck: Deck) -> None:
    """Take turns until everything was looked at once more, or something was found."""
    before = deck.guard.passes
    while deck.guard.passes == before and deck.guard.sound():
        await admitted(deck.guard.turn)


def rearming(deck: Deck) -> Rearm:
    """The command of a person who has looked at what resumes."""
    listed = resumes(deck.parts.execution, GetRearm(), OPERATOR_CALLER)
    return Rearm(epoch=listed.epoch, reason="it looks well", confirm=listed.confirmation)


def test_damage_done_while_the_deck_runs_stops_trading_however_often_it_is_opened(
    run_that_ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody but this test takes turns, so that what is looked at stays as it is.
    monkeypatch.setattr("quarterdeck.app.invariants.guard.TURN_S", 1e6)
    path = tmp_path / "deck"
    shutil.copytree(run_that_ended, path)

    async def look(deck: Deck) -> None:
        await passed(deck)
        assert not deck.stop_state().stopped
        damaged(
            path, "UPDATE execution_fills SET quantity_units = quantity_units + 1 WHERE number = 2"
        )
        # The pass under way may have read the row before.
        await passed(deck)
        await passed(deck)
        await deck.guard.report()
        assert deck.stop_state().stopped
        assert set(alerts(deck)) == {each.rule for each in deck.guard.found}
        await admitted(lambda: deck.engine.sequencer.submit(rearming(deck), OPERATOR_CALLER))
        assert not deck.stop_state().stopped
        await deck.guard.report()
        assert deck.stop_state().stopped

    lived(path, look)


def test_a_step_in_the_middle_of_a_look_is_no_violation(
    run_that_ended: Path, tmp_path: Path
) -> None:
    path = tmp_path / "deck"
    shutil.copytree(run_that_ended, path)

    async def look(deck: Deck) -> None:
        async def trouble() -> None:
            for _ in range(20):
                await admitted(
                    lambda: deck.engine.sequencer.submit(rearming(deck), OPERATOR_CALLER)
                )
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(trouble())
            for _ in range(40):
                await admitted(deck.guard.turn)
        assert deck.guard.sound()

    lived(path, look)


def test_the_fold_from_the_first_row_finds_the_same_without_a_deck(
    run_that_ended: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.run(run_that_ended, as_json=False) == 0
    assert "every rule holds" in capsys.readouterr().out
    for number, (what, (statement, rule, _)) in enumerate(DAMAGE.items()):
        path = tmp_path / str(number)
        shutil.copytree(run_that_ended, path)
        damaged(path, statement)
        assert verify.run(path, as_json=True) == 1, what
        told = json.loads(capsys.readouterr().out)
        # Without a deck's memory cash is held against the ledger, not against the fills.
        wanted = "cash is the ledger" if rule == "cash is fills" else rule
        assert wanted in {each["rule"] for each in told["violations"]}, what
