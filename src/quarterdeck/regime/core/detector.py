"""The regime detector: features, head and decoder carried one slice at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState, Floats, Ints
from quarterdeck.regime.core.decoder import decode_kernel
from quarterdeck.regime.core.features import (
    FEATURES,
    INDICATOR_COLUMNS,
    MIN_BARS,
    SCALE_ALPHA,
    WINDOW_BARS,
    FeatureState,
    features_kernel,
)
from quarterdeck.regime.core.head import (
    BOUND,
    REGIME_COUNT,
    Head,
    contributions,
    even_head,
    head_kernel,
)
from quarterdeck.regime.core.labels import ex_post_labels

JUMP_PENALTY: Final = 2.0
"""Cost of a change of regime, in natural logarithms of share."""

FLAT_SHARE: Final = 0.35
"""While no share stays above this the detector abstains."""

FLOOR_SHARE: Final = 1e-4
"""The smallest share the decoder counts."""

NOT_ENOUGH_DATA: Final = -1
"""The label before ``MIN_BARS`` bars; ``UNDETERMINED`` is the label of an abstention."""

UNDETERMINED: Final = REGIME_COUNT

_SIZES: Final = (MIN_BARS, WINDOW_BARS, SCALE_ALPHA)


class RegimeState(ArrayState):
    """What the detector remembers of each of ``n`` instruments.

    ``features`` is the last feature row, from which ``contributions`` explains a change; ``costs`` is
    the decoder's; the rest is the ``FeatureState``'s.
    """

    __slots__ = ("bars", "costs", "features", "log_close", "means", "variance", "volume")

    def __init__(self, n: int) -> None:
        windows = FeatureState(n)
        self.bars: Ints = windows.bars
        self.means: Floats = windows.means
        self.log_close: Floats = windows.log_close
        self.variance: Floats = windows.variance
        self.volume: Floats = windows.volume
        self.features: Floats = np.full((n, len(FEATURES)), np.nan)
        self.costs: Floats = np.zeros((n, REGIME_COUNT + 1))


class Bars(NamedTuple):
    """Aligned bars: ``open``, ``high``, ``low``, ``close`` finite and positive; NaN volume is unknown.

    ``variance`` is that of the log price within the bar, from its sub-bars; NaN where there are none.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    variance: Floats


class Found(NamedTuple):
    """What the detector says, one row per instrument or per bar of one history.

    ``labels`` (k,) int64: index into ``REGIMES`` (8 is undetermined), or ``NOT_ENOUGH_DATA``.
    ``posterior`` (k, 8): calibrated probabilities of the regimes at this bar; ``shares`` (k, 8) the same
    for equally frequent regimes, which the decoder reads. NaN where the label is ``NOT_ENOUGH_DATA``.
    """

    labels: Ints
    posterior: Floats
    shares: Floats


def aligned(
    open: Floats,  # noqa: A002 - the four prices keep their market names
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    *,
    variance: Floats | None = None,
) -> Bars:
    """Return bars of shape (m,); without ``variance`` they have no sub-bars."""
    told = np.full(close.shape, np.nan) if variance is None else variance
    return Bars(open, high, low, close, volume, told)


def regime_state(n: int) -> RegimeState:
    """Return the state of ``n`` instruments that have seen no bar yet."""
    return RegimeState(n)


def recent_closes(state: RegimeState, row: int, count: int) -> Floats:
    """Return at most the last ``count`` log closes of an instrument, oldest first; 256 are kept."""
    seen = int(state.bars[row])
    if seen == 0:
        return np.empty(0)
    last = seen - 1
    place = last if last < WINDOW_BARS else WINDOW_BARS + last % WINDOW_BARS
    first = place + 1 - min(count, seen, WINDOW_BARS)
    return state.log_close[row, first : place + 1].copy()


def nothing_found(n: int) -> Found:
    """Return what is known of ``n`` instruments before any bar."""
    labels = np.full(n, NOT_ENOUGH_DATA, dtype=np.int64)
    return Found(labels, *(np.full((n, REGIME_COUNT), np.nan) for _ in range(2)))


def _features(
    state: RegimeState, rows: Ints, targets: Ints, bars: Bars, indicators: Floats, out: Floats
) -> None:
    features_kernel(
        rows,
        targets,
        bars,
        indicators,
        _SIZES,
        state.bars,
        state.means,
        state.log_close,
        state.variance,
        state.volume,
        out,
    )


