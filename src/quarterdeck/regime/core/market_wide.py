"""The market as a whole: breadth, dispersion and correlation of many instruments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quarterdeck.kernel.vocabulary import REGIMES
from quarterdeck.maths.arrays import Floats, Ints

DISPERSION_BARS = 20
CORRELATION_BARS = 60


class MarketWide(NamedTuple):
    """Figures over all instruments that have a label.

    ``breadth`` (9,) is the share of them in each regime; ``mean`` (8,) their mean probabilities.
    ``dispersion`` and ``correlation`` are ``None`` where fewer than two instruments have the bars.
    """

    instruments: int
    breadth: Floats
    mean: Floats
    dispersion: float | None
    correlation: float | None


def market_wide(labels: Ints, posterior: Floats, closes: list[Floats]) -> MarketWide:
    """Return the figures of the present slice.

    Parameters
    ----------
    labels : ndarray of shape (n,), int64
        As the detector writes them; below 0 is left out.
    posterior : ndarray of shape (n, 8), float64
        Its probabilities.
    closes : list of n ndarrays, float64
        Log closes of each instrument, oldest first, at most 61 of them.
    """
    known = labels >= 0
    count = int(known.sum())
    breadth = np.bincount(labels[known], minlength=len(REGIMES)) / max(count, 1)
    mean = posterior[known].sum(axis=0) / count if count else np.zeros(posterior.shape[1])
    moves = [c[-1] - c[-1 - DISPERSION_BARS] for c in closes if c.size > DISPERSION_BARS]
    long = [np.diff(c[-1 - CORRELATION_BARS :]) for c in closes if c.size > CORRELATION_BARS]
    moving = [r for r in long if r.std() > 0.0]
    correlation = None
    if len(moving) > 1:
        z = np.stack([(r - r.mean()) / r.std() for r in moving])
        # The variance of a sum of n standardised returns is n + n (n - 1) times their correlation.
        n, variance = len(moving), float((z.sum(axis=0) ** 2).mean())
        correlation = (variance - n) / (n * (n - 1))
    dispersion = float(np.std(moves)) if len(moves) > 1 else None
    return MarketWide(count, breadth, mean, dispersion, correlation)
