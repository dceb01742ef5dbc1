"""How much of its limits an agent may use: sizing policies weighed by what each would have lost.

Six policies say each bar how much of the human's limit to use. An online mixture follows them: exponential
weights with a fixed share, at three learning rates side by side, which are weighed by their own losses
in turn. The loss of using the share m in a bar that earned g forecast standard deviations is
``-(g m - (gamma / 2) (g m)^2)``, so both what is earned and how wildly counts. The share in force falls
at once, and rises by at most a hundredth a bar and only while the lower confidence bound of what a
larger one would have gained is above zero.

No such policy has been found to raise a Sharpe ratio; what it is for is keeping limits in proportion.

References
----------
Freund & Schapire (1997), J. Computer and System Sciences 55, 119-139; Herbster & Warmuth (1998), Machine
Learning 32, 151-178; van Erven & Koolen (2016), NIPS 29: learning rates that run side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from quarterdeck.risk.core.learning import (
    LEAST,
    MOST,
    RISE,
    learn_bar,
    least_of,
    say_policies,
    see,
    towards,
    utility_of,
    weigh_policies,
)

POLICIES: Final = (
    "full",
    "volatility",
    "condition",
    "volatility and condition",
    "drawdown brake",
    "half",
)
"""The experts, in order."""
RATES: Final = (0.002, 0.01, 0.05)
FIRST: Final = 0.5
"""The share of the human's limits that an agent begins with."""
EVIDENCE_BARS: Final = 60
"""Bars with something held before anything is loosened."""
DOUBT: Final = 20


class Learner(NamedTuple):
    """What was learned of one agent.

    ``logs`` are log weights by rate and policy, ``losses`` what each rate's mixture lost so far,
    ``bars`` those with something held, ``gain`` and ``spread`` the mean and variance of what a larger
    share would have gained, ``held`` the share in force.
    """

    logs: tuple[tuple[float, ...], ...]
    losses: tuple[float, ...]
    bars: int
    gain: float
    spread: float
    held: float


def nothing_learned(experts: int = len(POLICIES)) -> Learner:
    """Return the state before the first bar, of so many policies."""
    first = (0.0,) * experts
    return Learner((first,) * len(RATES), (0.0,) * len(RATES), 0, 0.0, 0.0, FIRST)


def policies(*, volatility: float, condition: float, drawdown: float) -> tuple[float, ...]:
    """Return the share that each policy would use, in [0.25, 1].

    Parameters
    ----------
    volatility : float
        Usual over forecast volatility of what is held, at most 1.
    condition : float
        What the market's condition scales limits by.
    drawdown : float
        Loss from the highest equity, over that.

    Examples
    --------
    >>> policies(volatility=0.8, condition=0.5, drawdown=0.1)
    (1.0, 0.8, 0.5, 0.4, 0.5, 0.5)
    """
    said = np.empty(len(POLICIES))
    say_policies(volatility, condition, drawdown, said)
    return tuple(said.tolist())


def utility(outcome: float, share: float) -> float:
    """Return what a bar is worth at a share of the limits.

    Examples
    --------
    >>> utility(1.0, 1.0), utility(-1.0, 1.0)
    (0.9, -1.1)
    """
    return float(utility_of(outcome, share))


def learned_from(
    learner: Learner, outcome: float, made: Sequence[float], *, rates: Sequence[float] = RATES
) -> Learner:
    """Return the state after a bar in which something was held.

    Parameters
    ----------
    learner : Learner
        Before the bar.
    outcome : float
        Profit over the standard deviation that was forecast for it; not finite is not learned from.
    made : sequence of float
        What each policy had said for the bar.
    rates : sequence of float
        The learning rates that run side by side, the slowest first; the same at every call.
    """
    if not math.isfinite(outcome):
        return learner
    logs, losses = np.array(learner.logs), np.array(learner.losses)
    g = learn_bar(logs, losses, np.array(rates), np.array(made), outcome)
    gain, spread = see(learner.held, learner.bars, learner.gain, learner.spread, g)
    return Learner(
        logs=tuple(map(tuple, logs.tolist())),
        losses=tuple(losses.tolist()),
        bars=learner.bars + 1,
        gain=gain,
        spread=spread,
        held=learner.held,
    )


