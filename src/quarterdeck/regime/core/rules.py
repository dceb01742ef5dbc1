"""From features to evidence for the eight regimes, by conditions a trader would recognise.

A rule says that a regime wants a feature above (positive width) or below (negative width) a centre.
With ``z = (feature - centre) / width`` it is worth ``hinge(z) = (z - sqrt(z*z + 1)) / 2``: about 0
where it holds well, -1/2 at the centre, about ``z`` where it fails. The evidence for a regime is
``exp(sum of weight * hinge)``, in (0, 1]; the shares are the eight evidences divided by their sum.
Every regime's weights sum to ``TOTAL_WEIGHT``, so none is favoured by having more rules.

trending_up     risen over 60 and 20 bars along a straight path, buyers ahead, near its high
trending_down   the mirror image, volatility allowed to rise
ranging         no net move over 60 or 20 bars, no straight path, weak ADX, ordinary volatility
volatile        20-bar volatility and bar ranges well above their norm of a year
low_volatility  20-bar volatility and bar ranges well below their norm, narrow bands
breakout        has left a narrow, directionless 40-bar base upwards and stays outside
breakdown       has left such a base downwards and stays outside
recovery        a deep fall within half a year, the low some bars behind, part of it regained

The rules describe the path so far; they do not forecast direction. Centres and weights were set by
hand; they are not fitted to any return.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.features import FEATURES

REGIME_COUNT: Final = len(REGIMES) - 1
"""The regimes that have evidence: all but ``undetermined``."""

TOTAL_WEIGHT: Final = 4.0
"""Sum of the weights of every regime's rules; larger makes the shares sharper."""


class Rule(NamedTuple):
    """One condition: ``regime`` wants ``feature`` on one side of ``centre``.

    ``width`` is the softness of the edge in the feature's unit, negative for "below"; ``weight`` is
    its importance among the rules of the regime.
    """

    regime: Regime
    feature: str
    centre: float
    width: float
    weight: float


RULES: Final = (
    Rule(Regime.TRENDING_UP, "trend_60", 0.6, 0.25, 1.0),
    Rule(Regime.TRENDING_UP, "path_corr_40", 0.4, 0.20, 1.0),
    Rule(Regime.TRENDING_UP, "trend_20", 0.1, 0.40, 0.6),
    Rule(Regime.TRENDING_UP, "di_balance", 0.0, 0.15, 0.4),
    Rule(Regime.TRENDING_UP, "drawdown_120", 0.4, -0.15, 0.5),
    Rule(Regime.TRENDING_UP, "vol_20", 0.25, -0.15, 0.5),
    Rule(Regime.TRENDING_DOWN, "trend_60", -0.6, -0.25, 1.0),
    Rule(Regime.TRENDING_DOWN, "path_corr_40", -0.4, -0.20, 1.0),
    Rule(Regime.TRENDING_DOWN, "trend_20", -0.1, -0.40, 0.6),
    Rule(Regime.TRENDING_DOWN, "di_balance", 0.0, -0.15, 0.4),
    Rule(Regime.TRENDING_DOWN, "runup_120", 0.4, -0.15, 0.5),
    Rule(Regime.TRENDING_DOWN, "vol_20", 0.35, -0.15, 0.5),
    Rule(Regime.RANGING, "trend_60", 0.6, -0.20, 0.5),
    Rule(Regime.RANGING, "trend_60", -0.6, 0.20, 0.5),
    Rule(Regime.RANGING, "efficiency_20", 0.25, -0.10, 0.5),
    Rule(Regime.RANGING, "efficiency_20", -0.25, 0.10, 0.5),
    Rule(Regime.RANGING, "path_corr_40", 0.5, -0.15, 0.5),
    Rule(Regime.RANGING, "path_corr_40", -0.5, 0.15, 0.5),
    Rule(Regime.RANGING, "adx", 0.25, -0.05, 0.4),
    Rule(Regime.RANGING, "vol_20", 0.25, -0.12, 0.7),
    Rule(Regime.RANGING, "vol_20", -0.3, 0.12, 0.7),
    Rule(Regime.VOLATILE, "vol_20", 0.28, 0.12, 1.2),
    Rule(Regime.VOLATILE, "range_20", 0.25, 0.12, 0.8),
    Rule(Regime.VOLATILE, "vol_5", 0.10, 0.20, 0.5),
    Rule(Regime.VOLATILE, "efficiency_20", 0.4, -0.15, 0.3),
    Rule(Regime.VOLATILE, "efficiency_20", -0.4, 0.15, 0.3),
    Rule(Regime.LOW_VOLATILITY, "vol_20", -0.35, -0.12, 1.2),
    Rule(Regime.LOW_VOLATILITY, "range_20", -0.30, -0.12, 0.8),
    Rule(Regime.LOW_VOLATILITY, "vol_5", -0.15, -0.20, 0.5),
    Rule(Regime.LOW_VOLATILITY, "band_width", -0.2, -0.25, 0.4),
    Rule(Regime.BREAKOUT, "base_above", 0.7, 0.50, 1.2),
    Rule(Regime.BREAKOUT, "base_width", 0.55, -0.15, 0.8),
    Rule(Regime.BREAKOUT, "base_drift", 0.6, -0.15, 0.5),
    Rule(Regime.BREAKOUT, "above_20", -1.5, 0.70, 0.5),
    Rule(Regime.BREAKOUT, "rsi", 0.15, 0.10, 0.4),
    Rule(Regime.BREAKDOWN, "base_below", 0.7, 0.50, 1.2),
    Rule(Regime.BREAKDOWN, "base_width", 0.55, -0.15, 0.8),
    Rule(Regime.BREAKDOWN, "base_drift", 0.6, -0.15, 0.5),
    Rule(Regime.BREAKDOWN, "below_20", -1.5, 0.70, 0.5),
    Rule(Regime.BREAKDOWN, "rsi", -0.15, -0.10, 0.4),
    Rule(Regime.RECOVERY, "trough_depth", 1.4, 0.30, 1.2),
    Rule(Regime.RECOVERY, "regained", 0.25, 0.10, 0.9),
    Rule(Regime.RECOVERY, "regained", 0.9, -0.10, 0.4),
    Rule(Regime.RECOVERY, "since_trough", 0.07, 0.03, 0.5),
    Rule(Regime.RECOVERY, "trend_20", 0.3, 0.30, 0.6),
    Rule(Regime.RECOVERY, "macd_hist", 0.0, 0.15, 0.3),
)
"""The whole rule book."""


