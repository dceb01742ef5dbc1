"""Agents' signals kept as views, what they were worth, and what is expected with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from quarterdeck.execution.model import SignalEnded, SignalStated
from quarterdeck.kernel.vocabulary import SignalStatus
from quarterdeck.market.model import Floats, Ints
from quarterdeck.portfolio.core.convictions import OpenView, Skill, expected, scored, views_of
from quarterdeck.portfolio.core.estimates import black_litterman
from quarterdeck.portfolio.core.sums import product, published
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

SIGNS: Final = {"long": 1.0, "short": -1.0}

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """Open views and what their agents' views were worth, as they were at one instant."""

    views: tuple[OpenView, ...]
    skills: Mapping[str, Skill]

    def mean(self, covariance: Floats, *, prior: Floats) -> Floats:
        """Return what is expected per bar with the views of skilled agents, to 12 digits."""
        views = views_of(self.views, self.skills, covariance)
        found = black_litterman(prior, covariance, views=views)
        return np.array([published(each) for each in found.tolist()])


@dataclass(slots=True)
class Convictions:
    """The newest view of every agent on every instrument, and the one of them that is being measured.

    At most one at a time of an agent on an instrument is measured, so that no stretch of prices counts
    twice; every change is written in its step.
    """

    followed: dict[Key, OpenView] = field(default_factory=dict)
    measured: dict[Key, OpenView] = field(default_factory=dict)
    skills: dict[str, Skill] = field(default_factory=dict)

    def load(self, reader: Reader) -> None:
        """Take everything up where the database left it."""
        for row in reader.rows("portfolio.views"):
            kept = self.measured if row["measured"] else self.followed
            key = (str(row["agent"]), int(row["instrument"]))
            kept[key] = msgspec.json.decode(row["view"], type=OpenView)
        self.skills = {
            str(row["agent"]): msgspec.json.decode(row["skill"], type=Skill)
            for row in reader.rows("portfolio.skills")
        }

    def stated(
        self, signal: SignalStated, step: Step, *, instrument: int, price: int, deviation: float
    ) -> None:
        """Take a signal for a view; one that says nothing of a move takes the one before back."""
        key = (signal.agent, instrument)
        strength = SIGNS.get(signal.direction, 0.0) * signal.strength
        if not (strength and price > 0 and deviation > 0.0):
            self._drop(key, step, measured=False)
            return
        view = OpenView(
            signal_id=signal.signal_id,
            agent=signal.agent,
            instrument=instrument,
            strength=strength,
            slice=step.slice,
            until=signal.expires_slice,
            price=price,
            deviation=deviation,
        )
        self._keep(key, view, step, measured=False)
        if key not in self.measured:
            self._keep(key, view, step, measured=True)

    def ended(self, signal: SignalEnded, step: Step, *, instrument: int) -> None:
        """Follow a view no longer that was taken back; what it was worth is measured all the same."""
        key = (signal.agent, instrument)
        view = self.followed.get(key)
        taken_back = signal.status is SignalStatus.CANCELLED
        if taken_back and view is not None and view.signal_id == signal.signal_id:
            self._drop(key, step, measured=False)

    def close(self, prices: Ints, step: Step) -> None:
        """Measure the views whose horizon ends with this bar."""
        for key in [key for key, view in self.followed.items() if step.slice >= view.until]:
            self._drop(key, step, measured=False)
        for key in [key for key, view in self.measured.items() if step.slice >= view.until]:
            skill = self.skills.setdefault(key[0], Skill())
            scored(skill, self.measured[key], price=int(prices[key[1]]))
            step.write("portfolio.skill_saved", agent=key[0], skill=msgspec.json.encode(skill))
            self._drop(key, step, measured=True)

    def open_views(self) -> list[OpenView]:
        """Return the views that are open, by agent and instrument."""
        return [self.followed[key] for key in sorted(self.followed)]

    def opinions(self) -> Opinions:
        """Return the open views and the skills as they are now; a later step does not change them."""
        skills = {agent: msgspec.structs.replace(skill) for agent, skill in self.skills.items()}
        return Opinions(views=tuple(self.open_views()), skills=skills)

    def mean(self, covariance: Floats, *, prior: Floats) -> Floats:
        """Return what is expected per bar with the views of skilled agents, to 12 digits."""
        return self.opinions().mean(covariance, prior=prior)

    def expected(self, view: OpenView, covariance: Floats) -> float:
        """Return what a view expects per bar under a covariance."""
        return expected(view, float(np.sqrt(covariance[view.instrument, view.instrument])))

    def _keep(self, key: Key, view: OpenView, step: Step, *, measured: bool) -> None:
        (self.measured if measured else self.followed)[key] = view
        step.write(
            "portfolio.view_saved",
            agent=key[0],
            instrument=key[1],
            measured=int(measured),
            view=msgspec.json.encode(view),
        )

    def _drop(self, key: Key, step: Step, *, measured: bool) -> None:
        if (self.measured if measured else self.followed).pop(key, None) is not None:
            step.write(
                "portfolio.view_ended", agent=key[0], instrument=key[1], measured=int(measured)
            )


def balanced(covariance: Floats, *, market: Sequence[float], risk_aversion: float) -> Floats:
    """Return the returns per bar at which the benchmark is the best portfolio, summed in fixed order."""
    return risk_aversion * product(covariance, np.array(market))
