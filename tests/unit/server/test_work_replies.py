"""What a model is told of work."""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.agents.model import OutcomeView, WorkReport
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.server.work_replies import work_reply

NONE = OutcomeView(
    name="analysis", tasks=9, completed=9, failed=0, dead=0, cancelled=0, retries=0, moves=0, met=0,
    missed=0, success_fraction=1.0, worked_ms=5.0,
)  # fmt: skip


def test_dead_letters_and_deadlines_are_told_where_there_are_any() -> None:
    some = replace(NONE, name="desk", dead=2, met=3, missed=1)
    report = WorkReport(
        tasks=9, completed=9, completed_per_minute=None, types=(NONE,), agents=(some,), waits=()
    )
    told = work_reply(report, OPERATOR_CALLER)
    always = {"tasks": 9, "completed": 9, "success_fraction": 1.0, "retries": 0}
    assert told["types"] == [{"name": "analysis", **always}]
    assert told["agents"] == [{"name": "desk", **always, "dead": 2, "met": 3, "missed": 1}]
