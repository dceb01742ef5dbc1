"""The level of risk of the deck and of each agent, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.level import causes, contributions, level_of, score_of
from quarterdeck.risk.model import (
    RiskLevel,
    RiskLevelChanged,
    RiskLevelsView,
    RiskLevelView,
    ScorePartView,
)
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODEL: Final = "score 1"
DIGITS: Final = 6


class Standing(msgspec.Struct, frozen=True):
    """Where one subject stands: its components now, and the points at its last change of level."""

    parts: dict[str, float | None]
    level: RiskLevel | None = None
    since_at: int = 0
    since_slice: int = 0
    score_then: float | None = None
    points_then: dict[str, float] = {}


class Kept(msgspec.Struct):
    """All that is written down of levels, in one row."""

    number: int = 0
    peak_units: int = 0
    standing: dict[str, Standing] = {}


class Levels:
    """Scores and levels by subject; journaled. Equities are those of the present slice."""

    def __init__(self) -> None:
        self._kept = Kept()
        self._scored: dict[str, AgentScored] = {}

    def load(self, reader: Reader) -> None:
        """Take up where everything stood."""
        for row in reader.rows("risk.levels"):
            self._kept = msgspec.json.decode(row["kept"], type=Kept)

    def take(self, score: AgentScored) -> None:
        """Take up an agent's record at the close of this slice."""
        self._scored[str(score.agent)] = score

    def agents(self) -> Mapping[str, AgentScored]:
        """Return the agents' records, by name."""
        return dict(sorted(self._scored.items()))

    def equity(self) -> int:
        """Return the money units of all agents together."""
        return sum(one.equity_units for one in self._scored.values())

    def drawdown(self) -> float | None:
        """Return the deck's loss from its highest equity, over that; ``None`` without an agent."""
        total = self.equity()
        self._kept.peak_units = max(self._kept.peak_units, total)
        peak = self._kept.peak_units
        return (peak - total) / peak if self._scored and peak > 0 else None

    def together(self, step: Step) -> AgentScored | None:
        """Return a record of all agents as if they were one; ``None`` without an agent."""
        fallen = self.drawdown()
        if fallen is None:
            return None
        return AgentScored(
            at=step.at,
            slice=step.slice,
            agent=AgentId(DECK),
            equity_units=self.equity(),
            peak_units=self._kept.peak_units,
            drawdown_fraction=fallen,
            sharpe=None,
        )

    def follow(
        self,
        parts: Mapping[str, Mapping[str, float | None]],
        step: Step,
        *,
        impact: Mapping[str, int | None],
    ) -> None:
        """Take the components of every subject, publish the scores, and say which level changed."""
        values: dict[str, float | None] = {}
        for subject, found in parts.items():
            rounded = {k: None if v is None else round(v, DIGITS) for k, v in found.items()}
            before = self._kept.standing.get(subject, Standing({}))
            score = score_of(rounded)
            values[subject] = score
            after = msgspec.structs.replace(before, parts=rounded)
            if score is not None and level_of(score, before.level) is not before.level:
                after = self._change(subject, after, score, impact.get(subject), step)
            self._kept.standing[subject] = after
        step.write("risk.levels_saved", kept=msgspec.json.encode(self._kept).decode())
        step.say(NumbersPublished(name="risk.score", values=values))
        # They were this slice's; the next brings its own, also after a restart.
        self._scored = {}

    def names(self) -> tuple[str, ...]:
        """Return who has been scored, the deck among them."""
        return tuple(sorted(self._kept.standing))

    def of(self, subject: str) -> tuple[RiskLevel | None, float | None]:
        """Return a subject's level and score; ``None`` before anything is known of it."""
        one = self._kept.standing.get(subject)
        return (None, None) if one is None else (one.level, score_of(one.parts))

    def view(self) -> RiskLevelsView:
        """Return every subject, the deck first."""
        names = sorted(self._kept.standing, key=lambda name: (name != DECK, name))
        return RiskLevelsView(subjects=tuple(self._view(name) for name in names))

    def _view(self, subject: str) -> RiskLevelView:
        one = self._kept.standing[subject]
        points = contributions(one.parts)
        return RiskLevelView(
            subject=subject,
            level=one.level,
            score=score_of(one.parts),
            since=None if one.level is None else rfc3339(Nanos(one.since_at)),
            since_slice=None if one.level is None else one.since_slice,
            components=tuple(
                ScorePartView(component=name, value=value, points=points.get(name))
                for name, value in one.parts.items()
            ),
        )

    def _change(
        self, subject: str, one: Standing, score: float, impact: int | None, step: Step
    ) -> Standing:
        level, points = level_of(score, one.level), contributions(one.parts)
        self._kept.number += 1
        change = RiskLevelChanged(
            at=step.at,
            slice=step.slice,
            number=self._kept.number,
            subject=subject,
            previous=one.level,
            level=level,
            previous_score=one.score_then,
            score=score,
            causes=causes(one.points_then, points),
            impact_units=impact,
            model=MODEL,
        )
        told = msgspec.json.encode(change.causes).decode()
        step.write(
            "risk.level_change_saved",
            number=change.number,
            at=change.at,
            slice=change.slice,
            subject=subject,
            previous=None if one.level is None else one.level.value,
            level=level.value,
            previous_score=one.score_then,
            score=score,
            causes=told,
            impact_units=impact,
            model=MODEL,
        )
        step.record(
            "paper",
            "risk_level_changed",
            subject=subject,
            previous=None if one.level is None else one.level.value,
            level=level.value,
            score=f"{score:.1f}",
            causes=told,
            model=MODEL,
        )
        step.say(change)
        return msgspec.structs.replace(
            one,
            level=level,
            since_at=step.at,
            since_slice=step.slice,
            score_then=score,
            points_then=points,
        )


def share_of(units: int | None, equity: int) -> float | None:
    """Return a loss over an equity; ``None`` where either is not known."""
    return None if units is None or equity <= 0 else units / equity
