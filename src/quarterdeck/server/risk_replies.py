"""What the tools about risk answer: the deck's level and the caller's own, in short lines."""

from __future__ import annotations

from quarterdeck.kernel.messages import Answer
from quarterdeck.risk.model import RiskLevelsView
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.server.replies import Reply, fitted

DECK = "deck"


def level_reply(answer: Answer, caller: Caller) -> Reply:
    """Return the level of the deck and of the caller, or of everybody for a person, and why."""
    if not isinstance(answer, RiskLevelsView):
        raise TypeError(f"not levels of risk: {type(answer).__name__}")
    everybody = caller.kind is CallerKind.OPERATOR
    lines = []
    for one in answer.subjects:
        if not everybody and one.subject not in (DECK, caller.identity):
            continue
        points = ", ".join(
            f"{part.component} {part.points:.0f}"
            for part in one.components
            if part.points is not None and part.points >= 0.5
        )
        known = "not known yet" if one.level is None else f"{one.level.value} {one.score:.0f}/100"
        lines.append(f"{one.subject}: {known}" + (f" ({points})" if points else ""))
    return fitted({"levels": lines}, lists=("levels",))
