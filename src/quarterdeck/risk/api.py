"""What the risk service can be asked for."""

from __future__ import annotations

from quarterdeck.risk.model import (
    AskStress,
    ClusterChangesView,
    ClustersView,
    ConditionChangesView,
    ConditionView,
    CreditChangesView,
    CreditsView,
    FitsView,
    GetClusterChanges,
    GetClusters,
    GetCondition,
    GetConditionChanges,
    GetCredit,
    GetCreditChanges,
    GetFits,
    GetHoldingsRisk,
    GetLimitChanges,
    GetRisk,
    GetRiskBrief,
    GetRiskEvents,
    GetRiskLevel,
    GetRiskNow,
    GetRiskResponses,
    GetRiskTimeline,
    GetStopChanges,
    GetStress,
    HoldingsView,
    LiftResponse,
    LimitChangesView,
    ResetAdaptation,
    RiskBrief,
    RiskEventsView,
    RiskLevelsView,
    RiskNowView,
    RiskResponsesView,
    RiskResponseView,
    RisksView,
    RiskTimelineView,
    SetAdaptation,
    StopChangesView,
    StressesView,
    StressView,
    TakeFits,
)
from quarterdeck.risk.service import RiskService, now, records
from quarterdeck.runtime.policy import Caller, Effect, Operation, Permission
from quarterdeck.runtime.sequencer import Step


def lift(service: RiskService, command: LiftResponse, step: Step) -> RiskResponseView:
    """Take a standing response back; limits move at the next bar."""
    return service.responses.lift(command, step)


def level(service: RiskService, _query: GetRiskLevel, _caller: Caller) -> RiskLevelsView:
    """Return the level of risk of the deck and of each agent, with what it is made of."""
    return service.levels.view()


def condition(service: RiskService, _query: GetCondition, _caller: Caller) -> ConditionView:
    """Return the market's condition and what each scales learned limits by."""
    return service.market_condition.view()


def clusters(service: RiskService, _query: GetClusters, _caller: Caller) -> ClustersView:
    """Return the instruments that move together."""
    return service.clusters.view()


def stress(service: RiskService, _query: GetStress, _caller: Caller) -> StressesView:
    """Return every episode, worst stretch and configured scenario."""
    scenarios = {one.name: (one.shocks, one.others) for one in service.config.scenarios}
    return service.stressing().standing(scenarios)


def stress_asked(service: RiskService, query: AskStress, _caller: Caller) -> StressView:
    """Return what is held would lose if the moves that are named happened."""
    return service.stressing().asked(query)


def credits_now(service: RiskService, _query: GetCredit, _caller: Caller) -> CreditsView:
    """Return every agent's credit line."""
    return service.credits.view()


def set_adaptation(service: RiskService, command: SetAdaptation, step: Step) -> CreditsView:
    """Let what is learned be in force, freeze it, or only show it."""
    view = service.credits.set_mode(command, step)
    service.clusters.tell(step, mode=view.mode)
    return view


def reset_adaptation(service: RiskService, command: ResetAdaptation, step: Step) -> CreditsView:
    """Forget what was learned of one agent, or of all."""
    view = service.credits.reset(command, step)
    if command.agent is None:
        service.clusters.forget(step)
    return view


def fits(service: RiskService, _query: GetFits, _caller: Caller) -> FitsView:
    """Return the latest fit of every instrument."""
    return service.fitting.view()


def take_fits(service: RiskService, command: TakeFits, step: Step) -> FitsView:
    """Judge fits that are handed in, and let the sound ones in from the next bar on."""
    return service.fitting.take(command, step)


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
        name="risk.now",
        summary="All of risk that stands now: levels, forecasts, holdings, credit lines, answers.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/now",
        input=GetRiskNow,
        output=RiskNowView,
        function=now.everything,
    ),
    Operation(
        name="risk.brief",
        summary="What one agent should know of risk: its level, credit line, what answers events.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/brief",
        input=GetRiskBrief,
        output=RiskBrief,
        function=now.brief,
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
        function=records.events,
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
        function=records.limit_changes,
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
        function=records.responses,
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
        function=lift,
    ),
    Operation(
        name="risk.condition",
        summary="The market's condition, what it is told from, and what each scales limits by.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/condition",
        input=GetCondition,
        output=ConditionView,
        function=condition,
    ),
    Operation(
        name="risk.condition_changes",
        summary="Changes of the market's condition, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/condition/changes",
        input=GetConditionChanges,
        output=ConditionChangesView,
        function=records.condition_changes,
    ),
    Operation(
        name="risk.clusters",
        summary="Instruments that move together: what they may lose, and their limit.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/clusters",
        input=GetClusters,
        output=ClustersView,
        function=clusters,
    ),
    Operation(
        name="risk.cluster_changes",
        summary="Changes of clusters and their limits with their causes, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/clusters/changes",
        input=GetClusterChanges,
        output=ClusterChangesView,
        function=records.cluster_changes,
    ),
    Operation(
        name="risk.stop_changes",
        summary="Changes of the furthest stop-loss each agent may attach, with their causes.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/stops/changes",
        input=GetStopChanges,
        output=StopChangesView,
        function=records.stop_changes,
    ),
    Operation(
        name="risk.level",
        summary="The level of risk of the deck and of each agent: score, components, points.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/level",
        input=GetRiskLevel,
        output=RiskLevelsView,
        function=level,
        tool="get_risk_level",
    ),
    Operation(
        name="risk.timeline",
        summary="Every change of limits, levels and conditions, events and answers, with its causes.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/timeline",
        input=GetRiskTimeline,
        output=RiskTimelineView,
        function=records.timeline,
    ),
    Operation(
        name="risk.credit",
        summary="Every agent's credit line: what was learned, what scales it, and its stop distance.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/credit",
        input=GetCredit,
        output=CreditsView,
        function=credits_now,
    ),
    Operation(
        name="risk.credit_changes",
        summary="Changes of credit lines with their causes, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/risk/credit/changes",
        input=GetCreditChanges,
        output=CreditChangesView,
        function=records.credit_changes,
    ),
    Operation(
        name="risk.adaptation",
        summary="Let what is learned be in force, freeze it, or only show it.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/risk/adaptation",
        input=SetAdaptation,
        output=CreditsView,
        function=set_adaptation,
    ),
    Operation(
        name="risk.adaptation_reset",
        summary="Forget what was learned of one agent, or of all.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/risk/adaptation/reset",
        input=ResetAdaptation,
        output=CreditsView,
        function=reset_adaptation,
    ),
    Operation(
        name="risk.fits",
        summary="The latest fit of every instrument, whether it was let in, and what it weighs.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/fits",
        input=GetFits,
        output=FitsView,
        function=fits,
    ),
    Operation(
        name="risk.fits_taken",
        summary="Hand in fitted GJR parameters, as the deck does by itself.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/risk/fits",
        input=TakeFits,
        output=FitsView,
        function=take_fits,
    ),
    Operation(
        name="risk.stress",
        summary="What is held would lose in episodes of history, its worst stretches and scenarios.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/risk/stress",
        input=GetStress,
        output=StressesView,
        function=stress,
    ),
    Operation(
        name="risk.stress_asked",
        summary="What is held would lose if the moves that are named happened.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="POST",
        path="/risk/stress",
        input=AskStress,
        output=StressView,
        function=stress_asked,
    ),
)
