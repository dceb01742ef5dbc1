"""Rows of the risk tables, and judgements, as the views they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.core.judgement import Judgement
from quarterdeck.risk.model import (
    CoverageView,
    LimitChangeView,
    RecentCoverageView,
    RiskEventKind,
    RiskEventView,
)


def risk_event_of(row: Mapping[str, Any]) -> RiskEventView:
    """Return the view of one row of ``risk_events``."""
    return RiskEventView(
        number=row["number"],
        event_id=row["event_id"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        kind=RiskEventKind(row["kind"]),
        severity=Severity(row["severity"]),
        subject=row["subject"],
        observed=row["observed"],
        threshold=row["threshold"],
        text=row["text"],
    )


def limit_change_of(row: Mapping[str, Any]) -> LimitChangeView:
    """Return the view of one row of ``risk_limit_changes``."""
    previous = row["previous_units"]
    return LimitChangeView(
        version=row["version"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        symbol=row["symbol"],
        position_limit=from_units(row["position_limit_units"], MONEY_SCALE),
        previous=None if previous is None else from_units(previous, MONEY_SCALE),
        multiplier=row["multiplier"],
        var99=row["var99"],
        because=row["because"],
    )


def coverage_view(always: Judgement, recent: Judgement, *, tail: float) -> CoverageView:
    """Return the view of a forecast's judgements since the start and over recent bars."""
    return CoverageView(
        level=1.0 - tail,
        observations=always.observations,
        hits=always.hits,
        expected_fraction=tail,
        hit_fraction=always.hits / always.observations if always.observations else None,
        kupiec_p=always.kupiec_p,
        christoffersen_p=always.christoffersen_p,
        dq_p=always.dq_p,
        quantile_loss=always.quantile_loss,
        fz0=always.fz0,
        recent=RecentCoverageView(**recent._asdict()),
    )
