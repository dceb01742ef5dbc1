"""How risk stands now: in short for one agent, and whole for those who watch."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.risk.model.clusters import ClustersView
from quarterdeck.risk.model.conditions import Condition, ConditionView
from quarterdeck.risk.model.credit import Adaptation, CreditsView
from quarterdeck.risk.model.events import RiskResponseView
from quarterdeck.risk.model.forecasts import HoldingsView, RisksView
from quarterdeck.risk.model.levels import RiskLevel, RiskLevelsView


class GetRiskBrief(Query, frozen=True):
    """Ask for what one agent should know of risk before it decides; without a name, the caller."""

    agent: str | None = None


class RiskBrief(Answer, frozen=True):
    """What one agent should know of risk before it decides; null where it is not known yet.

    ``level`` and ``score`` are the agent's own, ``deck_level`` and ``deck_score`` the deck's;
    ``condition_multiplier`` is what the market's condition scales learned limits by. ``credit`` is the
    largest gross exposure in force, ``credit_share`` the learned part of the human's limits, ``deck_credit`` that of all agents together;
    ``size_share`` is what its learned position limits and sizes are scaled by; ``stop_distance`` is in forecast volatilities of a bar; ``clusters`` say what of the instruments that
    move together may be held. ``standing`` says what answers risk
    events here, ``failing`` whose forecasts do not hold. ``judged`` bars were held against the
    deck's 99 % VaR lately, and ``hits`` of them lost more, with Kupiec's p-value.
    """

    level: RiskLevel | None
    score: float | None
    deck_level: RiskLevel | None
    deck_score: float | None
    condition: Condition | None
    condition_multiplier: float
    adaptation: Adaptation
    credit: Decimal | None
    credit_share: float | None
    deck_credit: Decimal | None
    size_share: float | None
    stop_distance: float | None
    clusters: tuple[str, ...]
    standing: tuple[str, ...]
    failing: tuple[str, ...]
    judged: int
    hits: int
    kupiec_p: float | None


class GetRiskNow(Query, frozen=True):
    """Ask for all of risk that stands now, from memory."""


class RiskNowView(Answer, frozen=True):
    """Levels, condition, forecasts, what is held, credit lines and answers, at one instant.

    ``forecasts`` are without their coverage; what is held has the deck's.
    """

    levels: RiskLevelsView
    condition: ConditionView
    forecasts: RisksView
    holdings: HoldingsView
    credits: CreditsView
    clusters: ClustersView
    standing: tuple[RiskResponseView, ...]
