"""What agents' views of instruments were worth so far, and what may be expected by those open now.

An agent's signal is taken for a view: over its horizon the instrument is to move by its strength in
units of its own deviation. Once the horizon is over the view is held against what happened, whether it
was followed, taken back or not: an agent cannot choose which of its views count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.portfolio.core.estimates import View

FloatArray = npt.NDArray[np.float64]

NEED: Final = 20
"""Views of an agent that must be over before any of its views is followed."""

SUREST: Final = 0.99
"""Largest confidence: a view of an agent that was never wrong is still a view."""


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    """A view from ``slice`` to ``until``; ``strength`` is negative for a fall.

    ``price`` is the close it was stated at, in price units, ``deviation`` that of a return per bar then.
    """

    signal_id: str
    agent: str
    instrument: int
    strength: float
    slice: int
    until: int
    price: int
    deviation: float

    @property
    def bars(self) -> int:
        """The horizon in bars."""
        return self.until - self.slice


class Skill(msgspec.Struct):
    """Sums over an agent's views that are over: strength x outcome, and the square of either."""

    scored: int = 0
    cross: float = 0.0
    strengths: float = 0.0
    outcomes: float = 0.0

    @property
    def correlation(self) -> float | None:
        """The correlation of strength and outcome about zero; None where either never differed from it.

        References
        ----------
        Grinold & Kahn (2000), Active Portfolio Management, chapter 6: the information coefficient.
        """
        spread = self.strengths * self.outcomes
        return self.cross / math.sqrt(spread) if spread > 0.0 else None

    @property
    def confidence(self) -> float | None:
        """How far to follow the agent, 0 to ``SUREST``; None before ``NEED`` views are over.

        It is the correlation less its standard error without skill, 1 / sqrt(views), so that luck with a
        few views is not taken for skill.

        Examples
        --------
        >>> round(Skill(scored=100, cross=0.3, strengths=1.0, outcomes=1.0).confidence, 9)
        0.2
        >>> Skill(scored=19, cross=1.0, strengths=1.0, outcomes=1.0).confidence is None
        True
        """
        if self.scored < NEED:
            return None
        found = self.correlation
        if found is None:
            return 0.0
        return min(max(found - 1.0 / math.sqrt(self.scored), 0.0), SUREST)


def scored(skill: Skill, view: OpenView, *, price: int) -> None:
    """Hold a view that is over against the present close: outcomes are in deviations of the horizon.

    Examples
    --------
    >>> skill, none = Skill(), dict(signal_id="", agent="a", instrument=0)
    >>> view = OpenView(strength=-0.5, slice=0, until=4, price=100, deviation=0.01, **none)
    >>> scored(skill, view, price=98)
    >>> skill.scored, round(skill.cross, 9), round(skill.outcomes, 9)
    (1, 0.5, 1.0)
    """
    outcome = (price / view.price - 1.0) / (view.deviation * math.sqrt(view.bars))
    skill.scored += 1
    skill.cross += view.strength * outcome
    skill.strengths += view.strength * view.strength
    skill.outcomes += outcome * outcome


def expected(view: OpenView, deviation: float) -> float:
    """Return the return per bar that a view expects of an instrument of that deviation per bar."""
    return view.strength * deviation / math.sqrt(view.bars)


def views_of(
    open_views: Sequence[OpenView], skills: Mapping[str, Skill], covariance: FloatArray
) -> tuple[View, ...]:
    """Return the open views of agents with measured skill, for ``black_litterman``, per bar.

    Examples
    --------
    >>> view = OpenView(
    ...     signal_id="s", agent="a", instrument=1, strength=1.0, slice=0, until=4, price=1, deviation=1.0
    ... )
    >>> good = Skill(scored=100, cross=0.6, strengths=1.0, outcomes=1.0)
    >>> one, = views_of([view], {"a": good}, np.diag([1.0, 4.0]))
    >>> one.exposure.tolist(), one.expected, one.confidence
    ([0.0, 1.0], 1.0, 0.5)
    >>> views_of([view], {}, np.eye(2))
    ()
    """
    found = []
    for view in open_views:
        confidence = skills[view.agent].confidence if view.agent in skills else None
        if not confidence:
            continue
        exposure = np.zeros(covariance.shape[0])
        exposure[view.instrument] = 1.0
        deviation = math.sqrt(float(covariance[view.instrument, view.instrument]))
        found.append(View(exposure, expected(view, deviation), confidence))
    return tuple(found)
