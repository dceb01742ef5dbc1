"""What runs, in which state; who is asking; and the pace of the replay."""

from __future__ import annotations

import platform

from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.kernel.time import rfc3339
from quarterdeck.runtime.pacer import FeedState
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.server.desk.model import (
    ComponentView,
    ControlReplay,
    GetSession,
    GetSystem,
    RunView,
    SessionView,
    SystemView,
)
from quarterdeck.server.desk.overview import feed_view
from quarterdeck.server.ports import Health, Pacer, RunFacts


class SystemDesk:
    """Answers for the process itself; keeps nothing."""

    def __init__(self, *, health: Health, pacer: Pacer, facts: RunFacts) -> None:
        self._health = health
        self._pacer = pacer
        self._facts = facts

    def system(self, query: GetSystem, caller: Caller) -> SystemView:  # noqa: ARG002
        """Return the register of components, the feed, the run and the journal."""
        facts, feed = self._facts, self._pacer.status()
        return SystemView(
            ready=self._health.ready(),
            components=tuple(
                ComponentView(
                    name=line.name,
                    needs=tuple(line.needs),
                    order=line.order,
                    phase=line.phase,
                    since=line.since,
                    detail=line.detail,
                )
                for line in self._health.snapshot()
            ),
            feed=feed_view(feed),
            run=RunView(
                run=facts.run(),
                source=facts.source,
                feed_digest=facts.feed_digest,
                seed=facts.seed,
                started_at=rfc3339(facts.started_at),
                closed=facts.first_outside() is None,
                first_outside=facts.first_outside(),
                free_bytes=facts.free_bytes(),
            ),
            journal=facts.journal(),
            versions={"quarterdeck": facts.version, "python": platform.python_version()},
            audit_head=facts.audit_head(),
        )

    def session(self, query: GetSession, caller: Caller) -> SessionView:  # noqa: ARG002
        """Return who the caller is."""
        return SessionView(
            identity=caller.identity,
            kind=caller.kind,
            permissions=tuple(sorted(caller.permissions)),
        )

    def replay(self, command: ControlReplay, step: Step) -> SystemView:
        """Pace the replay and return the system as it stands then."""
        speed, state = command.speed, self._pacer.status().state
        if command.action is None and speed is None:
            raise InvalidInput.of("action", None, "pause, resume, step, or a speed")
        if command.action is not None and state is FeedState.ENDED:
            raise InvalidInput.of("action", command.action, "nothing: the replay has ended")
        if command.action == "step" and state is not FeedState.PAUSED:
            raise Conflict(
                "the replay is not paused",
                code="NOT_PAUSED",
                field="action",
                value="step",
                accepted="step after pause",
            )
        if speed is not None:
            # Refuses a speed out of range; everything else has been looked at before.
            self._pacer.set_speed(speed if isinstance(speed, float) else None)
        step.record(
            "paper",
            "replay_paced",
            action=command.action,
            speed=None if speed is None else str(speed),
        )
        match command.action:
            case "pause":
                self._pacer.pause()
            case "resume":
                self._pacer.resume()
            case "step":
                self._pacer.step_once()
            case None:
                pass
        return self.system(GetSystem(), step.caller)
