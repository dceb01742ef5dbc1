"""The second book as the disk tells it: folded page by page from the first row, then compared.

Fills make each account's money and stakes, ledger lines make the balances, open orders the
reservations. Whoever reads the pages, all at once at a start or one by one while the deck runs, the
folding and the rules are the same, and they are those of the simulation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.app.invariants.rules import (
    IN_FULL,
    Moment,
    Verdict,
    Violation,
    books_agree_with_fills,
)
from quarterdeck.app.invariants.shadow import Job, Money, Shadow, Working

Rows = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Books:
    """What was folded so far; ``fills``, ``lines`` and ``orders`` are the last numbers taken.

    ``cut`` holds the entries whose lines do not sum to zero yet: at the end of a page one may be cut
    in two, at the end of all there is none.
    """

    shadow: Shadow
    fills: int = 0
    lines: int = 0
    orders: int = 0
    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    cut: dict[tuple[str, str], int] = field(default_factory=dict)

    def take_fills(self, rows: Rows, *, upto: int) -> int:
        """Add up the fills of a page, summed by agent, instrument and side; return how many."""
        shadow, taken = self.shadow, 0
        for row in rows:
            money = shadow.money.setdefault(row["agent"], Money(0, 0))
            sign = 1 if row["side"] == "buy" else -1
            instrument = row["instrument"]
            value = row["value"] * shadow.contracts[instrument].unit_value
            money.cash -= sign * value + row["fees"]
            money.fees += row["fees"]
            money.realised += row["realised"]
            held = money.held.get(instrument, 0) + sign * row["quantity"]
            if held:
                money.held[instrument] = held
            else:
                money.held.pop(instrument, None)
            taken += row["fills"]
        self.fills = upto
        return taken

    def take_lines(self, rows: Rows, *, unbalanced: Rows, upto: int) -> int:
        """Add up the lines of a page, summed by account and asset; return how many."""
        taken = 0
        for row in rows:
            key = (row["account"], row["asset"])
            self.balances[key] = self.balances.get(key, 0) + row["amount"]
            taken += row["lines"]
        for row in unbalanced:
            key = (row["entry"], row["asset"])
            self.cut[key] = self.cut.get(key, 0) + row["amount"]
            if not self.cut[key]:
                del self.cut[key]
        self.lines = upto
        return taken

    def take_capital(self, accounts: Rows) -> None:
        """Give every agent its capital."""
        for row in accounts:
            money = self.shadow.money.setdefault(row["agent"], Money(0, 0))
            money.cash += row["capital_units"] - money.capital
            money.capital = row["capital_units"]

    def take_open_orders(self, rows: Rows) -> None:
        """Take up a page of the orders that are not final."""
        for row in rows:
            self.shadow.working[row["order_id"]] = Working(
                row["agent"],
                row["instrument"],
                row["side"] == "buy",
                row["quantity"],
                row["limit_units"],
                row["worst_units"],
                row["slice"],
                row["stop_units"],
                bool(row["reduce_only"]),
                row["time_in_force"] == "fok",
                parent=row["parent_id"],
                held=row["status"] == "held",
            )

    def take_open_tasks(self, rows: Rows) -> None:
        """Take up a page of the tasks that have not ended."""
        for row in rows:
            self.shadow.jobs[row["number"]] = Job(
                row["task_id"], row["state"], None, 0, 0, None, (), "fail"
            )


def numbered(table: str, missing: int) -> Violation:
    """Return what to say of a row that is not there although later ones are."""
    return Violation(rule="no row is lost", text=f"{table}: row {missing} is missing")


def orders_fit(rows: Rows) -> Verdict:
    """An order's state, its fills and its end say the same."""
    for row in rows:
        return Violation(
            rule="order states",
            text=f"execution_orders: row {row['number']} ({row['order_id']}) is {row['status']} "
            f"with {row['filled_units']} of {row['quantity_units']} filled and final_at "
            f"{row['final_at']}",
        )
    return None


def orders_follow_fills(rows: Rows) -> Verdict:
    """An order has filled what its fills add up to."""
    for row in rows:
        return Violation(
            rule="orders are fills",
            text=f"execution_orders: row {row['number']} ({row['order_id']}) has filled "
            f"{row['filled_units']}, its fills in execution_fills add up to {row['quantity']}",
        )
    return None


def tallies_follow_orders(rows: Rows) -> Verdict:
    """As many orders were refused and filled as were counted."""
    for row in rows:
        return Violation(
            rule="tallies are orders",
            text=f"execution_tallies: row {row['agent']!r} counts {row['refused']} refused and "
            f"{row['filled']} filled, execution_orders holds {row['refused_orders']} and "
            f"{row['filled_orders']}",
        )
    return None


def entries_are_whole(books: Books) -> Verdict:
    """Once every line was taken, every entry sums to zero."""
    for (entry, asset), amount in books.cut.items():
        return Violation(
            rule="double entry",
            text=f"execution_ledger: entry {entry} has {amount} {asset} too much",
        )
    return None


def ledger_is_its_lines(books: Books, now: Moment) -> Verdict:
    """Memory holds the balances that the lines on disk add up to."""
    live = now.desk.ledger.balances
    if live != books.balances:
        odd = min(key for key in live | books.balances if live.get(key) != books.balances.get(key))
        return Violation(
            rule="ledger is its lines",
            text=f"{odd[0]}: {live.get(odd)} {odd[1]}, its lines add up to {books.balances.get(odd)}",
        )
    return None


def accounts_exist(now: Moment) -> Verdict:
    """Whoever has money in one of the two books has it in the other."""
    odd = sorted({str(name) for name in now.desk.accounts} ^ set(now.shadow.money))
    return Violation(rule="account", text=f"{odd[0]} is in one book only") if odd else None


def held_in_turn(books: Books, now: Moment) -> Iterator[Verdict]:
    """Yield the verdict of every rule on the whole state; each is a bounded piece of work."""
    yield accounts_exist(now)
    yield entries_are_whole(books)
    yield ledger_is_its_lines(books, now)
    # Agents first: they say whose books are wrong, where the rules on the whole only say that some are.
    for agent in now.desk.accounts:
        if agent in now.shadow.money:
            yield books_agree_with_fills(now, agent)
    for check in IN_FULL:
        yield check(now)
