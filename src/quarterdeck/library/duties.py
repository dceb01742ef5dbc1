"""What the deck's own worker does for a task of each type, through the deck's own API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec
import numpy as np

from quarterdeck.agents.model import Claim, is_long
from quarterdeck.client.deck import Deck
from quarterdeck.client.model import MarketBrief
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import OrderStatus, TaskType
from quarterdeck.library.study import (
    CANDIDATES,
    FOLDS,
    NEED,
    Rule,
    stance,
    statistics_of,
    walk_forward,
)
from quarterdeck.portfolio.model import GetPortfolio, PortfolioView

BARS = 512
"""As many closes as the deck keeps in memory."""
POSITION_FRACTION = Decimal("0.05")
"""Share of equity that the worker puts into one new position; the gate may allow less."""
MAX_ROWS = 40
JUMP_DEVIATIONS = 10.0
"""Beyond how many of its own deviations a return is reported as a possible error of the data."""
LIMIT_USED = Decimal("0.95")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Long work with all it needs: it is carried out in a process of its own."""

    type: TaskType
    rule: Rule
    candidates: tuple[int, ...]
    folds: int
    closes: dict[str, list[float]]
    slice: int


class Outlet(Protocol):
    """Where a process says how far it is, and what came of it."""

    def send(self, told: tuple[str, object]) -> None:
        """Pass on ``progress``, ``result`` or ``failed`` with what belongs to it."""
        ...


def job_of(deck: Deck, claim: Claim) -> Job | None:
    """Return the long work that ``claim`` asks for, None if it is short."""
    given = claim.input
    if not is_long(claim.type, given):
        return None
    named = given.get("parameters")
    lists = named.values() if isinstance(named, dict) else ()
    tried = sorted({int(value) for values in lists for value in values})
    folds = given.get("folds")
    return Job(
        type=claim.type,
        rule=rule_of(given),
        candidates=tuple(tried) or CANDIDATES,
        folds=folds if isinstance(folds, int) else FOLDS,
        closes={symbol: closes_of(deck, symbol) for symbol in symbols_of(deck, given)},
        slice=deck.briefing().slice,
    )


def carry_out(job: Job, outlet: Outlet) -> None:
    """Do long work and tell how far it is after every instrument and fold."""
    try:
        outlet.send(("result", result_of(job, lambda share: outlet.send(("progress", share)))))
    except DomainError as refusal:
        outlet.send(("failed", refusal.message))


