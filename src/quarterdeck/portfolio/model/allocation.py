"""Capital over agents as assets: what was arranged, what it comes to, and what was moved."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.portfolio.model.objectives import Objective
from quarterdeck.portfolio.model.rebalancing import Mode, Period


class AgentGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents whose shares together lie between ``low`` and ``high``."""

    name: str
    agents: tuple[str, ...]
    low: float
    high: float


class SetAllocation(Command, frozen=True):
    """Let capital be shared out among ``agents`` by ``objective``; replaces what was arranged before.

    Assets are the agents, returns theirs by session (UTC day with a bar), net of what they charge for
    tasks, over the last ``sessions`` that all of them lived through. It is due with the first close of
    a new ``every``, and where shares are at least ``drift`` (turnover, a fraction) from the best; both
    must hold where both are given, neither makes it due by itself only when asked. Each share lies
    between ``min_share`` and ``max_share``, where the objective takes bounds. ``vol_cap``, the largest
    deviation of a session's return, goes with max-return and ``confidence`` with min-cvar. ``groups``,
    ``max_turnover`` (half the sum of changes) and ``max_change`` (of each share) go with max-sharpe,
    min-volatility, max-return and min-cvar; changes are from the shares of equity at that close, so
    what is far away is reached in several goes.
    """

    mode: Mode
    objective: Objective
    agents: tuple[str, ...]
    sessions: int
    every: Period | None = None
    drift: float | None = None
    min_share: float = 0.0
    max_share: float = 1.0
    vol_cap: float | None = None
    confidence: float | None = None
    groups: tuple[AgentGroup, ...] = ()
    max_turnover: float | None = None
    max_change: float | None = None


class EndAllocation(Command, frozen=True):
    """Share capital out no longer; what was moved stays where it is."""

    reason: str


class CarryAllocation(Command, frozen=True):
    """Move capital to the present shares now, which is also how one that waits is approved."""

    reason: str


class GetAllocation(Query, frozen=True):
    """Ask what is arranged, and what it would come to now."""


class ShareRow(Answer, frozen=True):
    """One agent: sessions known, charges of the present one, share of equity now and at best.

    ``expected_return`` and ``volatility`` are per session, net of charges; ``movable`` is what nothing
    lays claim to.
    """

    agent: AgentId
    sessions: int
    charges: Decimal
    equity: Decimal
    movable: Decimal
    share: float
    target: float | None
    expected_return: float | None
    volatility: float | None


class CapitalMove(Answer, frozen=True):
    """Capital that would be moved, or was."""

    from_agent: AgentId
    to_agent: AgentId
    amount: Decimal


class AllocationView(Answer, frozen=True):
    """What is arranged, null where nothing is, and what it comes to at the last close.

    ``reason`` says why there are no best shares; ``turnover`` is to them; ``left`` what would not be
    movable. ``optimality_gap`` and ``kkt_residual`` are the certificate of the shares, null for what
    optimises nothing; ``waiting`` are the agents that a configured allocation waits for; ``cvar`` is the mean loss of the worst sessions where that is what was made least;
    they are from the sessions ``span_from`` to ``span_to``, ``condition`` is the
    condition number of their correlations and ``warning`` says why the estimate is weak. ``due`` says since when it waits for approval, ``last`` what the last time came to.
    """

    allocation: SetAllocation | None
    rows: tuple[ShareRow, ...]
    moves: tuple[CapitalMove, ...]
    turnover: float | None
    left: Decimal | None
    optimality_gap: float | None
    kkt_residual: float | None
    solver: str | None
    span_from: str | None
    span_to: str | None
    condition: float | None
    warning: str | None
    reason: str | None
    due: str | None
    last: str | None
    cvar: float | None = None
    waiting: tuple[str, ...] = ()
