"""What must hold at a start: all of it, on what was just loaded, before anybody may trade."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from quarterdeck.app.invariants.books import (
    Books,
    held_in_turn,
    numbered,
    orders_fit,
    orders_follow_fills,
    tallies_follow_orders,
)
from quarterdeck.app.invariants.folding import ALL, steps_follow
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.runtime.audit import GENESIS, first_broken
from quarterdeck.runtime.state import Reader

AUDIT_TAIL = 1_000
"""Newest records of each audit chain that a start verifies; ``audit verify`` verifies all."""


def found_at_start(reader: Reader, books: Books, moment: Moment) -> tuple[Violation, ...]:
    """Return every rule that does not hold, with its first offending row; the reader sees one state."""
    return tuple(verdict for verdict in _verdicts(reader, books, moment) if verdict is not None)


def _verdicts(reader: Reader, books: Books, moment: Moment) -> Iterator[Verdict]:
    yield steps_follow(reader)
    yield from _rows(reader, books, moment)
    yield orders_fit(reader.rows("execution.orders_at_odds", after=0, upto=ALL))
    yield orders_follow_fills(reader.rows("execution.orders_unlike_fills"))
    yield tallies_follow_orders(reader.rows("execution.tallies_unlike_orders"))
    _paged(reader, "execution.capitals", books.take_capital)
    _paged(reader, "execution.open_orders", books.take_open_orders)
    _paged(reader, "agents.open_task_states", books.take_open_tasks)
    yield from held_in_turn(books, moment)
    yield from _audit_tails(reader)


def _rows(reader: Reader, books: Books, moment: Moment) -> Iterator[Verdict]:
    """Fold every row of the numbered tables, and say which is missing."""
    last = reader.rows("execution.last_rows")[0]
    fills, lines, orders = last["fills"], last["lines"], last["orders"]
    whole = {"after": 0, "upto": ALL}
    if books.take_fills(reader.rows("execution.fills_folded", **whole), upto=fills) != fills:
        yield numbered(
            "execution_fills", reader.rows("execution.fill_missing", after=0)[0]["number"]
        )
    if reader.rows("execution.lines_counted", **whole)[0]["lines"] != lines:
        yield numbered(
            "execution_ledger", reader.rows("execution.line_missing", after=0)[0]["number"]
        )
    if reader.rows("execution.orders_counted", **whole)[0]["orders"] != orders:
        yield numbered(
            "execution_orders", reader.rows("execution.order_missing", after=0)[0]["number"]
        )
    # The balances were added up from the lines a moment ago, by the load itself.
    books.balances = dict(moment.desk.ledger.balances)
    if moment.desk.ledger.unbalanced:
        cut = reader.rows("execution.entries_unbalanced_between", **whole)
        books.take_lines((), unbalanced=cut, upto=lines)


def _paged(reader: Reader, statement: str, take: Callable[..., None]) -> None:
    after = 0
    while rows := reader.rows(statement, after=after):
        take(rows)
        after = rows[-1]["number"]


def _audit_tails(reader: Reader) -> Iterator[Verdict]:
    for head in reader.rows("runtime.audit_heads"):
        partition = str(head["partition"])
        rows = reader.rows(
            "runtime.audit_chain",
            partition=partition.encode(),
            after=int(head["sequence"]) - AUDIT_TAIL,
            limit=AUDIT_TAIL,
        )
        tail = [(int(r["sequence"]), bytes(r["record"]), bytes(r["hash"])) for r in rows]
        first, previous = tail[0][0], GENESIS
        if first > 1:
            before = reader.rows("runtime.audit_hash", partition=partition, sequence=first - 1)
            previous = bytes(before[0]["hash"]) if before else GENESIS
        broken = first_broken(tail, previous=previous, first=first)
        if broken is not None:
            yield Violation(
                rule="audit chain",
                text=f"audit: record {broken} of {partition} does not follow from those before it",
            )
