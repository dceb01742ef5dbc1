"""Whether confidence keeps its word on the live stream, against labels as they become knowable.

The ex-post rule names the regime of a bar 125 bars later. Every ``JUDGED_EVERY`` bars of an instrument
the bars that have become knowable are held against what the detector said of them then: right or
wrong, at which confidence. The last 500 of them give the calibration error: the mean distance of mean
confidence from the share that was right, over the five levels, weighted by how many bars each holds.
Bars that the rule or the detector left undetermined are not judged. Labels this young are provisional:
the rule's slow scale reaches 250 bars ahead.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.maths.arrays import ArrayState, Floats, Ints
from quarterdeck.regime.core.labels import LAG_BARS, LEAD_BARS, label_kernel
from quarterdeck.regime.core.levels import CONFIDENCE_CUTS

JUDGED_BARS: Final = 500
"""How many judged bars the error is taken over."""

LEAST_JUDGED: Final = 250
"""Fewer judged bars than this give no error."""

JUDGED_EVERY: Final = 50
"""How many bars of an instrument become knowable before they are judged, to spread the work."""

JUDGED_AT_ONCE: Final = 20
"""Instruments judged in one slice at most; the others wait for the next."""

_CLOSES: Final = 640
_SAID: Final = 256
_LEVELS: Final = len(CONFIDENCE_CUTS) + 1


class CalibrationState(ArrayState):
    """What is remembered of each of ``n`` instruments.

    ``bars`` seen and ``known`` judged so far; ``log_close`` (n, 640) and ``said`` (n, 256, 2), the label
    and the confidence, are rings by bar number; ``verdict`` (n, 500, 2), confidence and right or wrong,
    is a ring by ``verdicts``.
    """

    __slots__ = ("bars", "known", "log_close", "said", "verdict", "verdicts")

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.known: Ints = np.zeros(n, dtype=np.int64)
        self.log_close: Floats = np.zeros((n, _CLOSES))
        self.said: Floats = np.full((n, _SAID, 2), np.nan)
        self.verdict: Floats = np.full((n, JUDGED_BARS, 2), np.nan)
        self.verdicts: Ints = np.zeros(n, dtype=np.int64)


class Calibration(NamedTuple):
    """How one instrument's confidence has held over its last judged bars.

    ``judged`` counts them; ``share``, ``confidence`` and ``right`` (5,) are by level, NaN where a level
    has none; ``error`` is ``None`` below ``LEAST_JUDGED``.
    """

    judged: int
    share: Floats
    confidence: Floats
    right: Floats
    error: float | None


def remember(
    state: CalibrationState, rows: Ints, *, close: Floats, labels: Ints, confidence: Floats
) -> None:
    """Note one slice: what was said of each instrument in ``rows``, and judge those that are due.

    Parameters
    ----------
    state : CalibrationState
        Changed at ``rows`` only.
    rows : ndarray of shape (m,), int64
        Strictly increasing instrument indices.
    close : ndarray of shape (m,), float64
        Closes, finite and positive.
    labels, confidence : ndarray of shape (m,)
        What the detector says; a label that is no regime is never judged.
    """
    for place, row in enumerate(rows.tolist()):
        bar = int(state.bars[row])
        state.log_close[row, bar % _CLOSES] = np.log(close[place])
        state.said[row, bar % _SAID] = (labels[place], confidence[place])
        state.bars[row] = bar + 1
    waiting = state.bars - LAG_BARS - np.maximum(state.known, LEAD_BARS)
    due = np.flatnonzero(waiting >= JUDGED_EVERY)
    for row in due[np.argsort(-waiting[due], kind="stable")][:JUDGED_AT_ONCE].tolist():
        _judge(state, row)


def _judge(state: CalibrationState, row: int) -> None:
    bars = int(state.bars[row])
    first = max(bars - _CLOSES, 0)
    path = state.log_close[row, np.arange(first, bars) % _CLOSES]
    labels = np.empty(path.size, dtype=np.int64)
    label_kernel(np.ascontiguousarray(path), LEAD_BARS, LAG_BARS, labels)
    begin = max(int(state.known[row]), bars - _SAID, first + LEAD_BARS)
    for bar in range(begin, bars - LAG_BARS):
        truth, (said, confidence) = labels[bar - first], state.said[row, bar % _SAID]
        if 0 <= truth < 8 and 0 <= said < 8:
            at = int(state.verdicts[row]) % JUDGED_BARS
            state.verdict[row, at] = (confidence, float(said == truth))
            state.verdicts[row] += 1
    state.known[row] = bars - LAG_BARS


def calibration_of(state: CalibrationState, row: int) -> Calibration:
    """Return how the confidence of instrument ``row`` has held."""
    count = min(int(state.verdicts[row]), JUDGED_BARS)
    confidence, right = state.verdict[row, :count].T
    level = np.digitize(confidence, CONFIDENCE_CUTS)
    number = np.bincount(level, minlength=_LEVELS).astype(np.float64)
    # Summed one after the other: numpy's own sums depend on the processor in the last bit.
    sure, hits = np.zeros(_LEVELS), np.zeros(_LEVELS)
    np.add.at(sure, level, confidence)
    np.add.at(hits, level, right)
    some = np.where(number > 0, number, np.nan)
    error = None
    if count >= LEAST_JUDGED:
        error = float(sum(abs(a - b) for a, b in zip(sure.tolist(), hits.tolist(), strict=True)))
        error /= count
    return Calibration(count, number / max(count, 1), sure / some, hits / some, error)
