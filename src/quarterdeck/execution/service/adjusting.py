"""What differs from a broker's books and is booked away: by a person who gives a reason, or by a rule."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import BASE_CURRENCY
from quarterdeck.execution.core.ledger import ADJUSTMENTS, DUST, Line, house_lines
from quarterdeck.execution.model import AdjustBooks, AdjustmentView, BooksAdjusted
from quarterdeck.execution.service.checks import MAX_REASON, MAX_REFERENCE, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import (
    Trade,
    end_order,
    fill_by_hand,
    reduce_order,
)
from quarterdeck.execution.store.venue import write_adjustment
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.ids import OrderId
from quarterdeck.kernel.money import MAX_UNITS, MONEY_SCALE, to_units
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

CASH = "cash"


def adjust(service: ExecutionService, command: AdjustBooks, step: Step) -> AdjustmentView:
    """Make our books those of the broker in one subject, on a person's word and for a reason."""
    check_length("reason", command.reason, MAX_REASON)
    desk = service.desk
    found = desk.venue.differences.get(command.subject)
    if found is None:
        raise NotFound(
            "no such difference",
            field="subject",
            value=command.subject[:MAX_REFERENCE],
            accepted=", ".join(desk.venue.differences) or "the books agree",
        )
    kind, _, name = command.subject.partition(" ")
    ours = _ours(desk, kind, name)
    if found != (command.ours, command.theirs) or ours != command.ours:
        raise Conflict(
            f"it is {ours} against {found[1]} now",
            code="DIFFERENCE_CHANGED",
            field="ours",
            value=f"{command.ours} against {command.theirs}",
            accepted="exactly what GET /broker shows",
        )
    if kind != "position" and command.agent is not None:
        raise InvalidInput.of("agent", command.agent, "nobody: it is not about a position")
    if abs(command.theirs - ours) > MAX_UNITS:
        raise InvalidInput.of("theirs", command.theirs, "what a broker can have")
    match kind:
        case "order":
            _adjust_order(desk, name, command, step=step)
        case "position" if command.agent is not None:
            _fill(desk, name, command, step=step)
        case _:
            _house(desk, ADJUSTMENTS, command.subject, command.theirs - ours, step=step)
    by = step.caller.identity
    return _adjusted(desk, command.subject, (ours, command.theirs), by, command, step=step)


def adjust_by_rule(
    desk: Desk, found: dict[str, tuple[int, int]], *, step: Step
) -> dict[str, tuple[int, int]]:
    """Book away what is less than the rules ask a person about; return what is left of ``found``."""
    left = dict(found)
    for subject, (ours, theirs) in found.items():
        kind, _, name = subject.partition(" ")
        rule = None
        if kind == CASH and abs(theirs - ours) <= desk.dust.cash:
            rule = f"cash up to {desk.dust.cash} units is dust"
        elif kind == "position" and desk.dust.positions:
            small = abs(theirs - ours) < desk.symbols[name].lot
            rule = "less than a lot is dust" if small else None
        if rule is not None:
            _house(desk, DUST, subject, theirs - ours, step=step)
            _adjusted(desk, subject, (ours, theirs), "rule", rule, step=step)
            del left[subject]
    return left


def _ours(desk: Desk, kind: str, name: str) -> int:
    match kind:
        case "position":
            return desk.held(desk.symbols[name])
        case "order":
            order = desk.book.find(OrderId(name))
            alive = order is not None and not order.status.final
            return (order.sent or 0) - order.filled if order is not None and alive else 0
        case _:
            return desk.ledger.paid


def _house(desk: Desk, account: str, subject: str, change: int, *, step: Step) -> None:
    """Book ``change`` to the house: it is nobody's, and it is there."""
    kind, _, name = subject.partition(" ")
    contract = desk.symbols.get(name)
    asset = BASE_CURRENCY if kind == CASH else name
    scale = MONEY_SCALE if contract is None else contract.quantity_scale
    lines: tuple[Line, ...] = house_lines(account, asset, change)
    memo = f"{account} of {subject}"
    entry = step.new_id("adj")
    store.write_entry(step, desk.ledger, entry=entry, lines=lines, scale=scale, memo=memo)


def _fill(desk: Desk, symbol: str, command: AdjustBooks, *, step: Step) -> None:
    """Book a fill that the broker had and told nobody of: to an agent, at its price and fee."""
    agent, contract = desk.known(str(command.agent)), desk.symbols[symbol]
    if command.price is None:
        raise InvalidInput.of("price", None, "the price it was bought or sold at")
    price = to_units(command.price, scale=contract.price_scale, field="price")
    fee = to_units(command.fee, scale=MONEY_SCALE, field="fee")
    change = command.theirs - command.ours
    if price <= 0 or abs(change) * price * contract.unit_value > MAX_UNITS:
        raise InvalidInput.of(
            "price", command.price, "a price above 0 of a position that it can be"
        )
    if fee < 0:
        raise InvalidInput.of("fee", command.fee, "what it cost in the base currency, 0 or more")
    side = Side.BUY if change > 0 else Side.SELL
    trade = Trade(abs(change), price, fee)
    fill_by_hand(desk, desk.accounts[agent], contract, side=side, trade=trade, step=step)


def _adjust_order(desk: Desk, name: str, command: AdjustBooks, *, step: Step) -> None:
    """Let an order be as the broker has it: ended, or with less open."""
    order = desk.book.find(OrderId(name))
    if order is None or command.theirs > command.ours:
        raise Conflict(
            "the broker has more open than we asked for",
            code="NOT_ADJUSTABLE",
            field="subject",
            value=command.subject[:MAX_REFERENCE],
            accepted="an order of ours with less open there; cancel the other at the broker",
        )
    if command.theirs <= 0:
        why = f"{step.caller.identity} says the broker has no such order: {command.reason}"
        end_order(
            desk,
            order,
            status=OrderStatus.CANCELLED,
            reason=why[:MAX_REASON],
            step=step,
            told=True,
        )
        return
    less = command.ours - command.theirs
    order.sent = (order.sent or 0) - less
    reduce_order(desk, order, less, step=step)


def _adjusted(
    desk: Desk,
    subject: str,
    books: tuple[int, int],
    by: str,
    why: AdjustBooks | str,
    *,
    step: Step,
) -> AdjustmentView:
    """Keep, record and say an adjustment, and let the difference be over."""
    ours, theirs = books
    reason = why if isinstance(why, str) else why.reason
    agent = None if isinstance(why, str) else why.agent
    desk.counters.adjustments += 1
    if desk.venue.differences.pop(subject, None) is not None:
        step.write("execution.difference_ended", subject=subject)
    view = write_adjustment(
        step,
        number=desk.counters.adjustments,
        subject=subject,
        ours=ours,
        theirs=theirs,
        agent=agent,
        by=by,
        reason=reason,
    )
    price: Decimal | None = None if isinstance(why, str) else why.price
    step.record(
        desk.account,
        "books_adjusted",
        subject=subject,
        ours=ours,
        theirs=theirs,
        agent=agent,
        price=None if price is None else str(price),
        by=by,
        reason=reason,
    )
    step.say(
        BooksAdjusted(
            at=step.at,
            slice=step.slice,
            subject=subject,
            ours=ours,
            theirs=theirs,
            by=by,
            reason=reason,
        )
    )
    return view
