"""Our books against a remote venue's, all the time: what differs freezes and is never assumed away."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quarterdeck.execution.core.amounts import decimal_of
from quarterdeck.execution.core.reconcile import differences, following
from quarterdeck.execution.core.session import Scope
from quarterdeck.execution.model import BooksDiffered, StopScope
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerReport,
    BrokerView,
    DifferenceView,
    GetBroker,
    NoteBooks,
    Noted,
    NoteReports,
)
from quarterdeck.execution.service.adjusting import adjust_by_rule
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import Trade
from quarterdeck.execution.service.halting import enforce, halted
from quarterdeck.execution.service.sending import take_quantity, take_status, take_venue_fill
from quarterdeck.execution.store.venue import write_venue
from quarterdeck.kernel.ids import OrderId
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

DIFFERENCES = "execution.broker_differences_count"
_IN_FLIGHT = (OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN)


def note_reports(service: ExecutionService, command: NoteReports, step: Step) -> Noted:
    """Take in each report once and in order; what comes after a gap waits until the gap is told."""
    desk = service.desk
    news = following(command.reports, after=desk.venue.sequence)
    for report in news:
        desk.venue.sequence = report.sequence
        _take(desk, report, step=step)
    if news:
        write_venue(step, desk.venue)
    return Noted(sequence=desk.venue.sequence)


def _take(desk: Desk, report: BrokerReport, *, step: Step) -> None:
    order = desk.book.find(OrderId(report.client_id))
    if order is None:
        step.record(desk.account, "foreign_report", client_id=report.client_id[:128])
        return
    take_quantity(desk, order, report.quantity, step=step)
    fill = report.fill
    if fill is not None:
        trade = Trade(fill.quantity, fill.price, fill.fee, fill.fee_in_asset)
        take_venue_fill(desk, order, fill_id=fill.fill_id, trade=trade, step=step)
    if not order.status.final and order.status is not OrderStatus.INTENT:
        take_status(desk, order, report.status, step=step)


def note_books(service: ExecutionService, command: NoteBooks, step: Step) -> Noted:
    """Compare the books, freeze each instrument that differs, and say how many differences stand.

    Books of another moment than the last report prove nothing and are passed over.
    """
    desk, books = service.desk, command.books
    if books.sequence != desk.venue.sequence:
        return Noted(sequence=desk.venue.sequence)
    found = adjust_by_rule(desk, _differences(desk, books), step=step)
    changed = found != desk.venue.differences
    for subject in [name for name in desk.venue.differences if name not in found]:
        step.write("execution.difference_ended", subject=subject)
    for subject, (ours, theirs) in found.items():
        if desk.venue.differences.get(subject) != (ours, theirs):
            step.write(
                "execution.difference_saved", subject=subject, ours=ours, theirs=theirs, at=step.at
            )
            step.record(desk.account, "books_differ", subject=subject, ours=ours, theirs=theirs)
            step.say(
                BooksDiffered(
                    at=step.at, slice=step.slice, subject=subject, ours=ours, theirs=theirs
                )
            )
    desk.venue.differences = found
    if desk.venue.compared_slice != step.slice or changed:
        desk.venue.compared_slice = step.slice
        write_venue(step, desk.venue)
    for symbol in _symbols(desk, found):
        _freeze(desk, symbol, raised=service.stop.raised(), step=step)
    if changed:
        values: dict[str, float | None] = {"broker": float(len(found))}
        step.say(NumbersPublished(name=DIFFERENCES, values=values))
    return Noted(sequence=desk.venue.sequence)


def _differences(desk: Desk, books: BrokerBooks) -> dict[str, tuple[int, int]]:
    """Return ours and theirs by subject; what is on its way or unknown is not compared."""
    away = [each for each in desk.book.working.values() if each.status in _IN_FLIGHT]
    names = {each.order_id for each in away}
    rows = {each.instrument for each in away}
    positions = {contract.index: desk.held(contract) for contract in desk.contracts}
    working: dict[str, int] = {
        order.order_id: (order.sent or 0) - order.filled
        for order in desk.book.working.values()
        if order.status in (OrderStatus.WORKING, OrderStatus.PARTIAL)
    }
    found = {}
    for one in differences(positions, working, books=books):
        if one.client_id is not None:
            if one.client_id not in names:
                found[f"order {one.client_id[:128]}"] = (one.ours, one.theirs)
        elif one.instrument not in rows and one.instrument is not None:
            symbol = desk.contracts[one.instrument].symbol
            found[f"position {symbol}"] = (one.ours, one.theirs)
    paid = desk.ledger.paid
    if not away and paid != books.cash:
        found["cash"] = (paid, books.cash)
    return dict(sorted(found.items()))


def _symbols(desk: Desk, found: dict[str, tuple[int, int]]) -> list[str]:
    """Return the instruments that the differences are about; cash and foreign orders have none."""
    symbols = set()
    for subject in found:
        kind, _, name = subject.partition(" ")
        if kind == "position":
            symbols.add(name)
        elif kind == "order":
            order = desk.book.find(OrderId(name))
            if order is not None:
                symbols.add(order.symbol)
    return sorted(symbols)


def _freeze(desk: Desk, symbol: str, *, raised: int, step: Step) -> None:
    """Let only reducing orders pass in an instrument, until a person opens it again."""
    scope = Scope(StopScope.INSTRUMENT, symbol)
    if desk.symbols[symbol].index in desk.frozen:
        return
    reason = "our books and the broker's differ"
    epoch = enforce(desk, scope, raised=raised, reason=reason, step=step)
    halted(desk, epoch, scope=scope, standing=None, reason=reason, stop_ms=None, step=step)


def differing(desk: Desk, scope: Scope) -> list[str]:
    """Return the differences that stand against re-arming ``scope``."""
    told = {
        subject: f"{subject}: we have {ours}, the broker {theirs}"
        for subject, (ours, theirs) in desk.venue.differences.items()
    }
    if scope.kind is not StopScope.INSTRUMENT:
        return list(told.values())
    return [
        text
        for subject, text in told.items()
        if scope.subject in _symbols(desk, {subject: desk.venue.differences[subject]})
    ]


def broker(service: ExecutionService, _query: GetBroker, _caller: Caller) -> BrokerView:
    """Return how our books and the broker's stand to each other."""
    desk = service.desk
    working = desk.book.working.values()
    return BrokerView(
        venue="remote paper venue" if desk.remote else "paper venue inside the deck",
        remote=desk.remote,
        sequence=desk.venue.sequence,
        compared_slice=desk.venue.compared_slice,
        in_flight=sum(o.status in (OrderStatus.INTENT, OrderStatus.SENT) for o in working),
        unknown=tuple(o.order_id for o in working if o.status is OrderStatus.UNKNOWN),
        differences=tuple(
            DifferenceView(
                subject=subject, ours=ours, theirs=theirs, more=_more(desk, subject, theirs - ours)
            )
            for subject, (ours, theirs) in desk.venue.differences.items()
        ),
    )


def _more(desk: Desk, subject: str, units: int) -> Decimal | None:
    """Return ``units`` of what ``subject`` is about as people write it; ``None`` where nobody knows."""
    if subject == "cash":
        return decimal_of(units, MONEY_SCALE)
    symbols = _symbols(desk, {subject: (0, units)})
    return decimal_of(units, desk.symbols[symbols[0]].quantity_scale) if symbols else None
