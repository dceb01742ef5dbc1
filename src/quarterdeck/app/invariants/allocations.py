"""A second book of capital: what was paid in and moved, and what an allocation may move.

An allocation's moves are known by the reason it gives. Which shares are best is asked of it; whether what
was moved leads there, within what was arranged, is added up here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.execution.model import CapitalMoved
from quarterdeck.kernel.messages import Message

ARRANGED = "portfolio.allocation_saved"
REASON = "allocation by "
MEMO = "capital from "
ROUNDING_UNITS = 2
"""What a share may be off by in money units: rounding of the weight's step and of the whole."""
STEP = 1e-9


@dataclass(slots=True)
class AllocationsBook:
    """``capital`` is what every agent was paid in and given; ``standing`` the allocation in force."""

    capital: dict[str, int] = field(default_factory=dict)
    standing: Mapping[str, Any] | None = None
    fresh: list[CapitalMoved] = field(default_factory=list)
    moved: bool = True

    def hear(self, message: Message) -> Verdict:
        """Follow one message; refuse what no allocation in force could have moved."""
        match message:
            case AgentRegistered() if message.agent not in self.capital:
                self.capital[message.agent] = message.capital_units
                self.moved = True
            case CapitalMoved():
                self.capital[message.from_agent] -= message.amount_units
                self.capital[message.to_agent] += message.amount_units
                self.moved = True
                if message.reason.startswith(REASON):
                    self.fresh.append(message)
                    return self._allowed(message)
            case _:
                pass
        return None

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row: what is arranged has changed."""
        if statement == ARRANGED:
            self.standing = _decoded(values["standing"])

    def step_over(self, now: Moment, best: Callable[[], Mapping[str, float]]) -> Verdict:
        """Hold that no capital appeared or vanished, and that an allocation moved towards its shares.

        ``best`` tells the shares that are best now.
        """
        fresh, self.fresh = self.fresh, []
        if not self.moved:
            return None
        self.moved = False
        kept = {str(agent): account.capital for agent, account in now.desk.accounts.items()}
        if kept != self.capital:
            odd = next(a for a in (*kept, *self.capital) if kept.get(a) != self.capital.get(a))
            text = f"{odd}: {kept.get(odd)}, paid in and moved {self.capital.get(odd)}"
            return _wrong("capital is conserved", text)
        return self._towards(now, fresh, best()) if fresh else None

    def _allowed(self, said: CapitalMoved) -> Verdict:
        if self.standing is None:
            return _wrong("allocation in force", f"{said.move_id} by none")
        asked = self.standing["allocation"]
        if asked["mode"] == "advisory":
            return _wrong("allocation in force", f"{said.move_id} by one that is advisory")
        if asked["mode"] == "approval" and said.by == "deck":
            return _wrong("allocation in force", f"{said.move_id} by one that waits for a person")
        if not {said.from_agent, said.to_agent} <= set(asked["agents"]):
            between = f"{said.from_agent} to {said.to_agent}"
            return _wrong("allocation in force", f"{said.move_id} from {between}, not among them")
        return None

    def _towards(
        self, now: Moment, fresh: list[CapitalMoved], best: Mapping[str, float]
    ) -> Verdict:
        """No giver ends below its best share, no taker above it, and nobody is both."""
        assert self.standing is not None
        asked = self.standing["allocation"]
        givers, takers = {m.from_agent for m in fresh}, {m.to_agent for m in fresh}
        if givers & takers:
            return _wrong("allocation moves once", f"{min(givers & takers)} gives and takes")
        worth = {
            agent: now.shadow.equity(now.shadow.money[agent]) - now.desk.ledger.funding(agent)
            for agent in asked["agents"]
        }
        total = sum(worth.values())
        slack = ROUNDING_UNITS + len(worth) + int(total * STEP * len(worth))
        for agent in sorted(givers | takers):
            low, high = asked.get("min_share", 0.0), asked.get("max_share", 1.0)
            if not low - STEP <= best[agent] <= high + STEP:
                return _wrong("allocation bounds", f"{agent}: {best[agent]}, of {low} to {high}")
            if asked.get("max_turnover") is not None or asked.get("max_change") is not None:
                # The best shares within reach are others once something was moved.
                continue
            over = worth[agent] - int(total * best[agent])
            if over < -slack if agent in givers else over > slack:
                text = f"{agent}: {worth[agent]} of {total}, best {best[agent]}"
                return _wrong("allocation moves towards its shares", text)
        return _within_limits(asked, fresh, best, total)


def _within_limits(
    asked: Mapping[str, Any], fresh: list[CapitalMoved], best: Mapping[str, float], total: int
) -> Verdict:
    """Groups have their share; no more changed hands than may, and no share moved further."""
    slack = STEP * len(best)
    for group in asked.get("groups", ()):
        share = sum(best[agent] for agent in group["agents"])
        if not group["low"] - slack <= share <= group["high"] + slack:
            return _wrong("allocation groups", f"{group['name']}: {share}")
    gained: dict[str, int] = {}
    for moved in fresh:
        gained[moved.from_agent] = gained.get(moved.from_agent, 0) - moved.amount_units
        gained[moved.to_agent] = gained.get(moved.to_agent, 0) + moved.amount_units
    reach = ROUNDING_UNITS * len(best) + total * slack
    turned, most = sum(moved.amount_units for moved in fresh), asked.get("max_turnover")
    if most is not None and turned > total * most + reach:
        return _wrong("allocation turnover", f"{turned} of {total}, at most {most}")
    far, most = max(map(abs, gained.values())), asked.get("max_change")
    if most is not None and far > total * most + reach:
        return _wrong("allocation change", f"{far} of {total}, at most {most}")
    return None


def read_allocations(connection: sqlite3.Connection) -> AllocationsBook:
    """Return the book of what is on disk, by SQL of its own."""
    book = AllocationsBook()
    for name, capital in connection.execute("SELECT name, capital_units FROM agents"):
        book.capital[name] = capital
    rows = connection.execute(
        "SELECT account, amount_units FROM execution_ledger WHERE memo LIKE ?", (f"{MEMO}%",)
    )
    for account, amount in rows:
        book.capital[account.split(":")[1]] += amount
    for (standing,) in connection.execute("SELECT standing FROM portfolio_allocation"):
        book.standing = _decoded(standing)
    return book


def _decoded(standing: bytes | None) -> Mapping[str, Any] | None:
    return None if standing is None else msgspec.json.decode(standing)


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)
