"""Risk events as they are raised, what has been reported and not yet been taken back, and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.execution.model import OrderFilled
from quarterdeck.market.model import Floats
from quarterdeck.risk.core.ladder import SEVERITY
from quarterdeck.risk.model import Response, RiskEventKind, RiskEventRaised, RiskScope
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.service.responses import Responses
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

BACK = 0.9
"""The part of a threshold that an instrument must come back to before its event is over."""
Impact = Callable[[RiskScope, str], int | None]
"""Says what the positions concerned may lose in the next bar at 99 %, in money units."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen: ``text`` follows the subject and may name ``observed`` and ``threshold``.

    What is only ``told`` is answered by nothing.
    """

    observed: float
    threshold: float
    text: str
    probability: float | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom an event concerns; ``shown`` is the subject as it is said and marked."""

    scope: RiskScope
    name: str = ""
    detail: str = ""

    @property
    def shown(self) -> str:
        """The subject in words."""
        return f"{self.name or DECK} {self.detail}".rstrip()


class RiskEvents:
    """Numbers the events and keeps the marks of what stands beyond its threshold; all journaled."""

    def __init__(self, symbols: tuple[str, ...], *, responses: Responses, impact: Impact) -> None:
        self._symbols = symbols
        self._responses = responses
        self._impact = impact
        self._number = 0
        self._marks: set[tuple[RiskEventKind, str]] = set()
        self._streaks: dict[str, tuple[int, int, int]] = {}

    def load(self, reader: Reader) -> None:
        """Take up the count, the marks and the streaks."""
        self._number = int(reader.rows("risk.last_event")[0]["number"])
        self._marks = {
            (RiskEventKind(row["kind"]), str(row["subject"])) for row in reader.rows("risk.marks")
        }
        self._streaks = {
            str(row["agent"]): (int(row["streak"]), int(row["lost"]), int(row["trades"]))
            for row in reader.rows("risk.streaks")
        }

    def marked(self, kind: RiskEventKind, subject: str) -> bool:
        """Return whether ``subject`` is beyond the threshold of ``kind``."""
        return (kind, subject) in self._marks

    def standing(self) -> tuple[tuple[RiskEventKind, str], ...]:
        """Return kind and subject of what stands beyond its threshold, in order."""
        return tuple(sorted(self._marks))

    def streak(self, agent: str) -> int:
        """Return with how many closed trades in a row an agent has lost."""
        return self._streaks.get(agent, (0, 0, 0))[0]

    def mark_rows(
        self,
        kind: RiskEventKind,
        observed: Floats,
        step: Step,
        *,
        threshold: float,
        evidence: Callable[[int], Evidence],
    ) -> None:
        """Mark every instrument whose ``observed`` crossed its threshold; NaN is not beyond.

        One that is marked stays so until it is a tenth below the threshold.
        """
        before = self._before(kind)
        beyond = observed >= np.where(before, BACK * threshold, threshold)
        changed = beyond != before
        for row in np.flatnonzero(changed).tolist():
            concerned = Concerned(RiskScope.INSTRUMENT, self._symbols[row])
            self.mark(kind, concerned, step, beyond=bool(beyond[row]), evidence=evidence(row))

    def mark(
        self,
        kind: RiskEventKind,
        concerned: Concerned,
        step: Step,
        *,
        beyond: bool,
        evidence: Evidence,
    ) -> None:
        """Raise an event when the threshold is first crossed; forget it once it is not any more."""
        subject = concerned.shown
        mark = (kind, subject)
        if beyond == (mark in self._marks):
            return
        if beyond:
            self._marks.add(mark)
            self.raise_event(kind, concerned, step, evidence=evidence)
        else:
            self._marks.discard(mark)
            self._responses.over(kind, subject, step)
        step.write("risk.mark_saved", kind=kind.value, subject=subject, active=int(beyond))

    def raise_event(
        self, kind: RiskEventKind, concerned: Concerned, step: Step, *, evidence: Evidence
    ) -> None:
        """Journal an event with its evidence, say it, and answer it."""
        self._number += 1
        said = evidence.text.format(observed=evidence.observed, threshold=evidence.threshold)
        event = RiskEventRaised(
            at=step.at,
            slice=step.slice,
            event_id=step.new_id("rsk"),
            kind=kind,
            severity=SEVERITY[kind],
            subject=concerned.shown,
            observed=evidence.observed,
            threshold=evidence.threshold,
            text=f"{concerned.shown} {said}",
            scope=concerned.scope,
            concerns=concerned.name,
            probability=evidence.probability,
            impact_units=self._impact(concerned.scope, concerned.name),
            response=Response.NOTIFY if evidence.told else self._responses.rung(kind),
        )
        step.write(
            "risk.event_saved",
            number=self._number,
            event_id=event.event_id,
            slice=event.slice,
            at=event.at,
            kind=kind.value,
            severity=event.severity.value,
            subject=event.subject,
            observed=event.observed,
            threshold=event.threshold,
            text=event.text,
            scope=event.scope.value,
            concerns=event.concerns,
            probability=event.probability,
            impact_units=event.impact_units,
            response=event.response.value,
        )
        step.say(event)
        self._responses.answer(event, step)

    def follow_trade(self, fill: OrderFilled, step: Step, *, most: int) -> None:
        """Count a closed trade of an agent: ``most`` losing ones in a row are an event."""
        if not fill.closed:
            return
        agent = str(fill.agent)
        streak, lost, trades = self._streaks.get(agent, (0, 0, 0))
        lose = fill.realised_units < fill.fee_units
        # The chance of one loss is what it was before the streak began, with one of either added.
        share = (lost - streak + 1) / (trades - streak + 2)
        streak = streak + 1 if lose else 0
        self._streaks[agent] = (streak, lost + lose, trades + 1)
        step.write(
            "risk.streak_saved", agent=agent, streak=streak, lost=lost + lose, trades=trades + 1
        )
        self.mark(
            RiskEventKind.LOSING_STREAK,
            Concerned(RiskScope.AGENT, agent),
            step,
            beyond=streak >= most,
            evidence=Evidence(
                float(streak),
                float(most),
                f"has lost with {{observed:.0f}} trades in a row; {share:.0%} lost before",
                probability=share**streak,
            ),
        )

    def _before(self, kind: RiskEventKind) -> npt.NDArray[np.bool_]:
        """Return which instruments are marked with ``kind``."""
        marked = np.zeros(len(self._symbols), dtype=np.bool_)
        for one, subject in self._marks:
            if one is kind and subject in self._symbols:
                marked[self._symbols.index(subject)] = True
        return marked
