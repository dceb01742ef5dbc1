"""Confidence in a decoded regime and its five levels.

Confidence is the head's probability of the decoded regime at this bar, for regimes as frequent as
they were in training. It is calibrated: of the bars called with 0.7 about seven in ten get that regime
from the ex-post label rule, where that rule names one at all. docs/reference/regimes.md shows how well
that holds on data the head never saw, and the deck watches it on its own stream.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import ConfidenceLevel
from quarterdeck.maths.arrays import Floats

CONFIDENCE_CUTS: Final = (0.35, 0.50, 0.65, 0.80)
"""A confidence at or above a cut belongs to the level above it."""

_LEVELS: Final = tuple(ConfidenceLevel)


def confidence_of(label: int, shares: Floats) -> float:
    """Return the confidence in a decoded label.

    Parameters
    ----------
    label : int
        0..7 a regime, 8 undetermined.
    shares : ndarray of shape (8,), float64
        The calibrated probabilities of the same bar.

    Returns
    -------
    float
        In [0, 1]. For a regime its probability; for "undetermined" the largest one,
        that is how much the best regime would have had.

    Raises
    ------
    InvalidInput
        If ``label`` is none of them (-1, "not enough data", has no confidence).
    """
    if not 0 <= label <= shares.size:
        raise InvalidInput.of("label", label, f"0 to {shares.size}")
    return float(shares.max() if label == shares.size else shares[label])


def level_of(confidence: float) -> ConfidenceLevel:
    """Return the level of a confidence in [0, 1].

    Below 0.35 very low, below 0.50 low, below 0.65 medium, below 0.80 high, else very high.

    Raises
    ------
    InvalidInput
        If ``confidence`` is not in [0, 1].

    Examples
    --------
    >>> level_of(0.5)
    <ConfidenceLevel.MEDIUM: 'medium'>
    """
    if not 0.0 <= confidence <= 1.0:
        raise InvalidInput.of("confidence", confidence, "a number from 0 to 1")
    return _LEVELS[bisect_right(CONFIDENCE_CUTS, confidence)]
