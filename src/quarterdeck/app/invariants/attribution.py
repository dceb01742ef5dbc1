"""Where profit and loss came from adds up to the ledger's, in every way it is told, to the last unit."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.portfolio.service.attributing import GROUPINGS


def attribution_adds_up(now: Moment) -> Verdict:
    """The parts of every agent's profit and loss are its equity less its capital, to the last unit."""
    earned = now.earned()
    for agent in now.shadow.money:
        gained = _gained(now, agent)
        if earned.get(agent, 0) != gained:
            return _wrong(f"{agent}: {earned.get(agent, 0)} of {gained}")
    return None


def parts_add_up(now: Moment) -> Verdict:
    """The effects against the benchmark, trading and cost are the deck's profit, to the last unit."""
    gained = sum(_gained(now, agent) for agent in now.shadow.money)
    parts = now.parts_earned()
    return None if parts == gained else _wrong(f"parts: {parts} of {gained}")


def told_in_every_way(now: Moment) -> Verdict:
    """What people are told by agent, strategy, symbol, sector, regime and factor adds up as well."""
    units = sum(_gained(now, agent) for agent in now.shadow.money)
    gained = from_units(units, MONEY_SCALE)
    for by in GROUPINGS:
        view = now.attributed(by)
        rows = sum((row.net for row in view.rows), Decimal(0))
        parts = sum((row.gain - row.cost for row in view.rows), Decimal(0))
        if not rows == parts == view.net == gained:
            return _wrong(f"by {by}: {rows} of {gained}")
    active = now.against_benchmark()
    effects = sum(
        (
            one.benchmark + one.allocation + one.selection + one.interaction
            for one in active.sectors
        ),
        Decimal(0),
    )
    factors = sum((one.gain for one in active.factors), active.specific)
    for name, held in (("sectors", effects), ("factors", factors)):
        if held + active.trading - active.cost != gained:
            return _wrong(f"by {name}: {held} with {active.trading} less {active.cost} of {gained}")
    return None if active.net == gained else _wrong(f"against: {active.net} of {gained}")


def _gained(now: Moment, agent: str) -> int:
    """Return an agent's equity less its capital by its fills, less what holding has cost it."""
    money = now.shadow.money[agent]
    return now.shadow.equity(money) - money.capital - now.desk.ledger.funding(agent)


def _wrong(text: str) -> Violation:
    return Violation(rule="attribution", text=text)


ADDS_UP = (attribution_adds_up, parts_add_up, told_in_every_way)
