"""How far an equity curve stands below its own peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall: its fraction of the peak, and the positions of peak and trough."""

    fraction: float
    peak: int
    trough: int


def drawdowns(equity: FloatArray) -> FloatArray:
    """Return at each point the fall from the highest equity so far.

    Parameters
    ----------
    equity : ndarray of shape (n,), float64
        Equity in any currency, oldest first; finite, the first one positive.

    Returns
    -------
    ndarray of shape (n,), float64
        Fraction of the running peak, 0 at a peak; above 1 where equity is negative.

    Raises
    ------
    NotEnoughData
        If ``equity`` is empty.
    InvalidInput
        If it is not one-dimensional and finite or does not start above 0.

    Examples
    --------
    >>> drawdowns(np.array([100.0, 80.0, 120.0, 90.0])).tolist()
    [0.0, 0.2, 0.0, 0.25]
    """
    if equity.ndim != 1 or not np.isfinite(equity).all():
        raise InvalidInput.of("equity", equity.shape, "a finite one-dimensional array")
    if equity.size == 0:
        raise NotEnoughData("a drawdown", have=0, need=1)
    if equity[0] <= 0.0:
        raise InvalidInput.of("equity", equity[0], "a first value above 0")
    peaks = np.maximum.accumulate(equity)
    return np.asarray((peaks - equity) / peaks, dtype=np.float64)


def max_drawdown(equity: FloatArray) -> Drawdown:
    """Return the deepest drawdown of ``equity`` (see ``drawdowns``), the earliest if several.

    Examples
    --------
    >>> max_drawdown(np.array([100.0, 80.0, 120.0, 90.0]))
    Drawdown(fraction=0.25, peak=2, trough=3)
    """
    depth = drawdowns(equity)
    trough = int(np.argmax(depth))
    return Drawdown(
        fraction=float(depth[trough]), peak=int(np.argmax(equity[: trough + 1])), trough=trough
    )
