"""Historical value at risk and expected shortfall of a set of returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TailLoss:
    """Loss per period as a fraction of the stake; positive is a loss, negative a gain."""

    var: float
    es: float


def tail_loss(returns: FloatArray, *, tail: float) -> TailLoss:
    """Return the loss exceeded with frequency ``tail`` and the mean of the worst ones.

    Parameters
    ----------
    returns : ndarray of shape (n,), float64
        Simple returns per period as fractions, in any order; finite.
    tail : float
        Share of the worst outcomes, in (0, 1): 0.05 for 95 %.

    Returns
    -------
    TailLoss
        ``var`` interpolates linearly between order statistics; ``es`` is the mean of the worst
        ``ceil(tail * n)`` returns, so ``es >= var``.

    Raises
    ------
    InvalidInput
        If ``returns`` is not one-dimensional and finite or ``tail`` is not in (0, 1).
    NotEnoughData
        If the tail holds no whole observation (``tail * n < 1``).

    Examples
    --------
    >>> tail_loss(np.array([0.5, -0.5, 0.75, -0.25, 0.25]), tail=0.25)
    TailLoss(var=0.25, es=0.375)
    """
    if returns.ndim != 1 or not np.isfinite(returns).all():
        raise InvalidInput.of("returns", returns.shape, "a finite one-dimensional array")
    if not 0.0 < tail < 1.0:
        raise InvalidInput.of("tail", tail, "a share between 0 and 1, both excluded")
    # The share is rounded at the 12th digit first: 0.01 * 700 is 7.000000000000001 in binary.
    expected = round(tail * returns.size, 12)
    if expected < 1.0:
        raise NotEnoughData("the tail of the returns", have=returns.size, need=math.ceil(1 / tail))
    ordered = np.sort(returns)
    worst = ordered[: math.ceil(expected)]
    return TailLoss(var=-float(np.quantile(ordered, tail)), es=-float(worst.mean()))