def result_of(job: Job, told: Callable[[float], None]) -> Json:
    """Return what came of long work; ``told`` is called with the share that is done."""
    studies = {}
    usable = {
        symbol: tuple(bars for bars in job.candidates if 2 <= bars <= len(closes) // 4)
        for symbol, closes in job.closes.items()
    }
    known = [one for one, bars in usable.items() if bars and len(job.closes[one]) >= NEED]
    for place, symbol in enumerate(known):

        def further(share: float, done: int = place) -> None:
            told((done + share) / len(known))

        studies[symbol] = walk_forward(
            np.array(job.closes[symbol]),
            job.rule,
            candidates=usable[symbol],
            folds=job.folds,
            told=further,
        )
    if not studies:
        most = max(map(len, job.closes.values()), default=0)
        accepted = f"{max(NEED, 4 * min(job.candidates))} bars of one instrument at least"
        raise InvalidInput.of("bars", most, accepted)
    statistics = statistics_of(studies)
    mean = statistics["mean.sharpe"]
    summary = f"{job.rule.value} on {len(studies)} instruments, out of sample"
    if job.type is TaskType.RESEARCH:
        better = sum(one.total_return > one.held_return for one in studies.values())
        verdict = f"it did better than holding in {better} of {len(studies)}"
        return {
            "slice": job.slice,
            "summary": summary,
            "statistics": statistics,
            "verdict": verdict,
        }
    chosen = {symbol: float(one.chosen[-1]) for symbol, one in studies.items()}
    return {"slice": job.slice, "summary": summary, "parameters": chosen, "value": mean}


def short_result(deck: Deck, claim: Claim) -> Json:
    """Return what came of short work."""
    match claim.type:
        case TaskType.ANALYSIS:
            return analysis(deck, claim.input)
        case TaskType.MONITORING:
            return monitoring(deck, claim.input)
        case TaskType.TRADING:
            return trading(deck, claim)
        case _:
            return optimization(deck, claim.input)


def analysis(deck: Deck, given: Json) -> Json:
    """Return a briefing of the instruments named: regime, indicators, forecast."""
    briefing = deck.briefing(tuple(symbols_of(deck, given)))
    rows = [
        {
            "symbol": one.symbol,
            "price": None if one.price is None else float(one.price),
            "regime": one.regime.value,
            "regime_level": None if one.regime_level is None else one.regime_level.value,
            "indicators": dict(one.indicators),
            "volatility": one.volatility,
            "var99": one.var99,
        }
        for one in briefing.markets[:MAX_ROWS]
    ]
    calm = sum(one.var99 is not None for one in briefing.markets)
    summary = f"{len(rows)} instruments, {calm} with a forecast"
    return {"slice": briefing.slice, "summary": summary, "rows": rows}


def monitoring(deck: Deck, given: Json) -> Json:
    """Return what is wrong with the data and with what is held, as findings."""
    briefing = deck.briefing(tuple(symbols_of(deck, given)))
    named = given.get("checks")
    checks = tuple(CHECKS) if not isinstance(named, list | tuple) else tuple(map(str, named))
    findings: list[Json] = []
    for check in checks:
        if check not in CHECKS:
            raise InvalidInput.of("checks", check, ", ".join(CHECKS))
        for one in briefing.markets:
            text = CHECKS[check](deck, one)
            if text is not None:
                findings.append({"check": check, "symbol": one.symbol, "text": text})
    summary = f"{len(checks)} checks of {len(briefing.markets)} instruments"
    return {"slice": briefing.slice, "summary": summary, "findings": findings[:MAX_ROWS]}


def _missed(deck: Deck, one: MarketBrief) -> str | None:  # noqa: ARG001
    return f"no bar for {one.missed_bars} slices" if one.missed_bars else None


def _forecast(deck: Deck, one: MarketBrief) -> str | None:  # noqa: ARG001
    held = one.quantity != 0 and one.var99 is None
    return "it is held and has no forecast" if held else None


def _limit(deck: Deck, one: MarketBrief) -> str | None:  # noqa: ARG001
    if one.price is None or not one.position_limit:
        return None
    used = abs(one.quantity * one.price) / one.position_limit
    return f"{used:.0%} of the position limit is used" if used > LIMIT_USED else None


def _bars(deck: Deck, one: MarketBrief) -> str | None:
    bars = deck.bars(one.symbol, limit=BARS).bars
    for bar in bars:
        if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
            return f"the bar of {bar.at} has prices outside its range"
    closes = np.array([bar.close for bar in bars])
    if closes.size < 3:
        return None
    returns = np.diff(np.log(closes))
    spread = float(returns.std())
    worst = int(np.argmax(np.abs(returns)))
    if spread > 0.0 and abs(returns[worst]) > JUMP_DEVIATIONS * spread:
        return f"a jump of {np.expm1(returns[worst]):+.1%} at {bars[worst + 1].at}"
    return None


CHECKS: Mapping[str, Callable[[Deck, MarketBrief], str | None]] = {
    "missed-bars": _missed, "bars": _bars, "forecast": _forecast, "position-limit": _limit,
}  # fmt: skip
"""What monitoring looks for, by name."""


def trading(deck: Deck, claim: Claim) -> Json:
    """Follow a rule's stance in each instrument: state a signal, then submit what the gate would pass."""
    given = claim.input
    rule, most = rule_of(given), given.get("max_orders")
    bound = most if isinstance(most, int) else MAX_ROWS
    briefing = deck.briefing(tuple(symbols_of(deck, given)))
    decisions: list[Json] = []
    if not briefing.open or briefing.account is None:
        return {"slice": briefing.slice, "orders": 0, "reason": briefing.reason or "no account"}
    equity = briefing.account.equity or briefing.account.capital
    for one in briefing.markets:
        closes = np.array(closes_of(deck, one.symbol))
        if one.price is None or closes.size <= min(CANDIDATES) or len(decisions) >= bound:
            continue
        long = bool(stance(closes, rule, bars=min(CANDIDATES))[-1])
        if long == (one.quantity > 0):
            continue
        side = "buy" if long else "sell"
        wanted = abs(one.quantity)
        if long:
            wanted = equity * POSITION_FRACTION / one.price // one.lot * one.lot
        key = f"{claim.task_id}-{claim.attempt}-{one.symbol}"
        decisions.append(_ordered(deck, one.symbol, side, wanted, claim=claim, key=key))
    placed = sum(one["status"] == OrderStatus.WORKING.value for one in decisions)
    return {"slice": briefing.slice, "orders": placed, "decisions": decisions}


def _ordered(
    deck: Deck, symbol: str, side: str, wanted: Decimal, *, claim: Claim, key: str
) -> dict[str, object]:
    told: dict[str, object] = {"symbol": symbol, "side": side, "wanted": str(wanted)}
    if wanted <= 0:
        return {**told, "status": "too small for a lot"}
    allowed = deck.preview(symbol, side, quantity=wanted).max_allowed_now
    quantity = wanted if allowed is None else min(wanted, allowed)
    if quantity <= 0:
        return {**told, "status": "the gate would pass nothing"}
    direction = "long" if side == "buy" else "flat"
    signal = deck.signal(
        symbol, direction, strength=0.5, horizon_bars=min(CANDIDATES), task_id=claim.task_id,
        idempotency_key=f"{key}-signal",
    )  # fmt: skip
    order = deck.order(
        symbol, side, quantity=quantity, task_id=claim.task_id, signal_id=signal.signal_id,
        idempotency_key=key,
    )  # fmt: skip
    return {**told, "quantity": str(quantity), "status": order.status.value}


def optimization(deck: Deck, given: Json) -> Json:
    """Return the deck's present proposal for an objective."""
    view = deck.ask(GetPortfolio(), PortfolioView)
    named = given.get("objective") or view.proposals[0].objective.value
    for one in view.proposals:
        if one.objective.value == named:
            told: dict[str, object] = {"summary": f"{named}: {one.reason or 'as proposed last'}"}
            if one.weights is not None:
                told |= {"weights": dict(one.weights), "value": one.sharpe}
            return told
    accepted = ", ".join(one.objective.value for one in view.proposals)
    raise InvalidInput.of("objective", named, accepted)


def rule_of(given: Json) -> Rule:
    """Return the rule that a task names, momentum where it names none."""
    name = given.get("strategy") or Rule.MOMENTUM.value
    if name not in tuple(Rule):
        raise InvalidInput.of("strategy", name, ", ".join(Rule))
    return Rule(str(name))


def symbols_of(deck: Deck, given: Json) -> list[str]:
    """Return the instruments that a task names, all of the deck where it names none."""
    known = [one.symbol for one in deck.instruments().instruments]
    one, several = given.get("symbol"), given.get("symbols")
    named = [*([one] if one else []), *(several if isinstance(several, list | tuple) else ())]
    for symbol in named:
        if symbol not in known:
            raise InvalidInput.of("symbols", symbol, ", ".join(known[:20]))
    return [str(symbol) for symbol in dict.fromkeys(named)] or known


def closes_of(deck: Deck, symbol: str) -> list[float]:
    """Return the closes that the deck still has of an instrument, oldest first."""
    return [bar.close for bar in deck.bars(symbol, limit=BARS).bars]
