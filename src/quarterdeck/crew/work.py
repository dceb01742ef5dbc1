"""What all built-in agents do alike: answer analyses, hand in results, ask for more work."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from quarterdeck.agents.model import Claim, ClaimWork, CompleteWork
from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew.turn import Memory, Turn
from quarterdeck.kernel.messages import Command, Json
from quarterdeck.kernel.vocabulary import TaskType

SLOTS = 3
"""Two tasks at a time under the usual load threshold, and one more when it is urgent."""
MAX_ROWS = 40
"""How many instruments a result lists, so that it stays well below the 16 KiB it may have."""

Trade = Callable[[Briefing, str], tuple[tuple[Command, ...], Json]]
"""What a style does for one trading task: its commands and the result to hand in."""


def take_turn(briefing: Briefing, memory: Memory, *, trade: Trade) -> Turn:
    """Do all the work held, then ask for as much as fits.

    One trading task is carried out per slice; another one held waits for the next, because the
    market it would look at is the same.
    """
    commands: list[Command] = []
    traded = memory.traded_slice
    for claim in briefing.work:
        if claim.type is not TaskType.TRADING:
            commands.append(_done(claim, analysis(briefing, claim)))
        elif traded < briefing.slice:
            acts, result = trade(briefing, claim.task_id)
            commands.extend(acts)
            commands.append(_done(claim, result))
            traded = briefing.slice
    commands.extend(ClaimWork() for _ in range(SLOTS))
    return Turn(commands=tuple(commands), memory=replace(memory, traded_slice=traded))


def analysis(briefing: Briefing, claim: Claim) -> Json:
    """Return the answer to an analysis: what the briefing says, with nulls where it says nothing."""
    symbol = claim.input.get("symbol")
    if symbol is None:
        return _sweep(briefing)
    for market in briefing.markets:
        if market.symbol == symbol:
            return {
                "slice": briefing.slice,
                "asked": {"from": claim.input.get("from"), "to": claim.input.get("to")},
                "still_holds": market.regime.value == claim.input.get("to"),
                **_row(market),
            }
    return {"slice": briefing.slice, "symbol": symbol, "reason": "not in the briefing"}


def _sweep(briefing: Briefing) -> Json:
    """The riskiest instruments and those held, by the share of the learned limit in use."""
    rows = sorted(
        briefing.markets,
        key=lambda m: (m.quantity == 0, -(m.var99 if m.var99 is not None else -1.0), m.symbol),
    )
    known = [m for m in briefing.markets if m.var99 is not None]
    riskiest = max(known, key=lambda m: (m.var99 or 0.0, m.symbol), default=None)
    return {
        "slice": briefing.slice,
        "instruments": len(briefing.markets),
        "without_forecast": len(briefing.markets) - len(known),
        "riskiest": None if riskiest is None else riskiest.symbol,
        "rows": [_row(market) for market in rows[:MAX_ROWS]],
    }


def _row(market: MarketBrief) -> dict[str, object]:
    value = None if market.price is None else abs(market.quantity * market.price)
    limit = market.position_limit
    share = None if value is None or not limit else float(value / limit)
    return {
        "symbol": market.symbol,
        "regime": market.regime.value,
        "regime_level": None if market.regime_level is None else market.regime_level.value,
        "volatility": market.volatility,
        "var99": market.var99,
        "position_value": None if value is None else text(value),
        "position_limit": None if limit is None else text(limit),
        "limit_used_fraction": share,
    }


def text(amount: Decimal) -> str:
    """Return ``amount`` as plain text without exponent or needless zeros."""
    shown = f"{amount:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _done(claim: Claim, result: Json) -> CompleteWork:
    return CompleteWork(task_id=claim.task_id, lease_token=claim.lease_token, result=result)
