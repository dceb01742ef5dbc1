"""The briefing: all that an agent needs for one turn, inside the deck and outside it alike."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quarterdeck.agents.model import Claim
from quarterdeck.execution.model import AccountView, OrderView
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.kernel.vocabulary import ConfidenceLevel, Regime
from quarterdeck.risk.model import RiskBrief


class MarketBrief(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument as its agent should see it now; null where the deck has no such number yet.

    ``size_multiplier`` and ``position_limit`` are the instrument's times the agent's own ``size_share``.
    """

    symbol: str
    price: Decimal | None
    missed_bars: int | None
    tick: Decimal
    lot: Decimal
    indicators: dict[str, float | None]
    regime: Regime
    regime_level: ConfidenceLevel | None
    volatility: float | None
    var99: float | None
    size_multiplier: float | None
    position_limit: Decimal | None
    quantity: Decimal
    average_price: Decimal | None


class Briefing(Answer, frozen=True):
    """The market, the account, the open orders and the work held, at one instant.

    ``slice`` counts the replay's slices; ``epoch`` is the stop epoch to act under. ``open`` is
    whether orders can pass at all: trading is open and nothing that concerns the agent is stopped.
    ``risk`` is the agent's own and the deck's level, its credit line and what answers risk events.
    """

    agent: AgentId
    at: str
    slice: int
    epoch: int
    open: bool
    reason: str | None
    markets: tuple[MarketBrief, ...]
    account: AccountView | None
    orders: tuple[OrderView, ...]
    work: tuple[Claim, ...]
    risk: RiskBrief | None = None


class GetBriefing(Query, frozen=True):
    """Ask for the caller's briefing; ``symbols`` narrows the markets."""

    symbols: tuple[str, ...] = ()