class RuleTable(NamedTuple):
    """The rule book as arrays of one row per rule; weights scaled to ``TOTAL_WEIGHT``."""

    regime: Ints
    feature: Ints
    centre: Floats
    width: Floats
    weight: Floats


@cache
def rule_table() -> RuleTable:
    """Return the rule book as arrays; it never changes, so it is made once."""
    regime = np.array([REGIMES.index(rule.regime) for rule in RULES], dtype=np.int64)
    weight = np.array([rule.weight for rule in RULES])
    totals = np.bincount(regime, weights=weight, minlength=REGIME_COUNT)
    return RuleTable(
        regime=regime,
        feature=np.array([FEATURES.index(rule.feature) for rule in RULES], dtype=np.int64),
        centre=np.array([rule.centre for rule in RULES]),
        width=np.array([rule.width for rule in RULES]),
        weight=weight * TOTAL_WEIGHT / totals[regime],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def evidence_kernel(
    rows: Ints,
    features: Floats,
    regime: Ints,
    feature: Ints,
    centre: Floats,
    width: Floats,
    weight: Floats,
    shares: Floats,
) -> None:
    """Write the evidence shares of one slice.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Instrument indices to write.
    features : ndarray of shape (n, len(FEATURES)), float64
        A NaN row gives a NaN row of shares.
    regime, feature, centre, width, weight : ndarray of shape (rules,)
        The rule table.
    shares : ndarray of shape (n, 8), float64
        Written at ``rows``: each in [0, 1], summing to 1, or all NaN. Where the scale is 0 (every
        feature 0 by definition) all eight are 1/8: no regime can be told from another.
    """
    regimes = shares.shape[1]
    for i in range(rows.size):
        row = rows[i]
        measured = False
        for k in range(features.shape[1]):
            measured = measured or features[row, k] != 0.0
        for k in range(regimes):
            shares[row, k] = 0.0
        if measured:
            for j in range(regime.size):
                z = (features[row, feature[j]] - centre[j]) / width[j]
                shares[row, regime[j]] += weight[j] * 0.5 * (z - np.sqrt(z * z + 1.0))
        largest = shares[row, 0]
        for k in range(1, regimes):
            largest = max(largest, shares[row, k])
        total = 0.0
        for k in range(regimes):
            shares[row, k] = np.exp(shares[row, k] - largest)
            total += shares[row, k]
        for k in range(regimes):
            shares[row, k] /= total


def contributions(features: Floats, winner: int) -> tuple[Ints, Floats]:
    """Rank the features by how much each speaks for one regime against all others.

    Parameters
    ----------
    features : ndarray of shape (len(FEATURES),), float64
        One finite feature row.
    winner : int
        Index of the regime, 0..7.

    Returns
    -------
    order : ndarray of int64
        Indices into ``FEATURES``, most telling first; only features that some rule reads.
    amount : ndarray of float64
        Log share of ``winner`` with all rules minus without the rules that read that feature
        (those rules then count as held at their centre). Positive speaks for the regime. Equal
        amounts keep the order of ``FEATURES``.

    Raises
    ------
    NotEnoughData
        If the row is NaN.
    InvalidInput
        If ``winner`` is not a regime with evidence.
    """
    if not 0 <= winner < REGIME_COUNT:
        raise InvalidInput.of("winner", winner, f"0 to {REGIME_COUNT - 1}")
    if np.isnan(features).any():
        raise NotEnoughData("regime features", have=0, need=1)
    table = rule_table()
    z = (features[table.feature] - table.centre) / table.width
    worth = table.weight * 0.5 * (z - np.sqrt(z * z + 1.0))
    read = np.unique(table.feature)
    without = np.where(table.feature == read[:, None], -0.5 * table.weight, worth)
    full = _log_share(worth[None, :], table.regime, winner)
    amount = full - _log_share(without, table.regime, winner)
    order = np.argsort(-amount, kind="stable")
    return read[order], amount[order]


def _log_share(worth: Floats, regime: Ints, winner: int) -> Floats:
    # Summed rule by rule, and with the C library's exponential: the matrix product and numpy's own
    # exponential give other last bits on other processors, and shares are recorded.
    scores = np.zeros((worth.shape[0], REGIME_COUNT))
    for rule, speaks_for in enumerate(regime.tolist()):
        scores[:, speaks_for] += worth[:, rule]
    scores -= scores.max(axis=1, keepdims=True)
    return np.array(
        [line[winner] - math.log(math.fsum(map(math.exp, line))) for line in scores.tolist()]
    )
