"""What closed trades teach: how large each agent's positions may be, and how far its stops.

The deck learns from the trades of all, and what it has learned holds for every agent that has not
closed ten of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quarterdeck.risk.core.adapt import FIRST
from quarterdeck.risk.core.sizes import RISE, learned, moved_size, outcome_of, parts_of
from quarterdeck.risk.core.stops import MIN_TRADES, Trade, closed, learned_distance, shares_of
from quarterdeck.risk.model import MultiplierTold, RiskScope
from quarterdeck.risk.service.accounts import Account
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.service.multipliers import TOLD_FROM, Multipliers
from quarterdeck.risk.service.stopping import Distances, Wanted
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step

DIGITS: Final = 8
"""As the gate counts parts: a share is the same there to the last digit."""


class Outcomes:
    """Moves sizes and stops of the accounts it is given; keeps nothing of its own but their numbers."""

    def __init__(
        self,
        config: RiskSection,
        *,
        accounts: dict[str, Account],
        capital_units: int,
        multipliers: Multipliers,
        restrain: Callable[[RiskScope, str, Step], None],
    ) -> None:
        self._config = config
        self._accounts = accounts
        self._full_loss = int(config.position_var99_budget_fraction * capital_units)
        self._multipliers = multipliers
        self._restrain = restrain
        self.distances = Distances(config)

    def begin(self, name: str, step: Step, *, in_force: bool) -> None:
        """Give an account that is new what the deck has learned; half of the sizes if that is nothing."""
        self._move_size(name, step, in_force=in_force)
        self._move_stop(name, step, in_force=in_force)

    def learn(
        self, agent: str, trade: Trade, price: float, step: Step, *, in_force: bool
    ) -> set[str]:
        """Learn from a trade that an agent has closed at ``price``; return whose accounts changed."""
        outcome = outcome_of(trade, price)
        taught = [name for name in (DECK, agent) if name in self._accounts]
        for name in taught:
            account = self._accounts[name]
            account.stops = closed(account.stops, trade, price)
            account.sizes = learned(account.sizes, outcome, trade.brake)
        # The deck first: the others may follow it.
        followers = [name for name in sorted(self._accounts) if self._follows(name)]
        found = dict.fromkeys([*taught, *followers])
        told = [name for name in found if self._moved(name, step, in_force=in_force)]
        return {*taught, *told}

    def _follows(self, name: str) -> bool:
        return name != DECK and self._accounts[name].stops.trades < MIN_TRADES

    def _moved(self, name: str, step: Step, *, in_force: bool) -> bool:
        account = self._accounts[name]
        size, stop, held = self._multipliers.position_of(name), account.stop, account.sizes.held
        self._move_size(name, step, in_force=in_force)
        self._move_stop(name, step, in_force=in_force)
        told = (size, stop) != (self._multipliers.position_of(name), account.stop)
        if told and name != DECK:
            self._restrain(RiskScope.AGENT, name, step)
        return told or held != account.sizes.held

    def _move_size(self, name: str, step: Step, *, in_force: bool) -> None:
        account, whose = self._accounts[name], self._source(name)
        sizes, before = account.sizes, self._multipliers.position_of(name)
        if whose is account:
            sizes = moved_size(sizes, account.brake)
        else:
            # Nobody's trades are a reason for more than the deck has; a first value is taken as it is.
            wanted = FIRST if whose is None else whose.sizes.held
            pace = 1.0 if before is None else sizes.held + RISE
            sizes = sizes._replace(held=min(wanted, pace))
        account.sizes = sizes
        value = round(sizes.held, DIGITS)
        if before is not None and abs(value - before) < TOLD_FROM:
            return
        source = whose or account
        parts = {k: round(v, DIGITS) for k, v in parts_of(source.sizes, source.brake).items()}
        said = f"{_learned_by(name, account, own=whose is account)}: positions at {value:.0%} of their limits"
        self._multipliers.position(
            name,
            MultiplierTold(value, parts),
            said if in_force else f"{said}, not in force",
            step,
            loss99=int(value * self._full_loss),
        )

    def _move_stop(self, name: str, step: Step, *, in_force: bool) -> None:
        account, whose = self._accounts[name], self._source(name)
        if whose is None:
            return
        wanted: Wanted | None = None
        if whose is account:
            far = learned_distance(account.stops)
            if far is not None:
                wanted = Wanted(far, shares_of(account.stops))
        elif whose.stop is not None:
            wanted = Wanted(whose.stop.distance, whose.stop.shares)
        if wanted is None:
            return
        account.stop = self.distances.moved(
            account.stop,
            wanted,
            step,
            agent=name,
            trades=account.stops.trades,
            because=_learned_by(name, account, own=whose is account),
            in_force=in_force,
        )

    def _source(self, name: str) -> Account | None:
        """Return the account whose trades count for ``name``: its own or the deck's; ``None`` without any."""
        return self._accounts.get(DECK) if self._follows(name) else self._accounts[name]


def _learned_by(name: str, account: Account, *, own: bool) -> str:
    trades = account.stops.trades
    if name == DECK:
        return f"{trades} closed trades of all agents"
    return (
        f"{trades} closed trades"
        if own
        else f"the deck's, after {trades} of {MIN_TRADES} own trades"
    )
