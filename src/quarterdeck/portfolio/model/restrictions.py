"""What a target must keep to besides its objective, and the target that was found."""

from __future__ import annotations

import msgspec


class GroupBounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instruments whose weights together lie between ``low`` and ``high``.

    Without ``symbols`` it is the configured sector of that name.
    """

    name: str
    low: float
    high: float
    symbols: tuple[str, ...] = ()


class Restrictions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a target: ``groups``, turnover, cost, shorts, few instruments, whole lots.

    A ``min_weight`` below 0 allows shorts, ``max_gross`` bounds the sum of absolute weights, and
    ``max_weight`` is the configured one when omitted. ``max_turnover`` is half the sum of changes,
    beyond what is only invested out of cash, and ``max_change`` bounds each; both are from what the
    account holds when the target is found. ``costs`` takes the account's cost of trading, spread over
    the horizon, off the return of max-sharpe and max-return. ``vol_cap``, per year, goes with
    max-return, ``confidence`` with min-cvar, ``risk_budget`` with risk-parity, and ``benchmark``, the
    deck's where omitted, with tracking.
    """

    min_weight: float = 0.0
    max_weight: float | None = None
    groups: tuple[GroupBounds, ...] = ()
    max_turnover: float | None = None
    max_change: float | None = None
    costs: bool = False
    max_gross: float | None = None
    max_assets: int | None = None
    whole_lots: bool = False
    vol_cap: float | None = None
    confidence: float | None = None
    risk_budget: dict[str, float] | None = None
    benchmark: dict[str, float] | None = None


class TargetFound(msgspec.Struct, frozen=True, kw_only=True):
    """A target found within limits, with its certificate; return and volatility are per year.

    ``optimality_gap`` and ``kkt_residual`` are as in a proposal; with ``max_assets`` or ``whole_lots``
    the gap is against the best portfolio without them. ``warning`` says why the estimate is weak.
    """

    at: str
    weights: dict[str, float]
    expected_return: float | None
    volatility: float
    sharpe: float | None
    cvar: float | None
    optimality_gap: float | None
    kkt_residual: float | None
    solver: str
    observations: int
    span_from: str
    span_to: str
    condition: float | None
    warning: str | None
