"""How risk stands now, put together from what each part keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.kernel.errors import NotFound
from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetRisk,
    GetRiskBrief,
    GetRiskNow,
    RiskBrief,
    RiskEventKind,
    RiskNowView,
)
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.runtime.policy import Caller, CallerKind

if TYPE_CHECKING:
    from quarterdeck.risk.service import RiskService


def brief(service: RiskService, query: GetRiskBrief, caller: Caller) -> RiskBrief:
    """Return what an agent should know of risk; of a name that was never scored only a person asks."""
    agent = str(caller.identity) if query.agent is None else query.agent
    known = service.levels.names()
    if caller.kind is CallerKind.OPERATOR and query.agent is not None and agent not in known:
        accepted = ", ".join(known) or "no agent has been scored yet"
        raise NotFound("no such agent", field="agent", value=agent[:80], accepted=accepted[:400])
    level, score = service.levels.of(agent)
    deck_level, deck_score = service.levels.of(DECK)
    credit, share, distance = service.credits.brief(agent)
    judged, hits, p = service.held.recent_hits()
    return RiskBrief(
        level=level,
        score=score,
        deck_level=deck_level,
        deck_score=deck_score,
        condition=service.market_condition.present(),
        condition_multiplier=service.market_condition.multiplier(),
        adaptation=service.credits.mode,
        credit=credit,
        credit_share=share,
        deck_credit=service.credits.brief(DECK)[0],
        size_share=service.credits.size_share(agent),
        stop_distance=distance,
        clusters=service.clusters.bounds(),
        standing=service.responses.concerning(agent),
        failing=tuple(
            subject for kind, subject in service.events.standing() if kind is RiskEventKind.COVERAGE
        ),
        judged=judged,
        hits=hits,
        kupiec_p=p if judged else None,
    )


def everything(service: RiskService, _query: GetRiskNow, caller: Caller) -> RiskNowView:
    """Return all of risk that stands now."""
    return RiskNowView(
        levels=service.levels.view(),
        condition=service.market_condition.view(),
        forecasts=service.risks(GetRisk(coverage=False), caller),
        holdings=service.holdings(GetHoldingsRisk(), caller),
        credits=service.credits.view(),
        clusters=service.clusters.view(),
        standing=service.responses.view(),
    )
