"""What the live topics begin with: the past as the views tell it."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.execution.model import FillsView, GetFills, GetOrders, OrdersView
from quarterdeck.kernel.messages import Query
from quarterdeck.kernel.money import MONEY_SCALE, text_of, to_units
from quarterdeck.kernel.time import millis, parse_rfc3339
from quarterdeck.kernel.vocabulary import OrderStatus, Regime, Severity
from quarterdeck.market.model import BarsView, GetBars
from quarterdeck.performance.model import EquityView, GetEquity
from quarterdeck.regime.model import (
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    RegimeChangesView,
    RegimeSpansView,
    RegimesView,
)
from quarterdeck.risk.model import GetRiskEvents, RiskEventsView
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.server.desk.asking import Given, now, read
from quarterdeck.server.desk.model import Event, FillBrief, Point, Slice
from quarterdeck.server.live.events import filled, order_accepted, order_refused
from quarterdeck.server.live.rows import Bar
from quarterdeck.server.live.streams import EQUITY_POINTS, EVENTS_SHOWN, MARKET_ROWS
from quarterdeck.server.ports import Pacer, Views

OF_EACH = 40
"""How many of each kind of record are looked at for the first events."""


async def _ask(views: Views, query: Query, kind: type[Given]) -> Given:
    return await read(views, query, caller=DECK_CALLER, kind=kind)


async def past_slices(
    views: Views, symbols: Sequence[str], *, pacer: Pacer
) -> tuple[list[Slice], dict[str, Regime], str]:
    """Return the last slices, the regimes in force, and the timeframe."""
    bars: dict[int, dict[str, Bar]] = {}
    timeframe = ""
    # All in one go, so that the bars of every symbol and the feed's place belong together.
    last = pacer.status().slice
    for symbol in symbols:
        query = GetBars(symbol=symbol, limit=MARKET_ROWS)
        past = now(views, query, caller=DECK_CALLER, kind=BarsView)
        timeframe = past.timeframe
        for bar in past.bars:
            bars.setdefault(millis(parse_rfc3339(bar.at)), {})[symbol] = (
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
            )
    # A slice is an instant at which a bar closed, so instants count slices.
    instants = sorted(bars)[-MARKET_ROWS:]
    first = last - len(instants) + 1
    regimes: dict[int, dict[str, Regime]] = {}
    for symbol in symbols:
        spans = await _ask(
            views, GetRegimeSpans(symbol=symbol, slices=MARKET_ROWS), RegimeSpansView
        )
        for start, end, regime in spans.spans:
            for index in range(max(start, first), min(end, last) + 1):
                regimes.setdefault(index, {})[symbol] = regime
    present = await _ask(views, GetRegimes(), RegimesView)
    slices = [
        Slice(slice=index, at_ms=at_ms, bars=bars[at_ms], regimes=regimes.get(index, {}))
        for index, at_ms in enumerate(instants, start=first)
    ]
    return slices, {line.symbol: line.regime for line in present.instruments}, timeframe


async def past_points(views: Views) -> list[Point]:
    """Return evenly spaced points of the equity curves so far."""
    curves = (await _ask(views, GetEquity(points=EQUITY_POINTS), EquityView)).curves
    equity: dict[int, dict[str, float]] = {}
    drawdown: dict[int, dict[str, float]] = {}
    at: dict[int, int] = {}
    for curve in curves:
        rows = zip(curve.slices, curve.at_ms, curve.equity, curve.drawdown, strict=True)
        for index, at_ms, value, loss in rows:
            at[index] = at_ms
            equity.setdefault(index, {})[curve.agent] = value
            drawdown.setdefault(index, {})[curve.agent] = loss
    return [
        Point(slice=index, at_ms=at[index], equity=equity[index], drawdown=drawdown[index])
        for index in sorted(equity)
    ]


async def past_events(views: Views) -> list[Event]:
    """Return the last events that the records still tell of, oldest first."""
    found: list[Event] = []
    for order in (await _ask(views, GetOrders(limit=OF_EACH), OrdersView)).orders:
        at = parse_rfc3339(order.submitted_at)
        refused = order.status is OrderStatus.REFUSED
        found.append(order_refused(order, at=at) if refused else order_accepted(order, at=at))
    for fill in (await _ask(views, GetFills(limit=OF_EACH), FillsView)).fills:
        units = to_units(fill.realised, scale=MONEY_SCALE, field="realised")
        realised = text_of(units, MONEY_SCALE) if units else None
        brief = FillBrief(side=fill.side, quantity=fill.quantity, price=fill.price)
        found.append(
            filled(
                str(fill.fill_id),
                agent=fill.agent,
                symbol=fill.symbol,
                fill=brief,
                slice_index=fill.slice,
                at=parse_rfc3339(fill.at),
                words=(f"{fill.quantity:f}", f"{fill.price:f}", realised),
            )
        )
    changes = (await _ask(views, GetRegimeChanges(limit=OF_EACH), RegimeChangesView)).changes
    for change in changes:
        found.append(
            Event(
                id=f"regime_changed:{change.symbol}:{change.slice}",
                slice=change.slice,
                at_ms=millis(parse_rfc3339(change.at)),
                kind="regime_changed",
                severity=Severity.INFO,
                agent=None,
                symbol=change.symbol,
                title=f"{change.symbol}: {change.previous} became {change.regime}",
                text=f"after {change.duration_bars} bars; {change.level} confidence",
            )
        )
    for risk in (await _ask(views, GetRiskEvents(limit=OF_EACH), RiskEventsView)).events:
        found.append(
            Event(
                id=f"risk_event:{risk.event_id}",
                slice=risk.slice,
                at_ms=millis(parse_rfc3339(risk.at)),
                kind="risk_event",
                severity=risk.severity,
                agent=None,
                symbol=None,
                title=f"Risk: {risk.kind} of {risk.subject}",
                text=risk.text,
            )
        )
    found.sort(key=lambda event: (event.slice, event.at_ms))
    return found[-EVENTS_SHOWN:]
