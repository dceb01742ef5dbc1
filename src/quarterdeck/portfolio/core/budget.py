"""The set of allowed portfolios: weights between bounds that sum to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

ROUNDING: Final = 1e-12
"""Distance within which a sum counts as 1 and a weight as lying on its bound."""

STEP: Final = 1e-9
"""Steps of a weight: a cent in ten million."""


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """Bounds per asset, known to admit at least one portfolio that sums to 1."""

    lower: FloatArray
    upper: FloatArray

    @classmethod
    def of(cls, n: int, *, lower: float | FloatArray, upper: float | FloatArray) -> Budget:
        """Return the bounds for ``n`` assets; a number holds for every asset.

        Raises
        ------
        InvalidInput
            If a bound is not finite, a lower one exceeds its upper one, or no weights within
            the bounds sum to 1.
        """
        bounds = []
        for field, given in (("lower", lower), ("upper", upper)):
            array = np.asarray(given, dtype=np.float64)
            if array.shape not in ((), (n,)) or not np.isfinite(array).all():
                raise InvalidInput.of(field, given, f"one finite bound or {n} of them")
            bounds.append(np.broadcast_to(array, (n,)).copy())
        low, high = bounds
        if (low > high).any():
            asset = int(np.argmax(low > high))
            raise InvalidInput.of("lower", low[asset], f"at most the upper bound {high[asset]}")
        if low.sum() > 1.0 + ROUNDING:
            raise InvalidInput.of("lower", low.sum(), "lower bounds that sum to at most 1")
        if high.sum() < 1.0 - ROUNDING:
            raise InvalidInput.of("upper", high.sum(), "upper bounds that sum to at least 1")
        return cls(lower=low, upper=high)

    def best(self, gain: FloatArray) -> FloatArray:
        """Return the allowed weights with the largest ``gain @ weights``: fill the best first."""
        weights = self.lower.copy()
        rest = 1.0 - float(weights.sum())
        for asset in np.argsort(-gain, kind="stable"):
            if rest <= 0.0:
                break
            step = min(rest, float(self.upper[asset] - self.lower[asset]))
            weights[asset] += step
            rest -= step
        return weights

    def repaired(self, weights: FloatArray) -> FloatArray:
        """Return ``weights`` moved by rounding errors only: on or within bounds, summing to 1."""
        fitted = np.clip(weights, self.lower, self.upper)
        near_low = fitted - self.lower <= ROUNDING
        near_high = self.upper - fitted <= ROUNDING
        fitted = np.where(near_low, self.lower, np.where(near_high, self.upper, fitted))
        missing = 1.0 - float(fitted.sum())
        room = self.upper - fitted if missing > 0.0 else fitted - self.lower
        total = float(room.sum())
        if total > 0.0:
            fitted = np.clip(fitted + room * (missing / total), self.lower, self.upper)
        return np.asarray(fitted, dtype=np.float64)

    def rounded(self, weights: FloatArray) -> FloatArray:
        """Return a solver's ``weights`` in steps of 1e-9: on or within bounds, summing to 1.

        Solvers built for different processors agree to far less than a step, so that what is
        returned is the same for all of them. A weight nearer than half a step to a bound is put on
        it; what is then missing from 1 (within 1e-12) goes where there is most room, the first of
        equals; bounds that are no multiple of a step are kept all the same.
        """
        fitted = np.clip(np.rint(weights / STEP) * STEP, self.lower, self.upper)
        near = 0.5 * STEP
        fitted = np.where(weights <= self.lower + near, self.lower, fitted)
        fitted = np.where(weights >= self.upper - near, self.upper, fitted)
        for _ in range(fitted.size):
            missing = 1.0 - math.fsum(fitted.tolist())
            if abs(missing) <= ROUNDING:
                break
            room = self.upper - fitted if missing > 0.0 else fitted - self.lower
            # Room differs in its last bits where the bounds are no multiple of a step.
            asset = int(np.argmax(np.rint(room / STEP)))
            moved = math.copysign(min(abs(missing), float(room[asset])), missing)
            fitted[asset] += moved
        return np.asarray(np.clip(fitted, self.lower, self.upper), dtype=np.float64)
