"""Mean and covariance of a moving window of returns, carried from bar to bar by a rank-two change.

Taking one bar in and another out changes the centred sums of products by a a' - b b', with two
vectors of the window's length: one pass over the matrix instead of one product per bar of the window.
The error this may have gathered is bounded as it goes; where the bound reaches ``DRIFT`` the sums are
taken anew from the window kept.

References
----------
Chan, Golub & LeVeque (1983), The American Statistician 37, 242-247: updating centred sums.
Higham (2002), Accuracy and Stability of Numerical Algorithms, section 3.1: the bound.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.maths.arrays import ArrayState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DRIFT: Final = 1e-11
"""Largest error of the sums, as a share of the largest of them, that updating may have gathered."""


class RollingMoments(ArrayState):
    """The last ``window`` joint returns of n assets with their mean and centred sums of products.

    Attributes
    ----------
    returns : ndarray of shape (window, n), float64
        A ring of joint returns; unused rows are 0.
    mean : ndarray of shape (n,), float64
    sums : ndarray of shape (n, n), float64
        Sums of products about the mean, exactly symmetric.
    count : ndarray of shape (1,), int64
        Joint returns seen.
    drift : ndarray of shape (1,), float64
        Bound on the error of any element of ``sums`` gathered since they were last taken anew.

    Examples
    --------
    >>> moments = RollingMoments(3, n=1)
    >>> for r in (0.01, 0.02, 0.03, 0.05):
    ...     moments.take(np.array([r]))
    >>> moments.covariance().round(12).tolist()
    [[0.000233333333]]
    """

    __slots__ = ("count", "drift", "mean", "returns", "sums")

    def __init__(self, window: int, *, n: int) -> None:
        if window < 2:
            raise InvalidInput.of("window", window, "at least 2 periods")
        self.returns: FloatArray = np.zeros((window, n))
        self.mean: FloatArray = np.zeros(n)
        self.sums: FloatArray = np.zeros((n, n))
        self.count: IntArray = np.zeros(1, dtype=np.int64)
        self.drift: FloatArray = np.zeros(1)

    def take(self, returns: FloatArray) -> bool:
        """Take one joint return, the oldest out when full; return whether the sums were taken anew.

        Raises
        ------
        InvalidInput
            If ``returns`` is not one finite value per asset. Nothing is changed then.
        """
        if returns.shape != self.mean.shape or not np.isfinite(returns).all():
            raise InvalidInput.of("returns", returns.shape, f"{self.mean.size} finite returns")
        fresh = np.array(returns, dtype=np.float64)
        _take(self.returns, self.mean, self.sums, self.count, self.drift, fresh)
        if not float(self.drift[0]) <= DRIFT * _largest(self.sums):
            self.rebase()
            return True
        return False

    def rebase(self) -> None:
        """Take mean and sums anew from the window kept."""
        have = self.have
        _rebase(self.returns[:have], self.mean, self.sums)
        self.drift[0] = 0.0

    @property
    def have(self) -> int:
        """Joint returns in the window."""
        return min(int(self.count[0]), int(self.returns.shape[0]))

    @property
    def full(self) -> bool:
        """Whether the window is full."""
        return self.have == int(self.returns.shape[0])

    def covariance(self) -> FloatArray:
        """Return the sample covariance (divisor t - 1) of the window.

        Raises
        ------
        NotEnoughData
            With fewer than two joint returns.
        """
        if self.have < 2:
            raise NotEnoughData("a covariance", have=self.have, need=2)
        return np.asarray(self.sums / (self.have - 1), dtype=np.float64)

    def window(self) -> FloatArray:
        """Return the joint returns in the window, oldest first, as a copy."""
        full, have = self.returns.shape[0], self.have
        turn = int(self.count[0]) % full if have == full else 0
        return np.concatenate((self.returns[turn:have], self.returns[:turn]))


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    moments = RollingMoments(2, n=2)
    for value in (0.01, 0.02, 0.03):
        moments.take(np.array([value, -value]))
    moments.rebase()
    put_about_mean(np.eye(2), np.zeros(2), 2, 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def _largest(sums: FloatArray) -> float:
    """Return the largest element on the diagonal, which no other exceeds."""
    found = 0.0
    for i in range(sums.shape[0]):
        found = max(found, sums[i, i])
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _add(sums: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """Add left left' - right right' to the sums; symmetric to the bit as the products commute."""
    n = left.size
    for i in range(n):
        x, y = left[i], right[i]
        row = sums[i]
        for j in range(n):
            row[j] += x * left[j] - y * right[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _take(
    returns: FloatArray,
    mean: FloatArray,
    sums: FloatArray,
    count: IntArray,
    drift: FloatArray,
    fresh: FloatArray,
) -> None:
    """Carry the moments over one joint return."""
    window, n = returns.shape
    slot = count[0] % window
    left, right = np.empty(n), np.zeros(n)
    if count[0] < window:
        # The window grows from t to t + 1: the sums gain u u' t / (t + 1).
        t = float(count[0])
        share = np.sqrt(t / (t + 1.0))
        for i in range(n):
            u = fresh[i] - mean[i]
            left[i] = share * u
            mean[i] += u / (t + 1.0)
    else:
        # u u' - v v' - (u - v)(u - v)' / t, written as a a' - b b' by turning (u, v).
        t = float(window)
        turn = 0.5 * np.arctan2(2.0 / t, 2.0)
        cosine, sine = np.cos(turn), np.sin(turn)
        root = np.sqrt(1.0 + 1.0 / (t * t))
        grown, shrunk = np.sqrt(root - 1.0 / t), np.sqrt(root + 1.0 / t)
        for i in range(n):
            u, v = fresh[i] - mean[i], returns[slot, i] - mean[i]
            left[i] = grown * (cosine * u + sine * v)
            right[i] = shrunk * (cosine * v - sine * u)
            mean[i] += (u - v) / t
    for i in range(n):
        returns[slot, i] = fresh[i]
    _add(sums, left, right)
    size = 0.0
    for i in range(n):
        size = max(size, left[i] * left[i] + right[i] * right[i])
    # Three roundings per element of at most the size of what is added or held.
    drift[0] += 2.220446049250313e-16 * (_largest(sums) + 4.0 * size)
    count[0] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _rebase(returns: FloatArray, mean: FloatArray, sums: FloatArray) -> None:
    """Take mean and centred sums of products of the rows, in the order they stand."""
    t, n = returns.shape
    mean[:] = 0.0
    for k in range(t):
        for i in range(n):
            mean[i] += returns[k, i]
    for i in range(n):
        mean[i] /= t
    centred = np.empty((n, t))
    for i in range(n):
        for k in range(t):
            centred[i, k] = returns[k, i] - mean[i]
    sums[:] = 0.0
    for k in range(t):
        for i in range(n):
            x = centred[i, k]
            for j in range(n):
                sums[i, j] += x * centred[j, k]


@njit(cache=True, nogil=True, error_model="numpy")
def put_about_mean(sums: FloatArray, mean: FloatArray, t: int, most: float) -> int:
    """Turn the sums of products about 0 (n, n) of t periods into their covariance, in place.

    One pass instead of an array for each step of it. 1 where that was done; 0, and nothing done, where
    more than the share ``most`` of a sum of squares is its mean's; -1, and nothing done, where one is not
    finite.
    """
    n = mean.size
    part = np.empty(n)
    safe = True
    for i in range(n):
        if not np.isfinite(sums[i, i]):
            return -1
        safe = safe and t * mean[i] * mean[i] <= most * sums[i, i]
        part[i] = np.sqrt(t) * mean[i]
    if not safe:
        return 0
    # A product takes half the time of a division and is a last bit off at most.
    share = 1.0 / (t - 1)
    for i in range(n):
        for j in range(n):
            sums[i, j] = (sums[i, j] - part[i] * part[j]) * share
    return 1
