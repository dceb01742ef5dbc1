"""Which bars can be true: what is not is refused where it arrives, and counts as a missed bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.money import MAX_UNITS

Floats = npt.NDArray[np.float64]

MAX_JUMP = 1_000.0
"""How many times the last close a close may be, up or down: beyond it the bar is a wrong number.

Without this bound a single bar that 64 bits still hold makes an account worth more than they hold.
"""


def sound_bars(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    *,
    before: Floats,
    price_factor: Floats,
) -> npt.NDArray[np.bool_]:
    """Return which bars are possible.

    A bar is possible when its four prices are finite, ``low <= open, close <= high``, each is at
    least one price unit and within half of what 64 bits hold, so that no sum of two overflows, and
    high and low are within ``MAX_JUMP`` times the close before.

    Parameters
    ----------
    open_, high, low, close : ndarray of float64, shape (m,)
        Prices in currency; NaN and infinities are refused.
    before : ndarray of float64, shape (m,)
        The last close of each instrument; NaN where there is none, and nothing to compare with.
    price_factor : ndarray of float64, shape (m,)
        Price units per unit of currency.

    Returns
    -------
    ndarray of bool, shape (m,)

    Examples
    --------
    >>> one = np.array([10.0, np.nan, 10.0, 0.001])
    >>> low, before = one * [0.9, 0.9, 1.05, 0.9], np.full(4, np.nan)
    >>> sound_bars(one, one * 1.1, low, one, before=before, price_factor=np.full(4, 100.0))
    array([ True, False, False, False])
    """
    top = float(MAX_UNITS // 2)
    # Comparisons with NaN are false, so that what is not a number is not sound.
    ordered = (low <= open_) & (open_ <= high) & (low <= close) & (close <= high)
    jumped = (high > before * MAX_JUMP) | (low * MAX_JUMP < before)
    sound: npt.NDArray[np.bool_] = (
        ordered
        & (np.rint(low * price_factor) >= 1.0)
        & (np.rint(high * price_factor) <= top)
        & ~jumped
    )
    return sound
