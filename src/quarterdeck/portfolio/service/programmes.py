"""Mandates and rebalances as they are kept; every change is written in the step that makes it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.portfolio.core.programme import Leg, Rebalance
from quarterdeck.portfolio.model import RebalanceMoved, SetMandate, TargetFound
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

PARTITION = "portfolio"
RECENT = 200
"""Rebalances that are remembered once they have ended; older ones are in the database."""


class Charge(msgspec.Struct):
    """A mandate, who gave it, and what its triggers count from.

    ``since`` is the close at which a trigger last came to something, ``sessions`` the UTC days with
    a bar after it and ``session`` the last of them; ``capital`` was paid in by then, in money units.
    ``target`` is what was found last within its limits.
    """

    mandate: SetMandate
    set_by: AgentId
    set_at: Nanos
    since: Nanos
    session: int
    sessions: int = 0
    capital: int = 0
    held: str | None = None
    last: str | None = None
    last_at: Nanos | None = None
    target: TargetFound | None = None


@dataclass(slots=True)
class Programmes:
    """Mandates by name, rebalances by identity, and whose order is whose."""

    charges: dict[str, Charge] = field(default_factory=dict)
    rebalances: dict[str, Rebalance] = field(default_factory=dict)
    number: int = 0
    owners: dict[str, tuple[Rebalance, Leg]] = field(default_factory=dict, compare=False)

    def load(self, reader: Reader) -> None:
        """Take everything up where the database left it."""
        self.charges = {
            str(row["name"]): msgspec.json.decode(row["charge"], type=Charge)
            for row in reader.rows("portfolio.charges")
        }
        self.number = int(reader.rows("portfolio.last_rebalance")[0]["number"])
        self.rebalances, self.owners = {}, {}
        for row in reader.rows("portfolio.recent_rebalances", after=self.number - RECENT):
            self._keep(msgspec.json.decode(row["rebalance"], type=Rebalance))

    def live(self, mandate: str) -> Rebalance | None:
        """Return the mandate's rebalance that has not ended, if there is one."""
        for rebalance in reversed(self.rebalances.values()):
            if rebalance.mandate == mandate and not rebalance.status.final:
                return rebalance
        return None

    def alive(self) -> list[Rebalance]:
        """Return the rebalances that have not ended, oldest first."""
        return [each for each in self.rebalances.values() if not each.status.final]

    def charge(self, name: str) -> Charge:
        """Return the mandate of that name, or refuse."""
        if name not in self.charges:
            raise NotFound(
                f"no mandate {name[:64]!r}",
                field="name",
                value=name[:64],
                accepted=", ".join(sorted(self.charges)) or "no mandate is set yet",
            )
        return self.charges[name]

    def find(self, rebalance_id: str) -> Rebalance:
        """Return the rebalance of that identity if it is still remembered, or refuse."""
        if rebalance_id not in self.rebalances:
            raise unknown(rebalance_id)
        return self.rebalances[rebalance_id]

    def add(self, rebalance: Rebalance, step: Step) -> None:
        """Take a new rebalance up; numbers ascend by one."""
        self.number = rebalance.number
        self.save(rebalance, step)
        self.tell(rebalance, step)

    def save(self, rebalance: Rebalance, step: Step) -> None:
        """Write a rebalance as it now stands."""
        self._keep(rebalance)
        step.write(
            "portfolio.rebalance_saved",
            number=rebalance.number,
            rebalance_id=rebalance.rebalance_id,
            mandate=rebalance.mandate,
            status=rebalance.status.value,
            rebalance=msgspec.json.encode(rebalance),
        )

    def save_charge(self, charge: Charge, step: Step) -> None:
        """Write a mandate as it now stands."""
        name = charge.mandate.name
        step.write("portfolio.charge_saved", name=name, charge=msgspec.json.encode(charge))

    def tell(self, rebalance: Rebalance, step: Step) -> None:
        """Say and record that a rebalance has passed to another status."""
        step.say(
            RebalanceMoved(
                at=step.at,
                slice=step.slice,
                rebalance_id=rebalance.rebalance_id,
                mandate=rebalance.mandate,
                agent=rebalance.agent,
                status=rebalance.status,
                trigger=rebalance.trigger,
                trades=len(rebalance.legs),
                turnover=rebalance.plan.turnover,
                reason=rebalance.reason,
            )
        )
        step.record(
            PARTITION,
            f"rebalance_{rebalance.status.value}",
            rebalance_id=rebalance.rebalance_id,
            mandate=rebalance.mandate,
            agent=rebalance.agent,
            trigger=rebalance.trigger,
            mode=rebalance.mode.value,
            slice=step.slice,
            reason=rebalance.reason,
            legs=[
                {
                    "symbol": leg.symbol,
                    "side": leg.side.value,
                    "planned_units": leg.planned,
                    "filled_units": leg.filled,
                }
                for leg in rebalance.legs
            ],
        )

    def _keep(self, rebalance: Rebalance) -> None:
        self.rebalances[rebalance.rebalance_id] = rebalance
        for leg in rebalance.legs:
            for order in leg.orders:
                self.owners[order] = (rebalance, leg)
        # At most one of each mandate has not ended, so nearly all that is this old has.
        for old in [each for each in self.rebalances.values() if self._past(each)]:
            del self.rebalances[old.rebalance_id]
            for leg in old.legs:
                for order in leg.orders:
                    self.owners.pop(order, None)

    def _past(self, rebalance: Rebalance) -> bool:
        return rebalance.status.final and rebalance.number <= self.number - RECENT


def unknown(rebalance_id: str) -> NotFound:
    """Return the refusal of an identity that is no rebalance's."""
    return NotFound(
        "no such rebalance among the recent ones",
        field="rebalance_id",
        value=rebalance_id[:64],
        accepted="the rebalance_id of a rebalance, as the list shows it",
    )
