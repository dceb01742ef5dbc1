"""The online jump decoder: a change of regime must be worth more than a fixed penalty.

Given the costs ``L[k]`` of calling bar ``t`` regime ``k``, the cheapest labelling of bars 1..t that
ends in ``k`` and pays ``penalty`` for every change costs

    v[k] <- L[k] + min(v[k], min over j of v[j] + penalty)

and the answer at ``t`` is the ``k`` with the smallest ``v``. Only ``v`` is kept; it is lowered by its
minimum after every bar, which changes no comparison and keeps it below ``penalty`` plus one bar's
cost. The answer never looks ahead and is never revised.

Source: Nystrup, Lindstroem & Madsen (2020), Expert Systems with Applications 150, 113307, the
forward recursion of their algorithm; the abstention as one more state is ours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import Floats, Ints


@njit(cache=True, nogil=True, error_model="numpy")
def decode_kernel(
    rows: Ints,
    targets: Ints,
    shares: Floats,
    penalty: float,
    flat_share: float,
    floor_share: float,
    costs: Floats,
    label: Ints,
) -> None:
    """Carry one slice of shares into the decoder and write the labels.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Dense instrument indices: each once in a live slice, 0 throughout one instrument's history.
    targets : ndarray of shape (m,), int64
        Rows of ``shares`` to read and of ``label`` to write.
    shares : ndarray of shape (k, 8), float64
        Shares in [0, 1], summing to 1; a NaN row means "not enough data".
    penalty : float
        Cost of one change, in natural logarithms of share; larger means fewer changes.
    flat_share : float
        In [0, 1). To abstain costs ``-log(flat_share)`` a bar, so the decoder abstains while no
        regime's share stays above it; 0 means never.
    floor_share : float
        In (0, 1). Smallest share counted, so one bar can veto a regime but not for ever.
    costs : ndarray of shape (n, 9), float64
        ``v`` above, per instrument, the abstention last; changed at ``rows`` only.
    label : ndarray of shape (k,), int64
        Written at ``targets``: 0..7 a regime, 8 undetermined, -1 not enough data. Of equal costs the
        lowest index wins.
    """
    regimes = shares.shape[1]
    for i in range(rows.size):
        row, target = rows[i], targets[i]
        if np.isnan(shares[target, 0]):
            label[target] = -1
            continue
        for k in range(regimes + 1):
            share = flat_share if k == regimes else max(shares[target, k], floor_share)
            costs[row, k] = min(costs[row, k], penalty) - np.log(share)
        best = regimes
        for k in range(regimes - 1, -1, -1):
            if costs[row, k] <= costs[row, best]:
                best = k
        lowest = costs[row, best]
        for k in range(regimes + 1):
            costs[row, k] -= lowest
        label[target] = best
