"""Mandates, and how capital is shared out, as the configuration file names them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

import msgspec

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.model import (
    AgentGroup,
    Mode,
    Objective,
    Period,
    Restrictions,
    SetAllocation,
    SetMandate,
    Triggers,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.mandating import MAX_MANDATES, check_mandate
from quarterdeck.portfolio.service.sharing import check_allocation
from quarterdeck.runtime.config import LimitsOfMandate, MandateEntry
from quarterdeck.runtime.config_allocation import AllocationEntry

Word = TypeVar("Word", bound=StrEnum)


def mandates_of(
    entries: Sequence[MandateEntry], portfolio: PortfolioService, *, every_bars: int
) -> dict[str, SetMandate]:
    """Return the mandates by agent, or refuse one and say which key is wrong and what is accepted."""
    if len(entries) > MAX_MANDATES:
        raise InvalidInput.of("portfolio.mandates", len(entries), f"at most {MAX_MANDATES}")
    found: dict[str, SetMandate] = {}
    names: set[str] = set()
    for place, entry in enumerate(entries):
        at = f"portfolio.mandates[{place}]"
        if not entry.agent.strip():
            raise InvalidInput.of(f"{at}.agent", entry.agent, "the name of an agent")
        if entry.agent in found:
            accepted = "an agent that no other mandate watches over"
            raise InvalidInput.of(f"{at}.agent", entry.agent, accepted)
        if entry.name in names:
            raise InvalidInput.of(f"{at}.name", entry.name, "a name of its own")
        names.add(entry.name)
        command = _command(entry, at)
        try:
            check_mandate(command, portfolio, every_bars=every_bars)
        except DomainError as refusal:
            key = (refusal.field or "name").removeprefix("triggers.")
            raise InvalidInput(
                f"{at}: {refusal.message}",
                field=f"{at}.{key}",
                value=refusal.value,
                accepted=refusal.accepted,
            ) from None
        found[entry.agent] = command
    return found


def allocation_of(entries: Sequence[AllocationEntry]) -> SetAllocation | None:
    """Return what capital is shared out by, None where none is given, or refuse a wrong key."""
    if not entries:
        return None
    if len(entries) > 1:
        raise InvalidInput.of("portfolio.allocation", len(entries), "at most one")
    entry, at = entries[0], "portfolio.allocation[0]"
    command = SetAllocation(
        mode=_word(f"{at}.mode", entry.mode, Mode),
        objective=_word(f"{at}.objective", entry.objective, Objective),
        agents=entry.agents,
        sessions=entry.sessions,
        every=None if entry.every is None else _word(f"{at}.every", entry.every, Period),
        drift=entry.drift,
        min_share=entry.min_share,
        max_share=entry.max_share,
        vol_cap=entry.vol_cap,
        confidence=entry.confidence,
        groups=tuple(
            AgentGroup(name=one.name, agents=one.agents, low=one.low, high=one.high)
            for one in entry.groups
        ),
        max_turnover=entry.max_turnover,
        max_change=entry.max_change,
    )
    try:
        check_allocation(command)
    except DomainError as refusal:
        raise InvalidInput(
            f"{at}: {refusal.message}",
            field=f"{at}.{refusal.field or 'groups'}",
            value=refusal.value,
            accepted=refusal.accepted,
        ) from None
    return command


def _command(entry: MandateEntry, at: str) -> SetMandate:
    return SetMandate(
        name=entry.name,
        agent=entry.agent,
        mode=_word(f"{at}.mode", entry.mode, Mode),
        objective=None
        if entry.objective is None
        else _word(f"{at}.objective", entry.objective, Objective),
        weights=entry.weights or None,
        triggers=Triggers(
            every=None if entry.every is None else _word(f"{at}.every", entry.every, Period),
            sessions=entry.sessions,
            drift=entry.drift,
            relative_drift=entry.relative_drift,
            risk_drift=entry.risk_drift,
            cash_flow=entry.cash_flow,
            regime_change=entry.regime_change,
        ),
        slices=entry.slices,
        horizon_bars=entry.horizon_bars,
        risk_aversion=entry.risk_aversion,
        approve_within_bars=entry.approve_within_bars,
        limits=None
        if entry.limits == LimitsOfMandate()
        else msgspec.convert(msgspec.to_builtins(entry.limits), Restrictions),
    )


def _word(field: str, value: str, kind: type[Word]) -> Word:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput.of(field, value, ", ".join(kind)) from None
