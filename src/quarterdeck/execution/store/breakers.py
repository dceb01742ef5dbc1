"""Circuit breakers in the database: how each stands, every change, and what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quarterdeck.execution.core.amounts import parts_down
from quarterdeck.execution.core.breakers import (
    BY_PERSON,
    CODES,
    WATCHES,
    Breaker,
    Breakers,
    Calls,
    Settings,
)
from quarterdeck.execution.core.windows import Agent, Market
from quarterdeck.execution.model import BreakerEvent, BreakerKind, BreakerState, BreakerView, Scope
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import MINUTE, Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.runtime.config import BreakersSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


def settings_of(section: BreakersSection) -> Settings:
    """Return the configured thresholds as integers, fractions rounded to the tight side."""
    return Settings(
        losses=section.rapid_losses,
        loss_window=section.rapid_loss_minutes * MINUTE,
        trades=section.trades,
        trade_window=section.trade_minutes * MINUTE,
        errors=section.errors,
        error_window=section.error_minutes * MINUTE,
        soft_parts=parts_down(section.drawdown_soft_fraction),
        hard_parts=parts_down(section.drawdown_hard_fraction),
        calls=section.loop_calls,
        churn=section.loop_cancels,
        repeats=section.loop_executions,
        volume_parts=parts_down(section.volume_spike_ratio),
        move_parts=parts_down(section.volatility_halt_fraction),
        cool_down_bars=section.cool_down_bars,
        probe_bars=section.probe_bars,
    )


def write_breaker(step: Step, breaker: Breaker) -> None:
    """Write how a breaker stands and what it has counted."""
    step.put(
        "execution.breaker_saved",
        *breaker.key,
        row=lambda: {
            "kind": breaker.kind.value,
            "scope": breaker.scope.value,
            "subject": breaker.subject,
            "state": breaker.state.value,
            "trips": breaker.trips,
            "reason": breaker.reason,
            "evidence": breaker.evidence,
            "at": breaker.at,
            "slice": breaker.slice,
            "peak_units": breaker.peak,
            "events": msgspec.json.encode(breaker.events).decode(),
        },
    )


def read_breakers(reader: Reader) -> Breakers:
    """Return all breakers."""
    found = Breakers()
    for row in reader.rows("execution.breakers"):
        found.put(
            Breaker(
                kind=BreakerKind(row["kind"]),
                scope=Scope(row["scope"]),
                subject=row["subject"],
                state=BreakerState(row["state"]),
                trips=row["trips"],
                reason=row["reason"],
                evidence=row["evidence"],
                at=Nanos(row["at"]),
                slice=row["slice"],
                peak=row["peak_units"],
                events=_events(row["events"]),
            )
        )
    return found


def _events(text: str) -> list[tuple[int, int, int]]:
    """Return the events of a breaker; version 0.1.0 wrote each of them alone, without how often."""
    found = msgspec.json.decode(text, type=list[list[int]])
    return [(each[0], each[1], each[2] if len(each) > 2 else 1) for each in found]


def breaker_view(breaker: Breaker, settings: Settings) -> BreakerView:
    """Return a breaker as it is shown."""
    again = None
    if breaker.state is BreakerState.OPEN and breaker.kind not in BY_PERSON:
        again = breaker.slice + settings.cool_down_bars
    return BreakerView(
        kind=breaker.kind,
        scope=breaker.scope,
        subject=breaker.subject,
        state=breaker.state,
        code=CODES[breaker.kind],
        trips=breaker.trips,
        reason=breaker.reason,
        evidence=breaker.evidence,
        since=rfc3339(breaker.at),
        since_slice=breaker.slice,
        clock=Clock.MARKET,
        watches=WATCHES[breaker.kind],
        half_open_slice=again,
    )


def write_event(step: Step, breaker: Breaker, *, number: int, reason: str) -> None:
    """Write one change of a breaker."""
    step.write(
        "execution.breaker_event_saved",
        number=number,
        kind=breaker.kind.value,
        scope=breaker.scope.value,
        subject=breaker.subject,
        state=breaker.state.value,
        reason=reason,
        evidence=breaker.evidence,
        actor=step.caller.identity,
        at=step.at,
        slice=step.slice,
    )


def event_of(row: Mapping[str, Any]) -> BreakerEvent:
    """Return the change in ``row``."""
    return BreakerEvent(
        number=row["number"],
        kind=BreakerKind(row["kind"]),
        scope=Scope(row["scope"]),
        subject=row["subject"],
        state=BreakerState(row["state"]),
        reason=row["reason"],
        evidence=row["evidence"],
        by=AgentId(row["actor"]),
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
    )


def write_calls(step: Step, agent: str, calls: Calls) -> None:
    """Write what an agent did last."""
    step.put(
        "execution.calls_saved", agent, row=lambda: {"agent": agent} | msgspec.structs.asdict(calls)
    )


def read_calls(reader: Reader) -> dict[str, Calls]:
    """Return what every agent did last."""
    return {
        row["agent"]: Calls(
            call=row["call"],
            calls=row["calls"],
            slice=row["slice"],
            refused=bool(row["refused"]),
            churn=row["churn"],
            execution=row["execution"],
            executions=row["executions"],
        )
        for row in reader.rows("execution.calls")
    }


def write_window(step: Step, agent: str, window: Agent) -> None:
    """Write an agent's counts."""
    step.put(
        "execution.window_saved",
        agent,
        row=lambda: {"agent": agent, "counts": msgspec.json.encode(window).decode()},
    )


def read_windows(reader: Reader) -> dict[str, Agent]:
    """Return every agent's counts."""
    return {
        row["agent"]: msgspec.json.decode(row["counts"], type=Agent)
        for row in reader.rows("execution.windows")
    }


def write_market(step: Step, row: int, market: Market) -> None:
    """Write an instrument's last closes and volumes."""
    step.write(
        "execution.market_saved",
        instrument=row,
        closes=msgspec.json.encode(market.closes).decode(),
        volumes=msgspec.json.encode(market.volumes).decode(),
        regime=market.regime,
    )


def read_markets(reader: Reader) -> dict[int, Market]:
    """Return every instrument's last closes and volumes."""
    return {
        row["instrument"]: Market(
            closes=msgspec.json.decode(row["closes"], type=list[int]),
            volumes=msgspec.json.decode(row["volumes"], type=list[int]),
            regime=row["regime"],
        )
        for row in reader.rows("execution.markets")
    }
