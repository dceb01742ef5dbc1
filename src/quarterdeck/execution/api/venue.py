"""What is asked about a remote venue, and what only the deck itself tells execution of it."""

from __future__ import annotations

from quarterdeck.execution.model import OrderView
from quarterdeck.execution.model.broker import (
    BrokerView,
    Errands,
    GetBroker,
    NoteBooks,
    Noted,
    NoteOutcome,
    NoteReports,
    SettleOrder,
    TakeErrands,
)
from quarterdeck.execution.service import reconciling, sending
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="broker.show",
        method="GET",
        path="/broker",
        summary="How our books and the broker's stand to each other, and what has no answer yet.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetBroker,
        output=BrokerView,
        function=reconciling.broker,
    ),
    Operation(
        name="orders.settle",
        method="POST",
        path="/orders/{order_id}/settle",
        summary="Declare, having asked the broker, that an order of unknown outcome never arrived.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=SettleOrder,
        output=OrderView,
        function=sending.settle,
    ),
)


def _own(command: type[Command], output: type[Answer], function: object) -> Operation:
    return Operation(
        name=f"venue.{command.__name__}",
        method="POST",
        path=f"/venue/{command.__name__}",
        summary="What the deck's courier tells.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=command,
        output=output,
        function=function,  # type: ignore[arg-type]
    )


COURIERS = (
    _own(TakeErrands, Errands, sending.take_errands),
    _own(NoteOutcome, Noted, sending.note_outcome),
    _own(NoteReports, Noted, reconciling.note_reports),
    _own(NoteBooks, Noted, reconciling.note_books),
)
"""Carried out for the deck's own courier only: no route leads to them."""
