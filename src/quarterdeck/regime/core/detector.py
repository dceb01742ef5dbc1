"""The regime detector: features, evidence and decoder carried one slice at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState, Floats, Ints
from quarterdeck.regime.core.decoder import decode_kernel
from quarterdeck.regime.core.features import (
    FEATURES,
    INDICATOR_COLUMNS,
    MIN_BARS,
    SCALE_SPAN,
    WINDOW_BARS,
    features_kernel,
)
from quarterdeck.regime.core.levels import CONFIDENCE_CUTS
from quarterdeck.regime.core.rules import REGIME_COUNT, evidence_kernel, rule_table

JUMP_PENALTY: Final = 4.0
"""Cost of a change of regime, in natural logarithms of evidence share."""

FLAT_SHARE: Final = CONFIDENCE_CUTS[0]
"""While no share stays above this, the edge of "very low" confidence, the detector abstains."""

FLOOR_SHARE: Final = 0.02
"""The smallest share the decoder counts."""

NOT_ENOUGH_DATA: Final = -1
"""The label before ``MIN_BARS`` bars; ``UNDETERMINED`` is the label of an abstention."""

UNDETERMINED: Final = REGIME_COUNT


class RegimeState(ArrayState):
    """What the detector remembers of each of ``n`` instruments.

    ``bars`` counts the bars seen; ``mean_square`` is the squared scale and
    ``mean_variance`` the norm of the bar variances; ``log_*`` hold the last 121
    bars and ``variance`` the last 20 Garman-Klass variances, oldest first; ``features`` is the last
    feature row, from which ``contributions`` explains a change; ``costs`` is the decoder's.
    """

    __slots__ = (
        "bars",
        "costs",
        "features",
        "log_close",
        "log_high",
        "log_low",
        "mean_square",
        "mean_variance",
        "variance",
    )

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.mean_square: Floats = np.zeros(n)
        self.mean_variance: Floats = np.zeros(n)
        self.log_high: Floats = np.full((n, WINDOW_BARS), np.nan)
        self.log_low: Floats = np.full((n, WINDOW_BARS), np.nan)
        self.log_close: Floats = np.full((n, WINDOW_BARS), np.nan)
        self.variance: Floats = np.full((n, 20), np.nan)
        self.features: Floats = np.full((n, len(FEATURES)), np.nan)
        self.costs: Floats = np.zeros((n, REGIME_COUNT + 1))


def regime_state(n: int) -> RegimeState:
    """Return the state of ``n`` instruments that have seen no bar yet."""
    return RegimeState(n)


def update_regimes(
    state: RegimeState,
    rows: Ints,
    open: Floats,  # noqa: A002 - the four prices keep their market names
    high: Floats,
    low: Floats,
    close: Floats,
    indicators: Floats,
    out_label: Ints,
    out_share: Floats,
    *,
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
    open, high, low, close : ndarray of shape (m,), float64
        Prices of the bars, aligned with ``rows``; finite and positive, which the caller ensures.
    indicators : ndarray of shape (n, 11), float64
        Market's indicators of this same close, columns ``INDICATOR_COLUMNS``.
    out_label : ndarray of shape (n,), int64
        Written at ``rows``: index into ``REGIMES`` (8 is undetermined), or ``NOT_ENOUGH_DATA``.
    out_share : ndarray of shape (n, 8), float64
        Written at ``rows``: evidence shares of this bar, before decoding, summing to 1; NaN where
        the label is ``NOT_ENOUGH_DATA``.
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
    if not rows.size == open.size == high.size == low.size == close.size:
        raise InvalidInput.of("prices", close.size, f"{rows.size} values, one per row")
    if indicators.shape != (n, len(INDICATOR_COLUMNS)):
        raise InvalidInput.of("indicators", indicators.shape, f"{(n, len(INDICATOR_COLUMNS))}")
    if out_label.shape != (n,) or out_share.shape != (n, REGIME_COUNT):
        raise InvalidInput.of("out", out_share.shape, f"{(n,)} and {(n, REGIME_COUNT)}")
    features_kernel(
        rows,
        open,
        high,
        low,
        close,
        indicators,
        MIN_BARS,
        2.0 / (SCALE_SPAN + 1.0),
        state.bars,
        state.mean_square,
        state.mean_variance,
        state.log_high,
        state.log_low,
        state.log_close,
        state.variance,
        state.features,
    )
    evidence_kernel(rows, state.features, *rule_table(), out_share)
    decode_kernel(rows, out_share, penalty, flat_share, FLOOR_SHARE, state.costs, out_label)


def batch_regimes(
    open: Floats,  # noqa: A002 - the four prices keep their market names
    high: Floats,
    low: Floats,
    close: Floats,
    indicators: Floats,
    *,
    penalty: float = JUMP_PENALTY,
    flat_share: float = FLAT_SHARE,
) -> tuple[Ints, Floats]:
    """Return labels and shares of one instrument's whole history, by the live step itself.

    Parameters
    ----------
    open, high, low, close : ndarray of shape (t,), float64
        Prices, oldest first; finite and positive.
    indicators : ndarray of shape (t, 11), float64
        Market's indicators of the same bars.
    penalty, flat_share : float
        See ``decode_kernel``.

    Returns
    -------
    labels : ndarray of shape (t,), int64
    shares : ndarray of shape (t, 8), float64
        As ``update_regimes`` writes them; row ``i`` uses bars up to ``i`` only.
    """
    # A strided column would compile the kernels a second time.
    open, high, low, close = (np.ascontiguousarray(x) for x in (open, high, low, close))  # noqa: A001
    indicators = np.ascontiguousarray(indicators)
    state, row = RegimeState(1), np.zeros(1, dtype=np.int64)
    labels = np.empty(close.size, dtype=np.int64)
    shares = np.empty((close.size, REGIME_COUNT))
    for i in range(close.size):
        at = slice(i, i + 1)
        update_regimes(
            state,
            row,
            open[at],
            high[at],
            low[at],
            close[at],
            indicators[at],
            labels[at],
            shares[at],
            penalty=penalty,
            flat_share=flat_share,
        )
    return labels, shares


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one bar."""
    one = np.ones(1)
    batch_regimes(one, one, one, one, np.ones((1, len(INDICATOR_COLUMNS))))
