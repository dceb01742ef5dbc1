"""Limits by level in the database: what is set, and every change with who, why and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.execution.core.amounts import Contract, Terms, parts_down
from quarterdeck.execution.core.limits import LIMITS, Limit
from quarterdeck.execution.core.limits_book import Level, LimitBook, Pending
from quarterdeck.execution.model import ChangeStatus, LimitRevisionView, Scope
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.config import LimitsSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

LEARNABLE = (
    "trading_state",
    "max_credit_notional",
    "max_stop_distance_ratio",
    "max_account_notional",
)
"""Limits that risk may tighten at a level."""


def book_of(
    limits: LimitsSection, terms: Terms, *, account: str, symbols: Mapping[str, Contract]
) -> LimitBook:
    """Return the limits that the configuration sets; a name, level or value unknown is refused."""
    contracts = tuple(symbols.values())
    clusters = {}
    for entry in limits.clusters:
        for symbol in entry.symbols:
            if symbol not in symbols:
                where = f"limits.clusters {entry.name[:64]}"
                raise InvalidInput.of(where, symbol[:64], ", ".join(symbols))
        clusters[entry.name] = tuple(symbols[symbol].index for symbol in entry.symbols)
    book = LimitBook(clusters)
    for name, value in (
        ("max_missed_bars", terms.missed_bars),
        ("max_order_notional", terms.order_notional),
        ("price_collar_fraction", terms.collar_parts),
        ("max_position_notional", terms.position_notional),
        ("max_gross_exposure_ratio", terms.gross_parts),
        ("max_orders_per_bar", terms.orders_per_bar),
        ("max_daily_loss_fraction", terms.loss_parts),
        (
            "believed_price_tolerance_fraction",
            parts_down(limits.believed_price_tolerance_fraction),
        ),
    ):
        book.put((Scope.DECK, ""), name, value)
    for each in limits.levels:
        limit = limit_named(each.name)
        level = level_of(each.scope, each.subject, book, account=account, symbols=symbols)
        if level == (Scope.DECK, "") and book.value(level, limit.name) is not None:
            accepted = f"once: the deck's is limits.{limit.name}, or set already"
            raise InvalidInput.of("limits.levels name", limit.name, accepted)
        book.put(level, limit.name, limit.parse(each.value, contracts))
    return book


def limit_named(name: str) -> Limit:
    """Return that limit; an unknown name is refused and told which there are."""
    if name not in LIMITS:
        raise InvalidInput.of("name", name[:64], ", ".join(LIMITS))
    return LIMITS[name]


def level_of(
    scope: str, subject: str, book: LimitBook, *, account: str, symbols: Mapping[str, Contract]
) -> Level:
    """Return the level that is named; one that cannot be is refused.

    An agent of any name passes: it may join later.
    """
    if scope not in tuple(Scope):
        raise InvalidInput.of("scope", scope[:64], ", ".join(Scope))
    kind = Scope(scope)
    if kind is Scope.AGENT:
        if not subject or len(subject) > 64:
            raise InvalidInput.of("subject", subject[:64], "the name of an agent")
        return kind, subject
    named: tuple[str, ...]
    match kind:
        case Scope.DECK:
            named = ("",)
        case Scope.ACCOUNT:
            named = (account,)
        case Scope.INSTRUMENT:
            named = tuple(symbols)
        case Scope.CLUSTER:
            named = tuple(book.clusters)
    if subject not in named:
        shown = ", ".join(name or "nothing" for name in named)
        accepted = shown or "none: the configuration names no cluster"
        raise InvalidInput.of("subject", subject[:64], accepted)
    return kind, subject


def read_book(book: LimitBook, reader: Reader, *, contracts: Sequence[Contract]) -> None:
    """Take up what persons have set since the run began, and what waits for confirmation."""
    for row in reader.rows("execution.levels"):
        limit, text = LIMITS[row["name"]], row["value"]
        value = None if text is None else limit.parse(text, contracts)
        book.put((Scope(row["scope"]), row["subject"]), limit.name, value)
    for row in reader.rows("execution.learned_levels"):
        limits = {name: row[name] for name in LEARNABLE if row[name] is not None}
        book.learn((Scope(row["scope"]), row["subject"]), limits)
        if row["position_share_parts"] is not None:
            book.shares[row["subject"]] = row["position_share_parts"]
    for row in reader.rows("execution.limit_set"):
        book.version, book.changes = row["version"], row["changes"]
    book.pending = {}
    for row in reader.rows("execution.pending_changes"):
        limit, text = LIMITS[row["name"]], row["value"]
        book.pending[row["number"]] = Pending(
            change=row["number"],
            scope=Scope(row["scope"]),
            subject=row["subject"],
            name=limit.name,
            value=None if text is None else limit.parse(text, contracts),
            previous=None if row["previous"] is None else limit.parse(row["previous"], contracts),
            by=AgentId(row["actor"]),
            reason=row["reason"],
            machine_at=Nanos(row["machine_at"]),
        )


def write_version(step: Step, book: LimitBook) -> None:
    """Write the version of the limit set and the number of the last change."""
    step.write("execution.limit_set_saved", version=book.version, changes=book.changes)


def write_learned(
    step: Step, level: Level, limits: Mapping[str, int], *, share: int | None
) -> None:
    """Write what risk has set at a level, and an agent's share of learned position limits.

    What it has not set is lifted.
    """
    scope, subject = level
    step.write(
        "execution.learned_level_saved",
        scope=scope.value,
        subject=subject,
        at=step.at,
        position_share_parts=share,
        **{name: limits.get(name) for name in LEARNABLE},
    )


def write_level(step: Step, level: Level, *, name: str, value: str | None) -> None:
    """Write what is set at a level; ``None`` says that it was removed."""
    scope, subject = level
    step.write("execution.level_saved", scope=scope.value, subject=subject, name=name, value=value)


def write_change(step: Step, view: LimitRevisionView) -> None:
    """Write a change, in force or waiting."""
    step.write(
        "execution.change_saved",
        number=view.change,
        status=view.status.value,
        version=view.version,
        scope=view.scope.value,
        subject=view.subject,
        name=view.name,
        value=view.value,
        previous=view.previous,
        actor=view.by,
        reason=view.reason,
        confirmed_by=view.confirmed_by,
        at=step.at,
        machine_at=step.machine_at,
    )


def amend_change(step: Step, view: LimitRevisionView) -> None:
    """Write what has become of a change that waited."""
    step.write(
        "execution.change_amended",
        number=view.change,
        status=view.status.value,
        version=view.version,
        confirmed_by=view.confirmed_by,
    )


def change_view(row: Mapping[str, Any]) -> LimitRevisionView:
    """Return the change in ``row``."""
    return LimitRevisionView(
        change=row["number"],
        status=ChangeStatus(row["status"]),
        version=row["version"],
        scope=Scope(row["scope"]),
        subject=row["subject"],
        name=row["name"],
        value=row["value"],
        previous=row["previous"],
        by=AgentId(row["actor"]),
        reason=row["reason"],
        confirmed_by=None if row["confirmed_by"] is None else AgentId(row["confirmed_by"]),
        at=rfc3339(Nanos(row["at"])),
        next=None,
    )
