"""What the regime detector can be asked for."""

from __future__ import annotations

from quarterdeck.regime.model import (
    GetMarketRegime,
    GetRegimeCalibration,
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    GetRegimeStatistics,
    MarketRegimeView,
    RegimeCalibrationView,
    RegimeChangesView,
    RegimeSpansView,
    RegimeStatisticsView,
    RegimesView,
)
from quarterdeck.regime.service import RegimeService
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="regimes.list",
        summary="The present regime of every instrument.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/regimes",
        input=GetRegimes,
        output=RegimesView,
        function=RegimeService.regimes,
    ),
    Operation(
        name="regimes.changes",
        summary="Regime changes with their triggers, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/regimes/changes",
        input=GetRegimeChanges,
        output=RegimeChangesView,
        function=RegimeService.changes,
    ),
    Operation(
        name="regimes.spans",
        summary="Spans of one regime each, for drawing.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/regimes/spans/{symbol}",
        input=GetRegimeSpans,
        output=RegimeSpansView,
        function=RegimeService.spans,
    ),
    Operation(
        name="regimes.statistics",
        summary="How often each regime came, how long it lasted and what followed it.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/regimes/statistics/{symbol}",
        input=GetRegimeStatistics,
        output=RegimeStatisticsView,
        function=RegimeService.statistics,
    ),
    Operation(
        name="regimes.calibration",
        summary="How the confidence has held against labels as they became knowable.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/regimes/calibration",
        input=GetRegimeCalibration,
        output=RegimeCalibrationView,
        function=RegimeService.calibration,
    ),
    Operation(
        name="regimes.market",
        summary="The regime of all instruments together, with breadth, dispersion and correlation.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/regimes/market",
        input=GetMarketRegime,
        output=MarketRegimeView,
        function=RegimeService.market,
    ),
)
