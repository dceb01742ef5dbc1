"""What must hold between our books and a remote venue's, seen from the venue's own side."""

from __future__ import annotations

from quarterdeck.app.invariants.rules import Verdict, Violation
from quarterdeck.execution.model.broker import BrokerBooks
from quarterdeck.execution.service.desk import Desk


def same_books(desk: Desk, books: BrokerBooks) -> Verdict:
    """Once everything is known, positions, cash and open orders are the venue's, to the last unit."""
    for contract in desk.contracts:
        ours, theirs = desk.held(contract), books.positions.get(contract.index, 0)
        if ours != theirs:
            return _wrong("same books", f"{contract.symbol}: {ours}, the venue has {theirs}")
    if desk.ledger.paid != books.cash:
        return _wrong("same books", f"cash: {desk.ledger.paid}, the venue has {books.cash}")
    mine = {
        str(each.order_id): each.remaining
        for each in desk.book.working.values()
        if each.sent is not None
    }
    theirs_open = {each.client_id: each.quantity - each.filled for each in books.working}
    if mine != theirs_open:
        odd = sorted(set(mine.items()) ^ set(theirs_open.items()))
        return _wrong("same books", f"{odd[0][0]} is open on one side only, or not as much")
    return None


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)
