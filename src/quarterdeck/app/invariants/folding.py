"""The fold from the first row, on demand and without a deck: what the rows on disk say of each other."""

from __future__ import annotations

from collections.abc import Iterator

from quarterdeck.app.invariants.books import (
    Rows,
    numbered,
    orders_fit,
    orders_follow_fills,
    tallies_follow_orders,
)
from quarterdeck.app.invariants.rules import Verdict, Violation
from quarterdeck.execution.core.amounts import BASE_CURRENCY
from quarterdeck.runtime.audit import verified
from quarterdeck.runtime.state import Reader

ALL = 2**62
"""A number that no row has: a page up to it holds every row."""


def folded(reader: Reader) -> tuple[Violation, ...]:
    """Return every rule that the rows break, with the first row that does; all rows are read."""
    return tuple(verdict for verdict in _verdicts(reader) if verdict is not None)


def counted(reader: Reader) -> dict[str, int]:
    """Return how many rows were folded, by what they are."""
    rows = dict(reader.rows("execution.last_rows")[0])
    return {"steps": reader.rows("runtime.steps_counted")[0]["steps"], **rows}


def steps_follow(reader: Reader) -> Verdict:
    """Steps are numbered without a gap."""
    found = reader.rows("runtime.steps_counted")[0]
    if found["last"] == found["steps"]:
        return None
    return numbered("step", reader.rows("runtime.step_missing")[0]["number"])


def _verdicts(reader: Reader) -> Iterator[Verdict]:
    whole = {"after": 0, "upto": ALL}
    last = reader.rows("execution.last_rows")[0]
    yield steps_follow(reader)
    fills = sum(row["fills"] for row in reader.rows("execution.fills_folded", **whole))
    yield _gap(reader, "execution_fills", "fill", gap=fills != last["fills"])
    lines = reader.rows("execution.lines_counted", **whole)[0]["lines"]
    yield _gap(reader, "execution_ledger", "line", gap=lines != last["lines"])
    orders = reader.rows("execution.orders_counted", **whole)[0]["orders"]
    yield _gap(reader, "execution_orders", "order", gap=orders != last["orders"])
    yield orders_fit(reader.rows("execution.orders_at_odds", **whole))
    yield orders_follow_fills(reader.rows("execution.orders_unlike_fills"))
    yield tallies_follow_orders(reader.rows("execution.tallies_unlike_orders"))
    yield _entries(reader.rows("execution.unbalanced_entries"))
    yield _accounts(reader)
    for partition, (_, broken) in verified(reader).items():
        if broken is not None:
            yield Violation(
                rule="audit chain",
                text=f"audit: record {broken} of {partition} does not follow from those before it",
            )


def _gap(reader: Reader, table: str, row: str, *, gap: bool) -> Verdict:
    if not gap:
        return None
    return numbered(table, reader.rows(f"execution.{row}_missing", after=0)[0]["number"])


def _entries(rows: Rows) -> Verdict:
    for row in rows:
        text = f"execution_ledger: entry {row['entry']} does not sum to zero in {row['asset']}"
        return Violation(rule="double entry", text=text)
    return None


def _accounts(reader: Reader) -> Verdict:
    for row in reader.rows("execution.positions_unlike_fills"):
        return Violation(
            rule="position is fills",
            text=f"execution_positions: row {row['agent']!r}, {row['instrument']} holds {row['held']}, "
            f"the fills add up to {row['filled']}",
        )
    for row in reader.rows("execution.fees_unlike_fills"):
        return Violation(
            rule="fees are fills",
            text=f"execution_accounts: row {row['agent']!r} has paid {row['fees_units']}, the fills add "
            f"up to {row['fees']}",
        )
    for row in reader.rows("execution.cash_unlike_ledger", currency=BASE_CURRENCY):
        return Violation(
            rule="cash is the ledger",
            text=f"execution_accounts: row {row['agent']!r} has {row['cash_units']}, its ledger lines "
            f"add up to {row['amount']}",
        )
    return None
