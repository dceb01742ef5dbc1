"""What the risk service can be asked for."""

from __future__ import annotations

from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetLimitChanges,
    GetRisk,
    GetRiskEvents,
    GetRiskResponses,
    HoldingsView,
    LiftResponse,
    LimitChangesView,
    RiskEventsView,
    RiskResponsesView,
    RiskResponseView,
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
    Operation(
        name="risk.responses",
        summary="How risk events were answered, and what stands.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/responses",
        input=GetRiskResponses,
        output=RiskResponsesView,
        function=RiskService.responses,
    ),
    Operation(
        name="risk.lift",
        summary="Take a standing response to a risk event back.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/risk/responses/{response_id}/lift",
        input=LiftResponse,
        output=RiskResponseView,
        function=RiskService.lift,
    ),
)
