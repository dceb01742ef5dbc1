"""Which bars can be true: what is not is refused where it arrives, and counts as a missed bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.money import MAX_UNITS

Floats = npt.NDArray[np.float64]


def sound_bars(
    open_: Floats, high: Floats, low: Floats, close: Floats, *, price_factor: Floats
) -> npt.NDArray[np.bool_]:
    """Return which bars are possible.

    A bar is possible when its four prices are finite, ``low <= open, close <= high``, and each is
    at least one price unit and within half of what 64 bits hold, so that no sum of two overflows.
    How far a price moved is not judged here.

    Parameters
    ----------
    open_, high, low, close : ndarray of float64, shape (m,)
        Prices in currency; NaN and infinities are refused.
    price_factor : ndarray of float64, shape (m,)
        Price units per unit of currency.

    Returns
    -------
    ndarray of bool, shape (m,)

    Examples
    --------
    >>> one = np.array([10.0, np.nan, 10.0, 0.001])
    >>> sound_bars(one, one * 1.1, one * [0.9, 0.9, 1.05, 0.9], one, price_factor=np.full(4, 100.0))
    array([ True, False, False, False])
    """
    top = float(MAX_UNITS // 2)
    # Comparisons with NaN are false, so that what is not a number is not sound.
    ordered = (low <= open_) & (open_ <= high) & (low <= close) & (close <= high)
    sound: npt.NDArray[np.bool_] = (
        ordered & (np.rint(low * price_factor) >= 1.0) & (np.rint(high * price_factor) <= top)
    )
    return sound
