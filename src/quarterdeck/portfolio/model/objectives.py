"""What a portfolio can be optimal for."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What a portfolio is optimal for."""

    MIN_VOLATILITY = "min-volatility"
    MAX_SHARPE = "max-sharpe"
    RISK_PARITY = "risk-parity"
    HRP = "hrp"
    EQUAL_WEIGHT = "equal-weight"
    MAX_RETURN = "max-return"
    """Highest return at the configured volatility cap."""
    MIN_CVAR = "min-cvar"
    """Least mean loss of the worst periods."""
    TRACKING = "tracking"
    """Least volatility of the difference to a benchmark; a mandate's, never the deck's."""
