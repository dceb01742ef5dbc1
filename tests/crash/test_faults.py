"""A call to the disk fails, once, at any moment: acknowledged and there, or refused and not there."""

from __future__ import annotations

import random

import pytest

from quarterdeck.runtime.journal import Journal
from tests.crash.faults import calls, tried

SAMPLES = 200


def test_whichever_call_fails_nothing_is_lost_half_done_or_there_though_refused() -> None:
    undisturbed = tried(0)[1]
    length, one_each = undisturbed.calls, set(undisturbed.last.values())
    assert SAMPLES < length < 3_000
    seen = set()
    sampled = random.Random(1).sample(range(1, length), SAMPLES - len(one_each))
    for nth in sorted(one_each.union(sampled)):
        wrong, fault = tried(nth)
        assert wrong is None, f"call {nth} ({fault.failed}): {wrong}"
        seen.add(fault.failed.split()[0])
    assert {"open", "write", "sync", "truncate", "delete", "rename"} <= seen


def test_a_journal_that_answers_before_its_commit_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def committed(self: Journal, number: int) -> None:
        return None

    monkeypatch.setattr(Journal, "committed", committed)
    assert any(tried(nth)[0] for nth in range(205, calls(), 15))
