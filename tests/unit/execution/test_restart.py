"""Memory taken up from the database is the memory that was lost."""

from __future__ import annotations

import random

import pytest

from quarterdeck.execution.core import book
from quarterdeck.execution.model import GetExecutionReport
from quarterdeck.runtime.audit import first_broken
from tests.unit.execution.wild import Wild


@pytest.mark.parametrize("seed", range(6))
def test_a_run_with_restarts_ends_like_one_without(seed: int) -> None:
    whole = Wild(seed)
    whole.live(40)
    chance = random.Random(1_000 + seed)
    broken = Wild(seed, restarts=lambda: chance.random() < 0.25)
    broken.live(40)
    assert broken.deck.desk == whole.deck.desk
    assert broken.deck.digest() == whole.deck.digest()
    broken.deck.restart()
    assert broken.deck.desk == whole.deck.desk
    report = whole.deck.ask(GetExecutionReport())
    assert report.filled > 20
    assert report.ledger_balanced
    assert len(report.refusals) >= 5
    assert broken.deck.ask(GetExecutionReport()) == report


def test_old_final_orders_are_forgotten_alike_with_and_without_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book, "RECENT_ORDERS", 7)
    monkeypatch.setattr("quarterdeck.execution.store.RECENT_ORDERS", 7)
    wild = Wild(3)
    for _ in range(12):
        wild.live(1)
        kept = dict(wild.deck.desk.book.orders)
        wild.deck.restart()
        assert wild.deck.desk.book.orders == kept
        assert len(kept) <= 7 + len(wild.deck.desk.book.working)


def test_the_audit_chain_tells_of_every_decision_and_holds_across_restarts() -> None:
    wild = Wild(5, restarts=lambda: True)
    wild.live(10)
    rows = [
        (row["sequence"], bytes(row["record"]), bytes(row["hash"]))
        for row in wild.deck.connection.execute(
            "SELECT sequence, record, hash FROM audit WHERE partition = 'paper' ORDER BY sequence"
        )
    ]
    assert first_broken(rows) is None
    kinds = [
        row["kind"]
        for row in wild.deck.connection.execute("SELECT kind FROM audit WHERE partition = 'paper'")
    ]
    report = wild.deck.ask(GetExecutionReport())
    assert kinds.count("order_accepted") == report.accepted
    assert kinds.count("order_refused") == report.refused
    assert kinds.count("order_filled") == report.filled
    assert kinds.count("capital_paid") == 3
    assert "trading_halted" in kinds
