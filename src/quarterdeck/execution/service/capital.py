"""Moves capital between accounts: exact in the ledger, and nobody's gain or loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import BASE_CURRENCY, decimal_of
from quarterdeck.execution.core.capital import movable
from quarterdeck.execution.core.ledger import Account, Line, cash_account
from quarterdeck.execution.model import CapitalMoved, CapitalView, MoveCapital
from quarterdeck.execution.service.breakers import shift_peak
from quarterdeck.execution.service.checks import MAX_REASON, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, text_of, to_units
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService


def move(service: ExecutionService, command: MoveCapital, step: Step) -> CapitalView:
    """Move an amount from one account to another, or refuse with how much could be moved."""
    desk = service.desk
    check_length("reason", command.reason, MAX_REASON)
    source = desk.accounts[desk.known(command.from_agent)]
    target = desk.accounts[desk.known(command.to_agent)]
    if source is target:
        raise InvalidInput.of("to_agent", command.to_agent, "another agent than from_agent")
    amount = to_units(command.amount, scale=MONEY_SCALE, field="amount")
    most = movable_of(desk, source)
    if not 0 < amount <= most:
        raise InvalidInput.of(
            "amount", command.amount, f"more than 0 and at most {text_of(most, MONEY_SCALE)} now"
        )
    for account, change in ((source, -amount), (target, amount)):
        shift_peak(desk, account.agent, before=account.marked, change=change, step=step)
        account.capital += change
        account.cash += change
        account.day_open += change
        account.marked += change
        store.write_account(step, account)
    entry = step.new_id("move")
    store.write_entry(
        step,
        desk.ledger,
        entry=entry,
        scale=MONEY_SCALE,
        lines=(
            Line(cash_account(source.agent), BASE_CURRENCY, -amount),
            Line(cash_account(target.agent), BASE_CURRENCY, amount),
        ),
        memo=f"capital from {source.agent} to {target.agent}",
    )
    step.record(
        desk.account,
        "capital_moved",
        entry=entry,
        from_agent=source.agent,
        to_agent=target.agent,
        amount=text_of(amount, MONEY_SCALE),
        reason=command.reason,
    )
    step.say(
        CapitalMoved(
            at=step.at,
            slice=step.slice,
            move_id=entry,
            from_agent=source.agent,
            to_agent=target.agent,
            amount_units=amount,
            by=step.caller.identity,
            reason=command.reason,
        )
    )
    return CapitalView(
        from_agent=source.agent,
        to_agent=target.agent,
        amount=decimal_of(amount, MONEY_SCALE),
        movable=decimal_of(movable_of(desk, source), MONEY_SCALE),
    )


def movable_of(desk: Desk, account: Account) -> int:
    """Return how much capital may be moved away from an account now, in money units."""
    worth, sums = desk.worth_of(account), desk.sums_of(account.agent)
    return movable(
        account,
        equity=worth.equity,
        free=desk.free_cash(account, worth.shorts),
        gross=sums.gross,
        gross_parts=desk.bounds(account.agent, -1).max_gross_exposure_ratio,
    )
