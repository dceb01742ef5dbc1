"""What the tools about risk answer: the deck's level and the caller's own, in short lines."""

from __future__ import annotations

from quarterdeck.kernel.messages import Answer
from quarterdeck.risk.model import RiskBrief, RiskLevelsView
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.server.replies import Reply, fitted

DECK = "deck"


def risk_line(brief: RiskBrief) -> Reply:
    """Return what an agent should know of risk, in few words; what is not known is left out."""
    line: Reply = {}
    for name, level, score in (
        ("level", brief.level, brief.score),
        ("deck", brief.deck_level, brief.deck_score),
    ):
        if level is not None and score is not None:
            line[name] = f"{level.value} {score:.0f}/100"
    if brief.condition is not None:
        line["condition"] = f"{brief.condition.value}, limits x{brief.condition_multiplier:.2f}"
    if brief.credit is not None and brief.credit_share is not None:
        line["credit"] = f"{brief.credit:.2f} gross ({brief.credit_share:.0%} of the limit)"
    if brief.deck_credit is not None:
        line["deck_credit"] = f"{brief.deck_credit:.2f} gross of all agents"
    if brief.size_share is not None:
        line["size"] = f"{brief.size_share:.0%} of position limits and sizes"
    if brief.stop_distance is not None:
        line["stop"] = f"{brief.stop_distance:.1f} forecast volatilities"
    if brief.clusters:
        line["together"] = [one[:80] for one in brief.clusters[:2]]
    if brief.standing:
        line["answers"] = [one[:60] for one in brief.standing[:3]]
    if brief.failing:
        line["var_fails"] = [one[:24] for one in brief.failing[:5]]
    if brief.judged:
        line["coverage"] = f"{brief.hits} of {brief.judged} bars lost more than the deck's 99 % VaR"
    return line


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
