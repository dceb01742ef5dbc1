"""The briefing: one code for agents outside the deck and for the crew inside it."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from quarterdeck.client.model import Briefing, GetBriefing, MarketBrief
from quarterdeck.execution.model import (
    AccountsView,
    AccountView,
    GetAccounts,
    GetPositions,
    GetStop,
    PositionsView,
    PositionView,
    StopView,
)
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.risk.model import GetRiskBrief, RiskBrief
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.server.desk.asking import now
from quarterdeck.server.desk.market import chosen, market_lines
from quarterdeck.server.desk.model import MarketLine
from quarterdeck.server.ports import AgentsAtWork, Pacer, Views

UNIT = Decimal(1).scaleb(-MONEY_SCALE)


class Briefer:
    """Builds briefings from views; remembers nothing."""

    def __init__(self, *, views: Views, at_work: AgentsAtWork) -> None:
        self._views = views
        self._at_work = at_work

    def markets(self, caller: Caller) -> dict[str, MarketLine]:
        """Return the part of a briefing that is the same for every agent."""
        return market_lines(self._views, caller)

    def briefing(
        self,
        caller: Caller,
        lines: tuple[MarketLine, ...],
        *,
        at: Nanos,
        slice_index: int,
    ) -> Briefing:
        """Return the caller's briefing at ``at``, the close of slice ``slice_index``."""
        agent = caller.identity
        positions = {position.symbol: position for position in self._positions(agent, caller)}
        stop = now(self._views, GetStop(), caller=caller, kind=StopView)
        risk = now(self._views, GetRiskBrief(), caller=caller, kind=RiskBrief)
        # As the gate does: what an agent's trades have earned scales what the instrument allows.
        share = 1.0 if risk.size_share is None else risk.size_share
        markets = []
        for line in lines:
            position = positions.get(line.symbol)
            markets.append(
                MarketBrief(
                    symbol=line.symbol,
                    price=line.price,
                    missed_bars=line.missed_bars,
                    tick=line.tick,
                    lot=line.lot,
                    indicators=line.indicators,
                    regime=line.regime,
                    regime_level=line.regime_level,
                    volatility=line.volatility,
                    var99=line.var99,
                    size_multiplier=_scaled(line.size_multiplier, share),
                    position_limit=_limit(line.position_limit, share),
                    quantity=Decimal(0) if position is None else position.quantity,
                    average_price=None if position is None else position.average_price,
                )
            )
        accounts = () if caller.kind is CallerKind.OPERATOR else self._accounts(agent, caller)
        return Briefing(
            agent=agent,
            at=rfc3339(at),
            slice=slice_index,
            epoch=stop.epoch,
            # The gate's own word, so that the briefing is never more hopeful than the gate.
            open=stop.closed is None,
            reason=stop.closed,
            markets=tuple(markets),
            account=accounts[0] if accounts else None,
            orders=self._at_work.working_orders(agent),
            work=self._at_work.held_claims(agent),
            risk=risk,
        )

    def _positions(self, agent: AgentId, caller: Caller) -> tuple[PositionView, ...]:
        if caller.kind is CallerKind.OPERATOR:
            return ()
        query = GetPositions(agent=agent)
        return now(self._views, query, caller=caller, kind=PositionsView).positions

    def _accounts(self, agent: AgentId, caller: Caller) -> tuple[AccountView, ...]:
        query = GetAccounts(agent=agent)
        return now(self._views, query, caller=caller, kind=AccountsView).accounts


def _scaled(multiplier: float | None, share: float) -> float | None:
    return None if multiplier is None else multiplier * share


def _limit(limit: Decimal | None, share: float) -> Decimal | None:
    """Return a share of a limit of money, down to the last unit."""
    if limit is None:
        return None
    # repr() gives the shortest decimal that is this float: the gate's own arithmetic.
    return (limit * Decimal(repr(share))).quantize(UNIT, ROUND_FLOOR)


class BriefingDesk:
    """Answers an agent outside the deck."""

    def __init__(self, *, views: Views, pacer: Pacer, briefer: Briefer) -> None:
        self._views = views
        self._pacer = pacer
        self._briefer = briefer

    def briefing(self, query: GetBriefing, caller: Caller) -> Briefing:
        """Return the caller's briefing."""
        feed = self._pacer.status()
        return self._briefer.briefing(
            caller,
            chosen(self._briefer.markets(caller), query.symbols),
            at=feed.at,
            slice_index=feed.slice,
        )
