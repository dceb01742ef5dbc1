"""Those who let the deck rebalance accounts and share capital out, and change their minds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.people import Door, Memory
from quarterdeck.execution.model import MoveCapital
from quarterdeck.kernel.messages import Command
from quarterdeck.portfolio.model import (
    AbortRebalance,
    AgentGroup,
    ApproveRebalance,
    CarryAllocation,
    EndAllocation,
    EndMandate,
    GroupBounds,
    MandateView,
    Mode,
    Objective,
    Period,
    ProposeRebalance,
    RebalanceView,
    Restrictions,
    SetAllocation,
    SetMandate,
    Triggers,
)
from quarterdeck.runtime.policy import OPERATOR_CALLER

PROPOSED = tuple(one for one in Objective if one is not Objective.TRACKING)
LIMITED = (
    Objective.MIN_VOLATILITY,
    Objective.MAX_SHARPE,
    Objective.MAX_RETURN,
    Objective.MIN_CVAR,
)
"""Objectives that take limits of every kind."""


async def steward(me: Memory, door: Door) -> None:
    """Set mandates over the agents' accounts, ask for rebalances, approve, abort and let go."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.1, 1.0))
        command = _thought(me)
        answer = await door.submit(command, OPERATOR_CALLER)
        if isinstance(answer, RebalanceView | MandateView) and answer.rebalance_id is not None:
            me.orders.append(answer.rebalance_id)
        if isinstance(answer, MandateView):
            me.serial += 1


def _thought(me: Memory) -> Command:
    agent = me.chance.pick(me.tasks)
    if me.chance.happens(0.25):
        return MoveCapital(
            idempotency_key=me.key(),
            from_agent=agent,
            to_agent=me.chance.pick(me.tasks),
            amount=Decimal(me.chance.below(me.chance.pick((5_000, 60_000)))),
            reason="it earns more there",
        )
    act = me.chance.below(10)
    if act < 5:
        return _mandate(me, agent)
    if act < 7 or not me.orders:
        return ProposeRebalance(name=f"of-{agent}")
    if act == 7:
        return ApproveRebalance(rebalance_id=me.orders[-1], reason="fine")
    if act == 8:
        return AbortRebalance(rebalance_id=me.chance.pick(me.orders[-3:]), reason="no longer")
    return EndMandate(name=f"of-{agent}", reason="no longer")


def _mandate(me: Memory, agent: str) -> SetMandate:
    chance = me.chance
    objective = chance.pick((None, None, *PROPOSED))
    chosen = chance.some(me.symbols, least=1, most=3)
    weights = {symbol: 0.6 / len(chosen) for symbol in chosen}
    wanted, limits = _within(chance.fork(f"limits/{me.serial}"), objective, me.symbols)
    return SetMandate(
        name=f"of-{agent}",
        agent=agent,
        mode=chance.pick((Mode.AUTOMATIC, Mode.AUTOMATIC, *Mode)),
        objective=wanted,
        weights=weights if objective is None else None,
        triggers=Triggers(
            every=chance.pick((None, *Period)),
            sessions=chance.pick((None, 1, 3)),
            drift=chance.pick((None, 0.02, 0.1)),
            relative_drift=chance.pick((None, 0.2)),
            risk_drift=chance.pick((None, 0.1)),
            cash_flow=chance.pick((None, 0.05)),
            regime_change=chance.happens(0.3),
        ),
        slices=1 + chance.below(4),
        risk_aversion=chance.pick((None, None, 3.0, 50.0)),
        approve_within_bars=1 + chance.below(6),
        limits=limits,
    )


def _within(
    chance: Chance, objective: Objective | None, symbols: Sequence[str]
) -> tuple[Objective | None, Restrictions | None]:
    """Return limits that may go with an objective or not, from a stream of draws of their own."""
    if objective not in LIMITED or not chance.happens(0.5):
        return objective, None
    if chance.happens(0.2):
        objective = Objective.TRACKING
    low = chance.pick((0.0, 0.0, -0.3))
    return objective, Restrictions(
        min_weight=low,
        max_weight=chance.pick((None, 1.0, 0.4)),
        groups=tuple(
            GroupBounds(
                name=f"g{place}",
                symbols=tuple(chance.some(symbols, least=1, most=3)),
                low=chance.pick((0.0, low)),
                high=chance.pick((0.3, 0.8)),
            )
            for place in range(chance.below(3))
        ),
        max_turnover=chance.pick((None, 0.1, 0.5)),
        max_change=chance.pick((None, None, 0.2)),
        costs=objective is Objective.MAX_SHARPE and chance.happens(0.5),
        max_gross=chance.pick((None, 1.5)) if low else None,
        max_assets=chance.pick((None, None, 2)),
        whole_lots=not low and objective is not Objective.MIN_CVAR and chance.happens(0.3),
        vol_cap=0.25 if objective is Objective.MAX_RETURN else None,
    )


async def treasurer(me: Memory, door: Door) -> None:
    """Arrange how capital is shared out among agents, carry it out, and let it end."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.2, 1.2))
        await door.submit(_arrangement(me), OPERATOR_CALLER)


def _arrangement(me: Memory) -> Command:
    chance, act = me.chance, me.chance.below(10)
    if act == 9:
        return EndAllocation(reason="no longer")
    if act >= 5:
        return CarryAllocation(reason="it is time")
    agents = chance.some(me.tasks, least=2, most=4)
    low = chance.pick((0.0, 0.0, 0.1))
    mode, objective = chance.pick((Mode.AUTOMATIC, Mode.AUTOMATIC, *Mode)), chance.pick(PROPOSED)
    # From a stream of draws of their own: what is drawn after them stays as it was.
    apart = chance.fork(f"allocation/{'+'.join(agents)}")
    limited = objective in LIMITED and apart.happens(0.5)
    return SetAllocation(
        mode=mode,
        objective=objective,
        agents=tuple(agents),
        sessions=20 + chance.below(10),
        every=chance.pick((None, None, Period.DAY, Period.WEEK)),
        drift=chance.pick((None, 0.01, 0.1)),
        min_share=low,
        max_share=chance.pick((1.0, 1.0, 0.7)),
        vol_cap=0.03 if objective is Objective.MAX_RETURN else None,
        confidence=0.9 if objective is Objective.MIN_CVAR else None,
        groups=(
            AgentGroup(name="few", agents=tuple(agents[:2]), low=0.0, high=apart.pick((0.5, 0.9))),
        )
        if limited
        else (),
        max_turnover=apart.pick((None, 0.05, 0.3)) if limited else None,
        max_change=apart.pick((None, 0.1)) if limited else None,
    )
