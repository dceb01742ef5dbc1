"""The response ladder: which events last, how bad each is, and what takes a response back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.model import Response, RiskEventKind, RiskScope

ONE_OFF: Final = frozenset({RiskEventKind.VAR_BREACH, RiskEventKind.GAP})
"""Events of one bar: nothing says when they are over, so their responses last some bars."""
SEVERITY: Final[Mapping[RiskEventKind, Severity]] = {
    RiskEventKind.VAR_BREACH: Severity.WARNING,
    RiskEventKind.VOLATILITY_SPIKE: Severity.WARNING,
    RiskEventKind.DRAWDOWN: Severity.ERROR,
    RiskEventKind.COVERAGE: Severity.WARNING,
    RiskEventKind.BREACH_CLUSTER: Severity.ERROR,
    RiskEventKind.STALE_DATA: Severity.WARNING,
    RiskEventKind.CONCENTRATION: Severity.WARNING,
    RiskEventKind.CORRELATION_BREAK: Severity.ERROR,
    RiskEventKind.LIQUIDITY_DROP: Severity.WARNING,
    RiskEventKind.GAP: Severity.WARNING,
    RiskEventKind.LOSING_STREAK: Severity.WARNING,
    RiskEventKind.MODEL_DRIFT: Severity.WARNING,
}


def undoing(response: Response, scope: RiskScope, subject: str, *, response_id: str) -> str:
    """Return how a person takes a response back.

    Examples
    --------
    >>> undoing(Response.PAUSE_AGENT, RiskScope.AGENT, "trend", response_id="rsp-1")
    'resume trend on the page Agents'
    """
    match response:
        case Response.NOTIFY:
            return "nothing was done"
        case Response.TIGHTEN | Response.REDUCE_ONLY:
            return f"quarterdeck risks lift {response_id}"
        case Response.PAUSE_AGENT:
            return f"resume {subject} on the page Agents"
        case Response.STOP:
            option = "" if scope is RiskScope.DECK else f" --{scope.value} {subject}"
            return f"quarterdeck rearm{option}"