def update_regimes(
    state: RegimeState,
    rows: Ints,
    bars: Bars,
    indicators: Floats,
    out: Found,
    *,
    head: Head,
    penalty: float = JUMP_PENALTY,
    flat_share: float = FLAT_SHARE,
) -> None:
    """Carry one slice of closed bars into the state and write the regimes of its instruments.

    Parameters
    ----------
    state : RegimeState
        Changed in place, only at ``rows``.
    rows : ndarray of shape (m,), int64
        Strictly increasing dense instrument indices in ``[0, n)``.
    bars : Bars
        Arrays of shape (m,), aligned with ``rows``.
    indicators : ndarray of shape (n, 11), float64
        Market's indicators of this same close, columns ``INDICATOR_COLUMNS``.
    out : Found
        Arrays of n rows, written at ``rows``.
    head : Head
        Where the probabilities come from.
    penalty, flat_share : float
        See ``decode_kernel``.

    Raises
    ------
    InvalidInput
        If ``rows`` are not strictly increasing indices of the state, or a shape does not fit.
        Nothing is changed then.
    """
    n = state.bars.size
    if rows.size and (rows[0] < 0 or rows[-1] >= n or (rows[1:] <= rows[:-1]).any()):
        raise InvalidInput.of("rows", rows, f"strictly increasing indices below {n}")
    if any(column.size != rows.size for column in bars):
        raise InvalidInput.of("bars", bars.close.size, f"{rows.size} values, one per row")
    if indicators.shape != (n, len(INDICATOR_COLUMNS)):
        raise InvalidInput.of("indicators", indicators.shape, f"{(n, len(INDICATOR_COLUMNS))}")
    wide = (n, REGIME_COUNT)
    if out.labels.shape != (n,) or out.posterior.shape != wide or out.shares.shape != wide:
        raise InvalidInput.of("out", out.shares.shape, f"{(n,)} and {wide}")
    _features(state, rows, rows, bars, indicators, state.features)
    head_kernel(rows, state.features, head, BOUND, out.posterior, out.shares)
    decode_kernel(rows, rows, out.shares, penalty, flat_share, FLOOR_SHARE, state.costs, out.labels)


def batch_features(bars: Bars, indicators: Floats) -> Floats:
    """Return the features of one instrument's whole history, by the live kernel itself.

    Parameters
    ----------
    bars : Bars
        Arrays of shape (t,), oldest first.
    indicators : ndarray of shape (t, 11), float64
        Market's indicators of the same bars.

    Returns
    -------
    ndarray of shape (t, len(FEATURES)), float64
        Row ``i`` uses bars up to ``i`` only; NaN before ``MIN_BARS`` bars.
    """
    # A strided column would compile the kernels a second time.
    whole = Bars(*(np.ascontiguousarray(column, dtype=np.float64) for column in bars))
    count = whole.close.size
    out = np.empty((count, len(FEATURES)))
    rows, targets = np.zeros(count, dtype=np.int64), np.arange(count, dtype=np.int64)
    _features(RegimeState(1), rows, targets, whole, np.ascontiguousarray(indicators), out)
    return out


def decode_features(
    features: Floats,
    *,
    head: Head,
    penalty: float = JUMP_PENALTY,
    flat_share: float = FLAT_SHARE,
) -> Found:
    """Return what the head and the decoder make of one history's features.

    Parameters
    ----------
    features : ndarray of shape (t, len(FEATURES)), float64
        As ``batch_features`` returns them.
    head, penalty, flat_share
        See ``update_regimes``.
    """
    count = features.shape[0]
    rows, targets = np.zeros(count, dtype=np.int64), np.arange(count, dtype=np.int64)
    found = nothing_found(count)
    head_kernel(targets, features, head, BOUND, found.posterior, found.shares)
    costs = np.zeros((1, REGIME_COUNT + 1))
    decode_kernel(
        rows, targets, found.shares, penalty, flat_share, FLOOR_SHARE, costs, found.labels
    )
    return found


def batch_regimes(
    bars: Bars,
    indicators: Floats,
    *,
    head: Head,
    penalty: float = JUMP_PENALTY,
    flat_share: float = FLAT_SHARE,
) -> Found:
    """Return labels and probabilities of one instrument's whole history, bit-equal to live slices.

    Row ``i`` uses bars up to ``i`` only; parameters as in ``batch_features`` and ``update_regimes``.
    """
    features = batch_features(bars, indicators)
    return decode_features(features, head=head, penalty=penalty, flat_share=flat_share)


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one bar."""
    one, head = np.ones(1), even_head()
    batch_regimes(
        Bars(one, one, one, one, one, one), np.ones((1, len(INDICATOR_COLUMNS))), head=head
    )
    # What a feed delivers cannot be written to, which the compiler takes for another type.
    rows, bar = np.zeros(1, dtype=np.int64), np.ones(1)
    rows.flags.writeable = bar.flags.writeable = False
    update_regimes(
        regime_state(1), rows, Bars(bar, bar, bar, bar, bar, one), np.ones((1, len(INDICATOR_COLUMNS))),
        nothing_found(1), head=head,
    )  # fmt: skip
    contributions(head, np.ones(len(FEATURES)), 0)
    ex_post_labels(np.ones(2))
