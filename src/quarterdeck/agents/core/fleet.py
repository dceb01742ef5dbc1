"""The agents as the flat arrays over which the decisions are made."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from quarterdeck.agents.core import matching
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.core.task import Agent, Demand
from quarterdeck.agents.model import AgentState
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import Regime, TaskType
from quarterdeck.maths.arrays import Ints

UNKNOWN_PPM = 750_000
"""What an agent's work is taken to be worth before anything is known of it: it is to be tried."""
MISSED_COST = 2**40
"""What is taken off the score of an agent that is missed: more than any score is."""
TYPES = tuple(TaskType)
MAX_FITS = 4_096
"""For how many demands it is kept in mind whether there is anybody."""


class Fleet:
    """The agents by index: how much each holds and may hold, what its work is worth, who can do what."""

    __slots__ = (
        "_demands", "_fits", "_long", "_stale", "able", "able_from", "index", "known", "may", "policy", "regime", "rooms", "scores",
    )  # fmt: skip

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.regime: Regime | None = None
        self.index: dict[AgentId, int] = {}
        self.known: list[Agent] = []
        self.rooms: Ints = np.zeros((0, 4), dtype=np.int64)
        self.scores: Ints = np.zeros((len(TYPES), 0), dtype=np.int64)
        self.may: Ints = np.zeros((0, 0), dtype=np.int64)
        self.able_from: Ints = np.zeros(1, dtype=np.int64)
        self.able: Ints = np.zeros(0, dtype=np.int64)
        self._demands: dict[Demand, int] = {}
        # Whether there is anybody for a demand, as long as no agent changes.
        self._fits: dict[Demand, bool] = {}
        # How much long work each holds.
        self._long: list[int] = []
        self._stale = False

    def set_agent(self, agent: Agent) -> None:
        """Take up an agent, new or changed."""
        self._fits.clear()
        place = self.index.get(agent.name)
        if place is None:
            place = self.index[agent.name] = len(self.known)
            self.known.append(agent)
            self._long.append(0)
            self.rooms = np.vstack((self.rooms, np.zeros((1, 4), dtype=np.int64)))
            fresh = np.full((len(TYPES), 1), UNKNOWN_PPM, dtype=np.int64)
            self.scores = np.hstack((self.scores, fresh))
        self.known[place] = agent
        self.rooms[place, 1] = self.policy.ordinary_slots(agent.slots)
        self.rooms[place, 2] = agent.slots
        self.hold(agent.name, 0)
        if place == self.may.shape[1]:
            self.may = np.hstack((self.may, np.zeros((len(self.may), 1), dtype=np.int64)))
        for demand, row in self._demands.items():
            self.may[row, place] = self._takes(place, demand)
        self._stale = True

    def hold(self, agent: AgentId, by: int, *, long: bool = False) -> None:
        """Count ``by`` leases more for ``agent``, of ``long`` work or not."""
        place = self.index.get(agent)
        if place is None:
            return
        matching.hold(self.rooms, place, by)
        if self.known[place].missed:
            self.rooms[place, 3] += MISSED_COST
        if long:
            was = self.filled(agent)
            self._long[place] += by
            if self.filled(agent) is not was:
                for demand, row in self._demands.items():
                    if demand.long:
                        self.may[row, place] = self._takes(place, demand)
                self._stale = True

    def filled(self, agent: AgentId) -> bool:
        """Return whether ``agent`` holds as much long work as it takes at one time."""
        place = self.index[agent]
        most = self.known[place].long_slots
        return most is not None and self._long[place] >= most

    def _takes(self, place: int, demand: Demand) -> bool:
        agent = self.known[place]
        ready = agent.state is AgentState.READY and agent.fits(demand)
        return ready and not (demand.long and self.filled(agent.name))

    def miss(self, agent: Agent) -> None:
        """Take up whether ``agent`` is missed, of which nothing else has changed."""
        self.known[self.index[agent.name]] = agent
        self.hold(agent.name, 0)

    def set_score(self, agent: AgentId, kind: TaskType, ppm: int) -> None:
        """Set what a task of ``kind`` is worth in the hands of ``agent``, parts per million."""
        self.scores[TYPES.index(kind), self.index[agent]] = ppm

    def room(self, agent: AgentId) -> tuple[int, int, int]:
        """Return the leases that ``agent`` holds, its slots for ordinary work, and all its slots."""
        held, ordinary, slots, _ = self.rooms[self.index[agent]].tolist()
        return held, ordinary, slots

    def demand(self, demand: Demand) -> int:
        """Return the number of a demand, new or known."""
        row = self._demands.get(demand)
        if row is None:
            row = self._demands[demand] = len(self._demands)
            if row >= len(self.may):
                more = np.zeros((max(8, len(self.may)), len(self.known)), dtype=np.int64)
                self.may = np.vstack((self.may, more))
            self.may[row] = [self._takes(place, demand) for place in range(len(self.known))]
            self._stale = True
        return row

    def keep_only(self, used: Iterable[Demand]) -> None:
        """Forget all demands but ``used``, which get new numbers in their order."""
        self._demands = {}
        self.may = np.zeros((0, len(self.known)), dtype=np.int64)
        for demand in used:
            self.demand(demand)
        self._stale = True

    @property
    def demands(self) -> int:
        """How many demands are kept in mind."""
        return len(self._demands)

    def has_for(self, demand: Demand) -> bool:
        """Return whether there is an agent for ``demand``, at work or not."""
        found = self._fits.get(demand)
        if found is None:
            if len(self._fits) >= MAX_FITS:
                self._fits.clear()
            found = self._fits[demand] = any(agent.fits(demand) for agent in self.known)
        return found

    def refresh(self) -> None:
        """Find out anew who can do what, after an agent or a demand has changed."""
        if not self._stale:
            return
        by_name = np.array(
            sorted(range(len(self.known)), key=lambda place: self.known[place].name),
            dtype=np.int64,
        )
        rows = self.may[: len(self._demands)][:, by_name]
        _, columns = np.nonzero(rows)
        self.able = by_name[columns]
        self.able_from = np.concatenate(([0], np.cumsum(rows.sum(axis=1)))).astype(np.int64)
        self._stale = False

    def able_to(self, demand: Demand) -> Ints:
        """Return the ready agents for a demand, by name."""
        row = self.demand(demand)
        self.refresh()
        return self.able[self.able_from[row] : self.able_from[row + 1]]

    def free(self) -> int:
        """Return how many more ordinary tasks the fleet has room for."""
        return int(np.maximum(self.rooms[:, 1] - self.rooms[:, 0], 0).sum())

    def content(self) -> object:
        """Return all that decides, in an order of its own."""
        return self.regime, sorted(
            (agent.name, agent, self.rooms[place].tolist(), self.scores[:, place].tolist())
            for place, agent in enumerate(self.known)
        )
