"""What the risk service can be asked for."""

from __future__ import annotations

from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetLimitChanges,
    GetRisk,
    GetRiskEvents,
    HoldingsView,
    LimitChangesView,
    RiskEventsView,
    RisksView,
)
from quarterdeck.risk.service import RiskService
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="risk.list",
        summary="Forecast VaR and ES of every instrument, and learned limits.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk",
        input=GetRisk,
        output=RisksView,
        function=RiskService.risks,
    ),
    Operation(
        name="risk.holdings",
        summary="Forecast VaR and ES of what each agent and the deck hold, with each part's share.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/holdings",
        input=GetHoldingsRisk,
        output=HoldingsView,
        function=RiskService.holdings,
    ),
    Operation(
        name="risk.events",
        summary="Risk events with their evidence, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/events",
        input=GetRiskEvents,
        output=RiskEventsView,
        function=RiskService.events,
    ),
    Operation(
        name="risk.limit_changes",
        summary="Changes of learned limits with their reasons.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/limits",
        input=GetLimitChanges,
        output=LimitChangesView,
        function=RiskService.limit_changes,
    ),
)
