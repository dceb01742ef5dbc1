"""Risk events as they are raised, and what has been reported and not yet been taken back."""

from __future__ import annotations

from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.model import RiskEventKind, RiskEventRaised
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


class RiskEvents:
    """Numbers the events and keeps the marks of what stands beyond its threshold; all journaled."""

    def __init__(self) -> None:
        self._number = 0
        self._marks: set[tuple[RiskEventKind, str]] = set()

    def load(self, reader: Reader) -> None:
        """Take up the count and the marks."""
        self._number = int(reader.rows("risk.last_event")[0]["number"])
        self._marks = {
            (RiskEventKind(row["kind"]), str(row["subject"])) for row in reader.rows("risk.marks")
        }

    def marked(self, kind: RiskEventKind, subject: str) -> bool:
        """Return whether ``subject`` is beyond the threshold of ``kind``."""
        return (kind, subject) in self._marks

    def mark(
        self,
        kind: RiskEventKind,
        subject: str,
        step: Step,
        *,
        severity: Severity,
        observed: float,
        threshold: float,
        text: str,
    ) -> None:
        """Raise an event when the threshold is first crossed; forget it once it is not any more."""
        mark, beyond = (kind, subject), observed >= threshold
        if beyond == (mark in self._marks):
            return
        if beyond:
            self._marks.add(mark)
            self.raise_event(
                kind,
                subject,
                step,
                severity=severity,
                observed=observed,
                threshold=threshold,
                text=text,
            )
        else:
            self._marks.discard(mark)
        step.write("risk.mark_saved", kind=kind.value, subject=subject, active=int(beyond))

    def raise_event(
        self,
        kind: RiskEventKind,
        subject: str,
        step: Step,
        *,
        severity: Severity,
        observed: float,
        threshold: float,
        text: str,
    ) -> None:
        """Journal an event with its evidence and say it."""
        self._number += 1
        event = RiskEventRaised(
            at=step.at,
            slice=step.slice,
            event_id=step.new_id("rsk"),
            kind=kind,
            severity=severity,
            subject=subject,
            observed=observed,
            threshold=threshold,
            text=f"{subject} " + text.format(observed=observed, threshold=threshold),
        )
        step.write(
            "risk.event_saved",
            number=self._number,
            event_id=event.event_id,
            slice=event.slice,
            at=event.at,
            kind=kind.value,
            severity=severity.value,
            subject=subject,
            observed=observed,
            threshold=threshold,
            text=event.text,
        )
        step.say(event)
