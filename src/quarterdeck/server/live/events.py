"""What happened, told to a person: one event for each message worth a line."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.agents.model import TaskFailed
from quarterdeck.alerts.model import AlertAcknowledged, AlertRaised, AlertResolved
from quarterdeck.execution.model import (
    BooksAdjusted,
    BooksDiffered,
    BreakerChanged,
    BreakerState,
    CapitalMoved,
    LimitSet,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    OrderView,
    Scope,
    SignalEnded,
    TradingHalted,
    TradingResumed,
)
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE, from_units, text_of
from quarterdeck.kernel.vocabulary import Severity, SignalStatus
from quarterdeck.market.model import FeedEnded, Instrument
from quarterdeck.portfolio.model import RebalanceMoved, RebalanceProposed
from quarterdeck.regime.model import CoarserRegimeChanged, RegimeChanged
from quarterdeck.risk.model import (
    ClusterChanged,
    ConditionChanged,
    CreditChanged,
    LimitsChanged,
    MultiplierChanged,
    MultiplierKind,
    RiskEventRaised,
    RiskLevelChanged,
    RiskResponded,
    StopDistanceChanged,
)
from quarterdeck.server.desk.model import Event, FillBrief
from quarterdeck.server.live.money_events import capital_event, rebalance_event
from quarterdeck.server.live.risk_events import (
    cluster_event,
    level_event,
    response_event,
    size_event,
    stop_event,
)
from quarterdeck.server.live.words import DECK, bars, counted, said, whose

MAX_TEXT = 400


def event_of(
    message: Message, instruments: Mapping[str, Instrument], *, slice_index: int
) -> Event | None:
    """Return the event that ``message`` is, or ``None``; ``slice_index`` is the present slice."""
    match message:
        case OrderAccepted() | OrderRefused() | OrderCancelled() | OrderFilled():
            return _order_event(message, instruments)
        case AlertRaised() | AlertAcknowledged() | AlertResolved():
            return _alert_event(message, slice_index)
        case TradingHalted() | TradingResumed():
            return _stop_event(message, slice_index)
        case BreakerChanged() | LimitSet() | SignalEnded():
            return _gate_event(message)
        case BooksDiffered() | BooksAdjusted():
            return _books_event(message)
        case RegimeChanged() | RiskEventRaised() | LimitsChanged() | RebalanceProposed():
            return _market_event(message)
        case CoarserRegimeChanged():
            return _coarser_event(message)
        case RebalanceMoved():
            return rebalance_event(message)
        case CapitalMoved():
            return capital_event(message)
        case RiskResponded() | CreditChanged() | RiskLevelChanged() | ConditionChanged():
            return _risk_event(message)
        case ClusterChanged():
            return cluster_event(message)
        case StopDistanceChanged():
            return stop_event(message)
        case MultiplierChanged() if message.kind is MultiplierKind.POSITION:
            return size_event(message)
        case TaskFailed():
            return _event(
                f"task_failed:{message.task_id}",
                "task_failed",
                message.slice,
                message.at,
                severity=Severity.WARNING,
                agent=message.agent,
                title=f"A {message.type} task failed",
                text=message.reason,
            )
        case FeedEnded():
            return _event(
                "feed_ended",
                "feed_ended",
                slice_index,
                message.at,
                severity=Severity.INFO,
                title="The replay has ended",
                text=f"All {message.slices} slices were delivered; the deck stays up.",
            )
        case _:
            return None


def _event(
    identity: str,
    kind: str,
    slice_index: int,
    at: int,
    *,
    severity: Severity,
    title: str,
    text: str,
    agent: str | None = None,
    symbol: str | None = None,
    order: OrderView | None = None,
    fill: FillBrief | None = None,
) -> Event:
    return Event(
        id=identity,
        slice=slice_index,
        at_ms=at // 1_000_000,
        kind=kind,
        severity=severity,
        agent=agent,
        symbol=symbol,
        title=title,
        text=text[:MAX_TEXT],
        order=order,
        fill=fill,
    )


def order_accepted(order: OrderView, *, at: int) -> Event:
    """Return the event of an order that passed the gate."""
    price = "at market" if order.limit_price is None else f"at {order.limit_price} or better"
    return _event(
        f"order_accepted:{order.order_id}",
        "order_accepted",
        order.slice,
        at,
        severity=Severity.INFO,
        agent=order.agent,
        symbol=order.symbol,
        order=order,
        title=f"{order.agent}: {order.side} {order.quantity} {order.symbol} accepted",
        text=f"{order.type} order {price}",
    )


def order_refused(order: OrderView, *, at: int) -> Event:
    """Return the event of an order that the gate refused, with its reasons."""
    decision = order.decision
    reasons = "; ".join(breach.text for breach in decision.breaches) or str(decision.code)
    advice = f" {decision.next}" if decision.next else ""
    # Refused before its quantity could be read: there is none to show.
    quantity = f"{order.quantity} " if order.quantity > 0 else ""
    return _event(
        f"order_refused:{order.order_id}",
        "order_refused",
        order.slice,
        at,
        severity=Severity.WARNING,
        agent=order.agent,
        symbol=order.symbol,
        order=order,
        title=f"{order.agent}: {order.side} {quantity}{order.symbol} refused, {decision.code}",
        text=f"{reasons}.{advice}",
    )


def _order_event(
    message: OrderAccepted | OrderRefused | OrderCancelled | OrderFilled,
    instruments: Mapping[str, Instrument],
) -> Event:
    match message:
        case OrderAccepted():
            return order_accepted(message.order, at=message.at)
        case OrderRefused():
            return order_refused(message.order, at=message.at)
        case OrderCancelled():
            return _event(
                f"order_cancelled:{message.order_id}",
                "order_cancelled",
                message.slice,
                message.at,
                severity=Severity.INFO,
                agent=message.agent,
                symbol=message.symbol,
                title=f"{message.agent}: order in {message.symbol} {said(message.status)}",
                text=message.reason,
            )
        case OrderFilled():
            instrument = instruments[message.symbol]
            fill = FillBrief(
                side=message.side,
                quantity=from_units(message.quantity_units, instrument.quantity_scale),
                price=from_units(message.price_units, instrument.price_scale),
            )
            quantity = text_of(message.quantity_units, instrument.quantity_scale)
            price = text_of(message.price_units, instrument.price_scale)
            realised = text_of(message.realised_units, MONEY_SCALE)
            return filled(
                str(message.fill_id),
                agent=message.agent,
                symbol=message.symbol,
                fill=fill,
                slice_index=message.slice,
                at=message.at,
                words=(quantity, price, realised if message.realised_units else None),
            )


def filled(
    fill_id: str,
    *,
    agent: str,
    symbol: str,
    fill: FillBrief,
    slice_index: int,
    at: int,
    words: tuple[str, str, str | None],
) -> Event:
    """Return the event of a fill; ``words`` are quantity, price and realised profit as text."""
    quantity, price, realised = words
    verb = "bought" if fill.side.sign > 0 else "sold"
    return _event(
        f"order_filled:{fill_id}",
        "order_filled",
        slice_index,
        at,
        severity=Severity.INFO,
        agent=agent,
        symbol=symbol,
        fill=fill,
        title=f"{agent} {verb} {quantity} {symbol} at {price}",
        text="" if realised is None else f"realised {realised} before the fee",
    )


def _alert_event(
    message: AlertRaised | AlertAcknowledged | AlertResolved, slice_index: int
) -> Event:
    match message:
        case AlertRaised():
            return _event(
                f"alert_raised:{message.episode_id}",
                "alert_raised",
                message.slice,
                message.at,
                severity=message.severity,
                title=f"Alert {message.rule_id}: {message.subject}",
                text=message.text,
            )
        case AlertAcknowledged():
            return _event(
                f"alert_acknowledged:{message.episode_id}",
                "alert_acknowledged",
                slice_index,
                message.at,
                severity=Severity.INFO,
                title=f"{message.by} acknowledged alert {message.rule_id}: {message.subject}",
                text=message.note,
            )
        case AlertResolved():
            by = "by itself" if message.by is None else f"by {message.by}"
            return _event(
                f"alert_resolved:{message.episode_id}",
                "alert_resolved",
                message.slice,
                message.at,
                severity=Severity.INFO,
                title=f"Alert {message.rule_id} resolved {by}: {message.subject}",
                text=message.note,
            )


def _stop_event(message: TradingHalted | TradingResumed, slice_index: int) -> Event:
    trading = f"Trading of {message.subject}" if message.subject else "Trading"
    which = f"{message.epoch}:{message.scope.value}:{message.subject}:{message.at}"
    if isinstance(message, TradingHalted):
        return _event(
            f"halted:{which}",
            "halted",
            slice_index,
            message.at,
            severity=Severity.CRITICAL,
            agent=message.agent,
            title=f"{trading} was stopped by {message.by}",
            text=f"{message.reason} ({counted(message.cancelled, 'order')} cancelled)",
        )
    return _event(
        f"resumed:{which}",
        "resumed",
        slice_index,
        message.at,
        severity=Severity.WARNING,
        agent=message.agent,
        title=f"{trading} was re-armed by {message.by}",
        text=message.reason,
    )


def _gate_event(
    message: BreakerChanged | LimitSet | SignalEnded,
) -> Event | None:
    match message:
        case BreakerChanged():
            subject = f"{message.scope.value} {message.subject}".rstrip()
            opened = message.state is BreakerState.OPEN
            return _event(
                f"breaker:{message.kind.value}:{subject}:{message.at}:{message.state.value}",
                "breaker_changed",
                message.slice,
                message.at,
                severity=Severity.ERROR if opened else Severity.INFO,
                agent=message.subject if message.scope is Scope.AGENT else None,
                symbol=message.subject if message.scope is Scope.INSTRUMENT else None,
                title=f"Breaker {said(message.kind)} of {subject} is {said(message.state)}",
                text=f"{message.reason} ({message.evidence})",
            )
        case LimitSet():
            where = f"{message.scope.value} {message.subject}".rstrip()
            now = "removed" if message.value is None else f"now {message.value}"
            return _event(
                f"limit_set:{message.version}",
                "limit_set",
                message.slice,
                message.at,
                severity=Severity.WARNING,
                title=f"{message.by}: {message.name} of {where} is {now}",
                text=message.reason,
            )
        case SignalEnded():
            # What was executed is told by its fill, and that time passes is no news.
            if message.status is not SignalStatus.CANCELLED:
                return None
            return _event(
                f"signal:{message.signal_id}",
                "signal_ended",
                message.slice,
                message.at,
                severity=Severity.INFO,
                agent=message.agent,
                symbol=message.symbol,
                title=f"{message.agent}: signal for {message.symbol} {message.status.value}",
                text="no order may follow it any more",
            )


def _risk_event(
    message: RiskResponded | CreditChanged | RiskLevelChanged | ConditionChanged,
) -> Event:
    match message:
        case RiskResponded():
            return response_event(message)
        case CreditChanged():
            credit = from_units(message.credit_units, MONEY_SCALE)
            return _event(
                f"credit_changed:{message.number}",
                "credit_changed",
                message.slice,
                message.at,
                severity=Severity.INFO,
                agent=None if message.agent == DECK else AgentId(message.agent),
                title=f"Credit line of {whose(message.agent)} is now {credit:,.0f}"
                + ("" if message.in_force else " (shadow)"),
                text=message.because,
            )
        case RiskLevelChanged():
            return level_event(message)
        case ConditionChanged():
            before = "" if message.previous is None else f"{said(message.previous)} became "
            return _event(
                f"condition_changed:{message.number}",
                "condition_changed",
                message.slice,
                message.at,
                severity=Severity.INFO,
                title=f"Market: {before}{said(message.condition)}",
                text=message.because,
            )


def _books_event(message: BooksDiffered | BooksAdjusted) -> Event:
    match message:
        case BooksDiffered():
            return _event(
                f"books_differ:{message.subject}:{message.at}:{message.ours}:{message.theirs}",
                "books_differ",
                message.slice,
                message.at,
                severity=Severity.CRITICAL,
                title=f"Our books and the broker's differ: {message.subject}",
                text=f"we have {message.ours}, the broker {message.theirs}, in the smallest units",
            )
        case BooksAdjusted():
            return _event(
                f"books_adjusted:{message.subject}:{message.at}:{message.ours}:{message.theirs}",
                "books_adjusted",
                message.slice,
                message.at,
                severity=Severity.WARNING,
                title=f"{message.by} adjusted our books: {message.subject}",
                text=f"from {message.ours} to {message.theirs}: {message.reason}",
            )


def _coarser_event(change: CoarserRegimeChanged) -> Event:
    return _event(
        f"regime_changed:{change.symbol}:{change.timeframe}:{change.slice}",
        "regime_changed",
        change.slice,
        change.at,
        severity=Severity.INFO,
        symbol=change.symbol,
        title=f"{change.symbol}, {change.timeframe}: {said(change.previous)} became {said(change.regime)}",
        text=f"after {bars(change.duration_bars)} of {change.timeframe}; {said(change.level)} confidence",
    )


def _market_event(
    message: RegimeChanged | RiskEventRaised | LimitsChanged | RebalanceProposed,
) -> Event:
    match message:
        case RegimeChanged():
            causes = ", ".join(trigger.feature for trigger in message.triggers[:3])
            return _event(
                f"regime_changed:{message.symbol}:{message.slice}",
                "regime_changed",
                message.slice,
                message.at,
                severity=Severity.INFO,
                symbol=message.symbol,
                title=f"{message.symbol}: {said(message.previous)} became {said(message.regime)}",
                text=f"after {bars(message.duration_bars)}; {said(message.level)} confidence"
                + (f"; by {causes}" if causes else ""),
            )
        case RiskEventRaised():
            return _event(
                f"risk_event:{message.event_id}",
                "risk_event",
                message.slice,
                message.at,
                severity=message.severity,
                title=f"Risk: {said(message.kind)} of {whose(message.subject)}",
                text=message.text,
            )
        case LimitsChanged():
            limit = from_units(message.position_limit_units, MONEY_SCALE)
            return _event(
                f"limits_changed:{message.symbol}:{message.version}",
                "limits_changed",
                message.slice,
                message.at,
                severity=Severity.INFO,
                symbol=message.symbol,
                title=f"{message.symbol}: position limit is now {limit:,.0f}",
                text=message.because,
            )
        case RebalanceProposed():
            return _event(
                f"rebalance:{message.proposal_id}",
                "rebalance",
                message.slice,
                message.at,
                severity=Severity.INFO,
                title=f"Proposed portfolio: {message.objective}",
                text=", ".join(
                    f"{symbol} {weight:.1%}"
                    for symbol, weight in zip(message.symbols, message.weights, strict=True)
                    if weight >= 0.0005
                ),
            )
