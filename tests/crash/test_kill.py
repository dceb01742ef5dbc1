"""The real server, killed under load: nothing that a client was told is lost, nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kill_loop import CLIENTS, KillLoop

pytestmark = pytest.mark.slow


def test_six_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    loop = KillLoop(tmp_path, seed=11)
    answered = unknown = repeated = backups = 0
    for _ in range(6):
        findings = loop.once(load_s=0.8)
        assert findings.clean, findings
        answered += findings.answered
        unknown += findings.unknown
        repeated += findings.repeated
        backups += findings.backups
    assert answered > 50
    assert unknown > 0, "no request was under way when the server died"
    assert repeated > 0, "no key was ever sent twice"
    assert findings.stops > 3
    assert backups > 0, "no backup was taken"
    # The checker sees what it is there to see.
    loop.answers[f"{CLIENTS[0]}-never"] = "ord-never"
    assert loop._checked().lost == [f"{CLIENTS[0]}-never"]
    with loop._history("keeper").open("a") as history:
        history.write('{"what": "stopped", "epoch": 1000000}\n')
    assert any(text.startswith("stop 1000000") for text in loop._checked().lost)
