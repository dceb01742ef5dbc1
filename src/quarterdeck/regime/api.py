"""What the regime detector can be asked for."""

from __future__ import annotations

from quarterdeck.regime.model import (
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    RegimeChangesView,
    RegimeSpansView,
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
)
