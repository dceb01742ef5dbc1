"""The ladder: what answers a risk event, as long as it lasts or until a person takes it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.risk.core.ladder import ONE_OFF
from quarterdeck.risk.model import (
    LiftResponse,
    Response,
    ResponseState,
    RiskEventKind,
    RiskEventRaised,
    RiskResponded,
    RiskResponseView,
    RiskScope,
)
from quarterdeck.risk.store import response_of
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

PARTITION: Final = "paper"
LASTING: Final = (Response.TIGHTEN, Response.REDUCE_ONLY)
"""Responses that stand until they are over; the others are carried out once."""
MAX_REASON: Final = 500
ENDED: Final = ("ended_at", "ended_by", "ended_because")


Restrain = Callable[[RiskScope, str, Step], None]
"""Says what passes at a level, now that a response there came or ended."""


class Answered(msgspec.Struct, frozen=True):
    """A response that stands; ``mark`` is the subject of its event as it was said."""

    number: int
    response_id: str
    event_id: str
    at: int
    slice: int
    response: Response
    scope: RiskScope
    subject: str
    kind: RiskEventKind
    mark: str
    reason: str
    until_slice: int | None


class Responses:
    """What stands as an answer to risk events; all journaled."""

    def __init__(self, config: RiskSection, *, restrain: Restrain) -> None:
        self._config = config
        self._restrain = restrain
        self._number = 0
        self._standing: dict[int, Answered] = {}

    def load(self, reader: Reader) -> None:
        """Take up what stands."""
        self._number = int(reader.rows("risk.last_response")[0]["number"])
        self._standing = {
            int(row["number"]): _answered(row) for row in reader.rows("risk.standing_responses")
        }

    def rung(self, kind: RiskEventKind) -> Response:
        """Return the rung that answers events of ``kind``."""
        return Response(getattr(self._config.responses, kind.value))

    def multiplier(self, symbol: str) -> float:
        """Return what the responses that stand multiply the budget of an instrument by."""
        for each in self._standing.values():
            if each.response is Response.TIGHTEN and each.subject in ("", symbol):
                return self._config.response_multiplier
        return 1.0

    def answer(self, event: RiskEventRaised, step: Step) -> None:
        """Answer an event with its rung."""
        if event.response is Response.NOTIFY:
            return
        self._number += 1
        lasting = event.response in LASTING
        until = step.slice + self._config.response_bars if event.kind in ONE_OFF else None
        one = Answered(
            number=self._number,
            response_id=step.new_id("rsp"),
            event_id=event.event_id,
            at=step.at,
            slice=step.slice,
            response=event.response,
            scope=event.scope,
            subject=event.concerns,
            kind=event.kind,
            mark=event.subject,
            reason=event.text,
            until_slice=until if lasting else None,
        )
        state = ResponseState.STANDING if lasting else ResponseState.CARRIED_OUT
        if lasting:
            self._standing[one.number] = one
        step.write(
            "risk.response_saved",
            number=one.number,
            response_id=one.response_id,
            event_id=one.event_id,
            slice=one.slice,
            at=one.at,
            response=one.response.value,
            state=state.value,
            scope=one.scope.value,
            subject=one.subject,
            kind=one.kind.value,
            mark=one.mark,
            reason=one.reason,
            until_slice=one.until_slice,
        )
        self._tell(one, state, step, reason=one.reason)

    def over(self, kind: RiskEventKind, mark: str, step: Step) -> None:
        """End the responses to an event that does not last any more."""
        for one in list(self._standing.values()):
            if (one.kind, one.mark) == (kind, mark):
                self._end(one, ResponseState.OVER, step, because="its event is over")

    def expire(self, step: Step) -> None:
        """End the responses whose bars are over."""
        for one in list(self._standing.values()):
            if one.until_slice is not None and step.slice >= one.until_slice:
                self._end(one, ResponseState.OVER, step, because="its bars are over")

    def lift(self, command: LiftResponse, step: Step) -> RiskResponseView:
        """Take a standing response back for a person."""
        reason = command.reason.strip()
        if not reason or len(reason) > MAX_REASON:
            raise InvalidInput.of("reason", command.reason[:80], f"1 to {MAX_REASON} characters")
        for one in self._standing.values():
            if one.response_id == command.response_id:
                self._end(one, ResponseState.LIFTED, step, because=reason)
                ended = {
                    "state": ResponseState.LIFTED,
                    "ended_at": step.at,
                    "ended_by": step.caller.identity,
                    "ended_because": reason,
                }
                return response_of(msgspec.structs.asdict(one) | ended)
        standing = ", ".join(each.response_id for each in self._standing.values())
        raise NotFound(
            "no such response stands",
            field="response_id",
            value=command.response_id[:80],
            accepted=standing[:400] or "none stands",
        )

    def view(self) -> tuple[RiskResponseView, ...]:
        """Return what stands, newest first."""
        standing = {"state": ResponseState.STANDING} | dict.fromkeys(ENDED)
        return tuple(
            response_of(msgspec.structs.asdict(one) | standing)
            for one in reversed(self._standing.values())
        )

    def concerning(self, agent: str) -> tuple[str, ...]:
        """Return in words what stands for an agent: its own, the deck's and the instruments'."""
        return tuple(
            f"{one.response.value} {one.subject or 'deck'}: {one.kind.value}"
            for one in self._standing.values()
            if one.scope is not RiskScope.AGENT or one.subject == agent
        )

    def _end(self, one: Answered, state: ResponseState, step: Step, *, because: str) -> None:
        del self._standing[one.number]
        step.write(
            "risk.response_ended",
            number=one.number,
            state=state.value,
            ended_at=step.at,
            ended_by=step.caller.identity,
            ended_because=because,
        )
        self._tell(one, state, step, reason=because)

    def _tell(self, one: Answered, state: ResponseState, step: Step, *, reason: str) -> None:
        step.record(
            PARTITION,
            "risk_response",
            response_id=one.response_id,
            response=one.response.value,
            state=state.value,
            scope=one.scope.value,
            subject=one.subject,
            reason=reason,
        )
        step.say(
            RiskResponded(
                at=step.at,
                slice=step.slice,
                response_id=one.response_id,
                response=one.response,
                state=state,
                scope=one.scope,
                subject=one.subject,
                reason=reason,
                by=step.caller.identity,
            )
        )
        if one.response is Response.REDUCE_ONLY:
            self._restrain(one.scope, one.subject, step)

    def reducing(self, scope: RiskScope, subject: str) -> bool:
        """Return whether only reducing orders may pass at a level, by what stands."""
        return any(
            each.response is Response.REDUCE_ONLY and (each.scope, each.subject) == (scope, subject)
            for each in self._standing.values()
        )


def _answered(row: Mapping[str, Any]) -> Answered:
    return msgspec.convert({name: row[name] for name in Answered.__struct_fields__}, Answered)