def mixture(learner: Learner, made: Sequence[float], *, rates: Sequence[float] = RATES) -> float:
    """Return the share that the weighed policies say for the next bar."""
    weights = weights_of(learner, rates=rates)
    mean = 0.0
    for weight, share in zip(weights, made, strict=True):
        # In the kernel's order: what the deck decides and what a whole history says are the same.
        mean += weight * share
    return min(max(mean, LEAST), MOST)


def weights_of(learner: Learner, *, rates: Sequence[float] = RATES) -> tuple[float, ...]:
    """Return what each policy weighs in the mixture; they add up to 1."""
    weights = np.empty(len(learner.logs[0]))
    weigh_policies(np.array(learner.logs), np.array(learner.losses), rates[0], weights)
    return tuple(weights.tolist())


def grounding(orders: int, doubtful: int) -> float:
    """Return what false premises leave of a credit line, in [0.5, 1].

    Twenty orders whose premises held are added, so that the first false one does not halve it.

    Examples
    --------
    >>> grounding(0, 0), grounding(20, 20)
    (1.0, 0.5)
    """
    return max(0.5, 1.0 - doubtful / (orders + DOUBT))


def diversification(pair: tuple[float, float] | None) -> float:
    """Return what a risen correlation leaves of a gross exposure, in [0.5, 1].

    The volatility of many equal positions of mean correlation c is that of one times sqrt(c), nearly;
    so the gross that keeps it is sqrt(usual / now). A correlation at or below zero says nothing.

    Examples
    --------
    >>> diversification((0.64, 0.36)), diversification((0.2, 0.6)), diversification(None)
    (0.75, 1.0, 1.0)
    """
    if pair is None or not min(pair) > 0.0:
        return 1.0
    now, usual = pair
    return min(1.0, max(0.5, math.sqrt(usual / now)))


def least_gain(learner: Learner, *, need: int = EVIDENCE_BARS) -> float | None:
    """Return the lower confidence bound of what a larger share gains a bar; ``None`` before ``need``."""
    least = float(least_of(learner.bars, learner.gain, learner.spread, need))
    return None if learner.bars < need else least


def moved(
    learner: Learner, wanted: float, *, need: int = EVIDENCE_BARS, rise: float = RISE
) -> Learner:
    """Return the state with the share brought towards ``wanted``: down at once, up on evidence.

    ``need`` is how many bars that takes, and ``rise`` the most it then rises by.
    """
    least = least_of(learner.bars, learner.gain, learner.spread, need)
    return learner._replace(held=float(towards(learner.held, wanted, least, rise)))


def explained(
    before: Mapping[str, float] | None, after: Mapping[str, float], total: float
) -> tuple[tuple[str, float], ...]:
    """Return the three largest causes of a change as logarithms that add up, with the rest, to ``total``.

    ``before`` is ``None`` for a first value, which has one cause.

    Examples
    --------
    >>> explained({"equity": 2.0, "share": 1.0}, {"equity": 2.0, "share": 0.5}, -0.6931471805599453)
    (('share', -0.6931471805599453),)
    """
    if before is None:
        return (("first value", total),)
    found = [
        (name, math.log(value / before[name]))
        for name, value in after.items()
        if value > 0.0 and before.get(name, 0.0) > 0.0
    ]
    found.append(("bounds, band and pace", total - math.fsum(change for _, change in found)))
    found.sort(key=lambda one: -abs(one[1]))
    return tuple(one for one in found[:3] if abs(one[1]) > 1e-9) or tuple(found[:1])
