"""The section of the configuration that says how capital is shared out among agents."""

from __future__ import annotations

import msgspec


class AgentGroupEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents whose shares together lie between two ends."""

    name: str
    agents: tuple[str, ...]
    low: float
    high: float


class AllocationEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How capital is shared out among ``agents``, from when the last of them has joined.

    Its keys are those of ``POST /portfolio/allocation``; what persons change or end later stands.
    """

    agents: tuple[str, ...]
    objective: str
    mode: str = "approval"
    sessions: int = 60
    every: str | None = None
    drift: float | None = None
    min_share: float = 0.0
    max_share: float = 1.0
    vol_cap: float | None = None
    confidence: float | None = None
    groups: tuple[AgentGroupEntry, ...] = ()
    max_turnover: float | None = None
    max_change: float | None = None
