"""What a history of regimes amounts to: its spans, how often each came, how long, and what followed."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from quarterdeck.kernel.vocabulary import REGIMES
from quarterdeck.maths.arrays import ArrayState, Floats, Ints


class Span(NamedTuple):
    """Bars ``first`` to ``last``, both included, of one regime."""

    first: int
    last: int
    label: int


class Statistics(NamedTuple):
    """Figures over the nine regimes, in the order of ``REGIMES``.

    ``spans`` (9,) counts; ``frequency`` (9,) the share of bars; ``duration`` (9,) the mean bars of the
    ended spans, NaN where none ended; ``transitions`` (9, 9) the share of changes from a row's regime
    to a column's, NaN in rows of regimes that were never left. The last span has not ended.
    """

    spans: Ints
    frequency: Floats
    duration: Floats
    transitions: Floats


def spans_of(labels: Ints) -> list[Span]:
    """Return the spans of equal labels, oldest first; bars without a label (below 0) are in none.

    Parameters
    ----------
    labels : ndarray of shape (t,), int64
        As the detector writes them.

    Examples
    --------
    >>> spans_of(np.array([-1, 2, 2, 0]))
    [Span(first=1, last=2, label=2), Span(first=3, last=3, label=0)]
    """
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = [0, *edges.tolist(), labels.size]
    return [
        Span(first, end - 1, int(labels[first]))
        for first, end in pairwise(bounds)
        if end > first and labels[first] >= 0
    ]


def statistics_of(spans: list[Span]) -> Statistics:
    """Return the figures of consecutive spans.

    Parameters
    ----------
    spans : list of Span
        As ``spans_of`` returns them; empty gives zeros and NaN.
    """
    count = len(REGIMES)
    number, bars = np.zeros(count, dtype=np.int64), np.zeros(count)
    ended, lasted = np.zeros(count), np.zeros(count)
    followed = np.zeros((count, count))
    for place, span in enumerate(spans):
        length = span.last - span.first + 1
        number[span.label] += 1
        bars[span.label] += length
        if place + 1 < len(spans):
            ended[span.label] += 1
            lasted[span.label] += length
            followed[span.label, spans[place + 1].label] += 1
    return Statistics(
        spans=number,
        frequency=bars / max(bars.sum(), 1.0),
        duration=np.where(ended > 0, lasted / np.maximum(ended, 1.0), np.nan),
        transitions=np.where(
            ended[:, None] > 0, followed / np.maximum(ended, 1.0)[:, None], np.nan
        ),
    )


class HistoryState(ArrayState):
    """The running figures of each of ``n`` instruments, from which ``statistics_now`` is told.

    ``spans``, ``bars``, ``ended`` and ``lasted`` are (n, 9), ``followed`` (n, 9, 9); ``label`` and
    ``length`` are of the present span, -1 and 0 before the first.
    """

    __slots__ = ("bars", "ended", "followed", "label", "lasted", "length", "spans")

    def __init__(self, n: int) -> None:
        count = len(REGIMES)
        self.spans: Ints = np.zeros((n, count), dtype=np.int64)
        self.bars: Ints = np.zeros((n, count), dtype=np.int64)
        self.ended: Ints = np.zeros((n, count), dtype=np.int64)
        self.lasted: Ints = np.zeros((n, count), dtype=np.int64)
        self.followed: Ints = np.zeros((n, count, count), dtype=np.int64)
        self.label: Ints = np.full(n, -1, dtype=np.int64)
        self.length: Ints = np.zeros(n, dtype=np.int64)


def count_slice(state: HistoryState, rows: Ints, labels: Ints) -> None:
    """Count one bar of each instrument in ``rows``; ``labels`` (m,) below 0 are not counted."""
    for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
        if label < 0:
            continue
        before = int(state.label[row])
        if label != before:
            if before >= 0:
                state.ended[row, before] += 1
                state.lasted[row, before] += state.length[row]
                state.followed[row, before, label] += 1
            state.spans[row, label] += 1
            state.label[row], state.length[row] = label, 0
        state.length[row] += 1
        state.bars[row, label] += 1


def statistics_now(state: HistoryState, row: int) -> Statistics:
    """Return the figures of instrument ``row``: those ``statistics_of`` gives for its whole history."""
    ended = state.ended[row].astype(np.float64)
    some = np.where(ended > 0, ended, np.nan)
    return Statistics(
        spans=state.spans[row].copy(),
        frequency=state.bars[row] / max(int(state.bars[row].sum()), 1),
        duration=state.lasted[row] / some,
        transitions=state.followed[row] / some[:, None],
    )
