"""What shares of capital may be asked for, and the shares that answer it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.market.model import Floats
from quarterdeck.portfolio.core.allocation import KEPT
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.polytope import (
    Constraints,
    Group,
    conflict,
    infeasible,
    polytope_of,
)
from quarterdeck.portfolio.core.restricted import RESTRICTED, solve_restricted
from quarterdeck.portfolio.core.solve import BOUNDED, Limits, solve
from quarterdeck.portfolio.model.allocation import SetAllocation
from quarterdeck.portfolio.model.objectives import Objective
from quarterdeck.portfolio.service.basis import MOST_TAIL
from quarterdeck.portfolio.service.restricting import MOST_GROUPS, MOST_RESTRICTED, stated
from quarterdeck.runtime.config import PORTFOLIO_OBJECTIVES

LEAST_SESSIONS: Final = 20
MOST_AGENTS: Final = 200
SHARED: Final = PORTFOLIO_OBJECTIVES
"""What capital is shared out by."""
STATED: Final = {Objective.MAX_RETURN: "vol_cap", Objective.MIN_CVAR: "confidence"}
"""Objectives that need a figure stated for sessions, and are solved within bounds."""


def present_shares(equities: Sequence[int]) -> Floats:
    """Return the share of each agent in all their equity, or refuse where one owes more than it has."""
    total = sum(equities)
    if min(equities) < 0 or total <= 0:
        raise DomainError("an agent owes more than it has, or none has any", code="NO_EQUITY")
    return np.array(equities) / total


def best_shares(
    asked: SetAllocation,
    returns: Floats,
    *,
    mean: Floats,
    covariance: Floats,
    equities: Sequence[int],
) -> Optimum:
    """Return the best shares, in steps of 1e-9."""
    within = asked.objective in STATED or _limited(asked)
    bounded = within or asked.objective.value in BOUNDED
    limits = Limits(
        vol_cap=asked.vol_cap,
        min_weight=asked.min_share if bounded else 0.0,
        max_weight=asked.max_share if bounded else 1.0,
    )
    objective = asked.objective.value
    if not within:
        return solve(objective, mean=mean, covariance=covariance, limits=limits, rounded=True)
    moving = asked.max_turnover is not None or asked.max_change is not None
    found = solve_restricted(
        objective,
        returns,
        moments=(mean, covariance),
        limits=limits,
        constraints=_constraints(asked, present_shares(equities) if moving else None),
        confidence=asked.confidence or 0.0,
    )
    whole = Budget.of(mean.size, lower=asked.min_share, upper=asked.max_share)
    return stated(found, whole.rounded(found.weights), mean=mean, covariance=covariance)


def _limited(asked: SetAllocation) -> bool:
    """Whether more is asked than bounds of each share."""
    return bool(asked.groups) or asked.max_turnover is not None or asked.max_change is not None


def _constraints(asked: SetAllocation, present: Floats | None) -> Constraints:
    return Constraints(
        groups=tuple(
            Group(
                one.name, tuple(asked.agents.index(name) for name in one.agents), one.low, one.high
            )
            for one in asked.groups
        ),
        current=present,
        max_turnover=None if present is None else asked.max_turnover,
        max_change=None if present is None else asked.max_change,
    )


def check_allocation(command: SetAllocation) -> None:
    """Refuse an arrangement that has no shares, and say which field is wrong."""
    agents = command.agents
    if not 2 <= len(agents) <= MOST_AGENTS or len(set(agents)) < len(agents):
        accepted = f"2 to {MOST_AGENTS} different agents"
        raise InvalidInput.of("agents", f"{len(agents)} of {len(set(agents))} kinds", accepted)
    if command.objective.value not in SHARED:
        raise InvalidInput.of("objective", command.objective.value, ", ".join(SHARED))
    if not LEAST_SESSIONS <= command.sessions <= KEPT:
        raise InvalidInput.of("sessions", command.sessions, f"{LEAST_SESSIONS} to {KEPT}")
    drift = command.drift
    if drift is not None and not (math.isfinite(drift) and 0.0 < drift <= 1.0):
        raise InvalidInput.of("drift", drift, "a fraction above 0, at most 1")
    for objective, field in STATED.items():
        value, asked = getattr(command, field), command.objective is objective
        if (value is not None) is not asked:
            accepted = "a figure" if asked else f"none: it goes with {objective.value}"
            raise InvalidInput.of(field, value, accepted)
    cap, confidence = command.vol_cap, command.confidence
    if cap is not None and not (math.isfinite(cap) and cap > 0.0):
        raise InvalidInput.of("vol_cap", cap, "a deviation of a session's return, above 0")
    if confidence is not None and not (
        0.5 <= confidence < 1.0 and (1.0 - confidence) * command.sessions >= 1.0
    ):
        accepted = f"0.5 to {1.0 - 1.0 / command.sessions:.6g}, so that a session is in the tail"
        raise InvalidInput.of("confidence", confidence, accepted)
    if confidence is not None and len(agents) > MOST_TAIL:
        raise InvalidInput.of("agents", len(agents), f"at most {MOST_TAIL} with min-cvar")
    low, high = command.min_share, command.max_share
    if not (math.isfinite(low) and 0.0 <= low * len(agents) <= 1.0):
        raise InvalidInput.of("min_share", low, f"0 to {1.0 / len(agents):g}, one of all agents")
    if not (math.isfinite(high) and low <= high <= 1.0 and high * len(agents) >= 1.0):
        raise InvalidInput.of("max_share", high, f"{1.0 / len(agents):g}, one of all agents, to 1")
    if _limited(command):
        _check_limits(command)


def _check_limits(command: SetAllocation) -> None:
    """Refuse groups and changes that do not go with the objective, or exclude each other."""
    n, objective = len(command.agents), command.objective.value
    field = (
        "groups"
        if command.groups
        else "max_change"
        if command.max_turnover is None
        else "max_turnover"
    )
    if objective not in RESTRICTED:
        accepted = f"none with {objective}: limits go with {', '.join(RESTRICTED)}"
        raise InvalidInput.of(field, "given", accepted)
    if n > MOST_RESTRICTED:
        raise InvalidInput.of("agents", n, f"at most {MOST_RESTRICTED} with {field}")
    if len(command.groups) > MOST_GROUPS:
        raise InvalidInput.of("groups", len(command.groups), f"at most {MOST_GROUPS}")
    for place, one in enumerate(command.groups):
        at = f"groups[{place}]"
        if not 1 <= len(one.name) <= 64:
            raise InvalidInput.of(f"{at}.name", one.name, "1 to 64 characters")
        if not one.agents or len(set(one.agents)) < len(one.agents):
            raise InvalidInput.of(f"{at}.agents", one.agents, "different agents, at least one")
        for name in one.agents:
            if name not in command.agents:
                accepted = f"one of agents: {', '.join(command.agents[:20])}"
                raise InvalidInput.of(f"{at}.agents", name[:64], accepted)
        if not (math.isfinite(one.low) and math.isfinite(one.high) and one.low <= one.high):
            raise InvalidInput.of(f"{at}.low", one.low, "a finite share, at most high")
    for name in ("max_turnover", "max_change"):
        value = getattr(command, name)
        if value is not None and not (math.isfinite(value) and 0.0 < value <= 1.0):
            raise InvalidInput.of(name, value, "a fraction above 0, at most 1")
    drift, most = command.drift, command.max_turnover
    if drift is not None and most is not None and drift > most:
        accepted = f"at most max_turnover, {most:g}: it would never be due"
        raise InvalidInput.of("drift", drift, accepted)
    bounds = Budget.of(n, lower=command.min_share, upper=command.max_share)
    # How far shares may move depends on what they are then; the rest must agree by itself.
    allowed = polytope_of(bounds, _constraints(command, None))
    if conflict(allowed) is not None:
        raise infeasible(allowed)
