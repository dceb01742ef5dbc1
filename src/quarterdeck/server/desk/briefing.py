"""The briefing: one code for agents outside the deck and for the crew inside it."""

from __future__ import annotations

from decimal import Decimal

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
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.risk.model import GetRiskBrief, RiskBrief
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.server.desk.asking import now
from quarterdeck.server.desk.market import chosen, market_lines
from quarterdeck.server.desk.model import MarketLine
from quarterdeck.server.ports import AgentsAtWork, Pacer, Views


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
                    size_multiplier=line.size_multiplier,
                    position_limit=line.position_limit,
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
            risk=now(self._views, GetRiskBrief(), caller=caller, kind=RiskBrief),
        )

    def _positions(self, agent: AgentId, caller: Caller) -> tuple[PositionView, ...]:
        if caller.kind is CallerKind.OPERATOR:
            return ()
        query = GetPositions(agent=agent)
        return now(self._views, query, caller=caller, kind=PositionsView).positions

    def _accounts(self, agent: AgentId, caller: Caller) -> tuple[AccountView, ...]:
        query = GetAccounts(agent=agent)
        return now(self._views, query, caller=caller, kind=AccountsView).accounts


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
