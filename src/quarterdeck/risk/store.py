"""Rows of the risk tables, and judgements, as the views they become."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.core.joint import PortfolioForecast
from quarterdeck.risk.core.judgement import Judgement
from quarterdeck.risk.core.ladder import undoing
from quarterdeck.risk.core.tails import Tails
from quarterdeck.risk.model import (
    ComponentRiskView,
    CoverageView,
    HoldingsRiskView,
    LevelLoss,
    LevelRisk,
    LimitChangeView,
    LimitEffect,
    Points,
    RecentCoverageView,
    Response,
    ResponseState,
    RiskChangeView,
    RiskEventKind,
    RiskEventView,
    RiskResponseView,
    RiskScope,
    VolatilityRegime,
)

CALM = 0.75
"""Of the usual volatility; below is low, and above its inverse high."""


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
        scope=RiskScope(row["scope"]),
        concerns=row["concerns"],
        probability=row["probability"],
        impact=_amount(row["impact_units"]),
        response=Response(row["response"]),
    )


def response_of(row: Mapping[str, Any]) -> RiskResponseView:
    """Return the view of one row of ``risk_responses``."""
    response, scope = Response(row["response"]), RiskScope(row["scope"])
    undo = undoing(response, scope, row["subject"], response_id=row["response_id"])
    ended = row["ended_at"]
    return RiskResponseView(
        number=row["number"],
        response_id=row["response_id"],
        event_id=row["event_id"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        response=response,
        state=ResponseState(row["state"]),
        scope=scope,
        subject=row["subject"],
        kind=RiskEventKind(row["kind"]),
        reason=row["reason"],
        until_slice=row["until_slice"],
        ended_at=None if ended is None else rfc3339(Nanos(ended)),
        ended_by=row["ended_by"],
        ended_because=row["ended_because"],
        undo=undo,
    )


def risk_change_of(row: Mapping[str, Any]) -> RiskChangeView:
    """Return the view of one row of the timeline."""
    previous, now = row["previous"], row["now"]
    if row["kind"] in ("limit", "credit", "cluster"):
        now = now if now == "parted" else f"{from_units(int(now), MONEY_SCALE):f}"
        previous = None if previous is None else f"{from_units(int(previous), MONEY_SCALE):f}"
    if row["kind"] == "level":
        causes = msgspec.json.decode(row["causes"], type=tuple[Points, ...])
    else:
        parts = msgspec.json.decode(row["causes"], type=tuple[LimitEffect, ...])
        causes = tuple(Points(one.cause, one.log_change) for one in parts)
    return RiskChangeView(
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        kind=row["kind"],
        subject=row["subject"] or "deck",
        previous=previous,
        now=now,
        because=row["because"],
        causes=causes,
        model=row["model"],
        impact=_amount(row["impact_units"]),
    )


def _amount(units: int | None) -> Decimal | None:
    return None if units is None else from_units(units, MONEY_SCALE)


def limit_change_of(row: Mapping[str, Any]) -> LimitChangeView:
    """Return the view of one row of ``risk_limit_changes``."""
    previous = row["previous_units"]
    return LimitChangeView(
        version=row["version"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        symbol=row["symbol"],
        position_limit=from_units(row["position_limit_units"], MONEY_SCALE),
        previous=_amount(previous),
        multiplier=row["multiplier"],
        var99=row["var99"],
        because=row["because"],
        effects=msgspec.json.decode(row["effects"], type=tuple[LimitEffect, ...]),
        model=row["model"],
        loss99=from_units(row["loss99_units"], MONEY_SCALE),
    )


def effects_text(effects: tuple[LimitEffect, ...]) -> str:
    """Return the effects as they are written down."""
    return msgspec.json.encode(effects).decode()


def coverage_view(always: Judgement, recent: Judgement, *, tail: float) -> CoverageView:
    """Return the view of a forecast's judgements since the start and over recent bars."""
    return CoverageView(
        level=round(1.0 - tail, 12),
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


def holdings_view(
    subject: str,
    weights: npt.NDArray[np.float64],
    *,
    var: npt.NDArray[np.float64],
    es: npt.NDArray[np.float64],
    marginal: npt.NDArray[np.float64],
    symbols: tuple[str, ...],
    tails: Tails,
    ratio: float,
    spike: float,
    usual: npt.NDArray[np.float64],
    alone: PortfolioForecast | None = None,
) -> HoldingsRiskView:
    """Return the view of what a subject holds, ``weights`` in money; ``marginal`` are of the 99 % VaR.

    ``usual`` (n,) is the money that the usual volume of a bar is; ``spike`` is the ratio of a spike;
    ``alone`` are forecasts of one unit of each instrument, long and then short, if there are any.
    """
    unknown = np.full(len(tails.levels), np.nan)
    total = float(var[tails.at99])
    components = []
    for i in np.flatnonzero(weights).tolist():
        slope = float(marginal[i])
        known = slope == slope and total > 0.0
        size, lost = abs(float(weights[i])), (unknown, unknown)
        if alone is not None:
            side = i if weights[i] > 0.0 else i + len(symbols)
            lost = size * alone.var[side], size * alone.es[side]
        components.append(
            ComponentRiskView(
                symbol=symbols[i],
                value=_money(float(weights[i])),
                var99_share=float(weights[i]) * slope / total if known else None,
                marginal_var99=slope if known else None,
                volume_bars=_known(size / float(usual[i])),
                levels=losses_of(tails, *lost),
            )
        )
    shares = [one.var99_share for one in components if one.var99_share is not None]
    volumes = [one.volume_bars for one in components if one.volume_bars is not None]
    levels = losses_of(tails, var, es)
    return HoldingsRiskView(
        subject=subject,
        gross=_money(float(np.abs(weights).sum())),
        net=_money(float(weights.sum())),
        volatility_ratio=_known(ratio),
        volatility_regime=volatility_regime(ratio, spike=spike),
        concentration=max(shares) if shares else None,
        volume_bars=max(volumes) if volumes and len(volumes) == len(components) else None,
        var95=levels[tails.at95].var,
        es95=levels[tails.at95].es,
        var99=levels[tails.at99].var,
        es99=levels[tails.at99].es,
        levels=levels,
        components=tuple(components),
    )


def losses_of(
    tails: Tails, var: npt.NDArray[np.float64], es: npt.NDArray[np.float64]
) -> tuple[LevelLoss, ...]:
    """Return the losses (levels,) in money as they are told, to the cent."""
    return tuple(
        LevelLoss(
            level=level,
            var=_money(low) if low == low else None,
            es=_money(mean) if mean == mean else None,
        )
        for level, low, mean in zip(tails.levels, var.tolist(), es.tolist(), strict=True)
    )


def shares_of(
    tails: Tails, var: npt.NDArray[np.float64], es: npt.NDArray[np.float64]
) -> tuple[LevelRisk, ...]:
    """Return the losses (levels,) as they are told, as shares."""
    return tuple(
        LevelRisk(level=level, var=_known(low), es=_known(mean))
        for level, low, mean in zip(tails.levels, var.tolist(), es.tolist(), strict=True)
    )


def volatility_regime(ratio: float, *, spike: float) -> VolatilityRegime | None:
    """Return the word of a volatility over its usual one; ``None`` where it is not known."""
    if ratio != ratio:
        return None
    if ratio >= spike:
        return VolatilityRegime.SPIKE
    if ratio >= 1.0 / CALM:
        return VolatilityRegime.HIGH
    return VolatilityRegime.LOW if ratio < CALM else VolatilityRegime.USUAL


def _known(value: float) -> float | None:
    return value if value == value else None


def _money(value: float) -> Decimal:
    """Return an analytic figure to the cent; it is never booked."""
    return Decimal(repr(value)).quantize(Decimal("0.01"))
