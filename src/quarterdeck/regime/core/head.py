"""The head: from features to the probabilities of the eight regimes, by a small fixed network.

With ``f`` the chosen features, standardised and clipped to +-``bound``, one hidden layer
``h = max(0, W1 f + b1)`` and the multinomial logistic layer ``softmax(W2 h + b2)`` give the posterior
``p`` of the regimes as frequent as they were in training. The decoder gets
``q[k] ~ p[k] / prior[k]``, the posterior for equally frequent regimes, so that rare ones are found.

All of it is flat arrays in one JSON text (``docs/reference/regimes.md`` is its card, and
``scripts/train_regimes`` makes it again). Sums are taken in one order on every machine.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numba import njit

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.vocabulary import REGIMES
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.features import FEATURES

REGIME_COUNT: Final = len(REGIMES) - 1
"""The regimes that have a probability: all but ``undetermined``."""

BOUND: Final = 4.0
"""Standard deviations beyond which a feature counts no further."""


class HeadText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head as it is written down: names and numbers, rows of ``hidden`` by feature."""

    version: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...]
    hidden_bias: tuple[float, ...]
    output: tuple[tuple[float, ...], ...]
    output_bias: tuple[float, ...]
    prior: tuple[float, ...]


class Head(NamedTuple):
    """A head as arrays: ``columns`` (d,) into ``FEATURES``; W1 (d, h), b1 (h,), W2 (h, 8), b2 (8,)."""

    columns: Ints
    mean: Floats
    scale: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    prior: Floats


def parse_head(content: bytes) -> Head:
    """Return the head written down in ``content``.

    Raises
    ------
    InvalidInput
        If it is not the JSON of a ``HeadText``, names an unknown feature, or its shapes do not fit.
    """
    try:
        text = msgspec.json.decode(content, type=HeadText)
    except msgspec.DecodeError as error:
        raise InvalidInput.of("head", str(error), "the JSON text of a head") from None
    unknown = [name for name in text.features if name not in FEATURES]
    if unknown:
        raise InvalidInput.of("head.features", unknown[0], "a name of FEATURES")
    names = ("mean", "scale", "hidden", "hidden_bias", "output", "output_bias", "prior")
    try:
        arrays = [np.array(getattr(text, name), dtype=np.float64) for name in names]
    except ValueError:
        raise InvalidInput.of("head", "ragged rows", "rows of one length") from None
    d, h = len(text.features), len(text.hidden_bias)
    shapes = ((d,), (d,), (d, h), (h,), (h, REGIME_COUNT), (REGIME_COUNT,), (REGIME_COUNT,))
    for name, array, shape in zip(names, arrays, shapes, strict=True):
        if array.shape != shape or not np.isfinite(array).all():
            raise InvalidInput.of(f"head.{name}", array.shape, f"finite numbers of shape {shape}")
    if (arrays[1] <= 0.0).any() or (arrays[6] <= 0.0).any():
        raise InvalidInput.of("head", "a scale or prior of 0 or less", "positive ones")
    return Head(np.array([FEATURES.index(n) for n in text.features], dtype=np.int64), *arrays)


@njit(cache=True, nogil=True, error_model="numpy")
def head_kernel(
    targets: Ints,
    features: Floats,
    head: Head,
    bound: float,
    posterior: Floats,
    shares: Floats,
) -> None:
    """Write the posteriors of one slice or one history.

    Parameters
    ----------
    targets : ndarray of shape (m,), int64
        Rows of all three matrices to read and write.
    features : ndarray of shape (k, len(FEATURES)), float64
        A NaN row gives NaN rows; a row of zeros only (a price that never moved) gives equal shares.
    head : Head
    bound : float
        Standard deviations beyond which a feature counts no further.
    posterior, shares : ndarray of shape (k, 8), float64
        Written: ``p`` and ``q`` of the module's text, each summing to 1.
    """
    columns, mean, scale, hidden, hidden_bias, output, output_bias, prior = head
    units, regimes = hidden_bias.size, output_bias.size
    h, z = np.empty(units), np.empty(regimes)
    for i in range(targets.size):
        row = targets[i]
        h[:] = hidden_bias
        measured = False
        for j in range(columns.size):
            value = features[row, columns[j]]
            measured = measured or value != 0.0
            value = min(max((value - mean[j]) / scale[j], -bound), bound)
            for u in range(units):
                h[u] += value * hidden[j, u]
        z[:] = output_bias
        for u in range(units):
            active = max(h[u], 0.0)
            for k in range(regimes):
                z[k] += active * output[u, k]
        if not measured:
            z[:] = np.log(prior)
        top = z.max()
        total = balanced = 0.0
        for k in range(regimes):
            posterior[row, k] = np.exp(z[k] - top)
            shares[row, k] = posterior[row, k] / prior[k]
            total += posterior[row, k]
            balanced += shares[row, k]
        for k in range(regimes):
            posterior[row, k] /= total
            shares[row, k] /= balanced


def contributions(head: Head, features: Floats, winner: int) -> tuple[Ints, Floats]:
    """Rank the features by how much each speaks for one regime against all others.

    Parameters
    ----------
    head : Head
    features : ndarray of shape (len(FEATURES),), float64
        One finite feature row.
    winner : int
        Index of the regime, 0..7.

    Returns
    -------
    order : ndarray of int64
        Indices into ``FEATURES``, most telling first; only features the head reads.
    amount : ndarray of float64
        Log share of ``winner`` less what it would be with that feature at its mean in training.
        Positive speaks for the regime. Equal amounts keep the order of ``FEATURES``.

    Raises
    ------
    NotEnoughData
        If the row is NaN.
    InvalidInput
        If ``winner`` is not a regime with a probability.
    """
    if not 0 <= winner < REGIME_COUNT:
        raise InvalidInput.of("winner", winner, f"0 to {REGIME_COUNT - 1}")
    if np.isnan(features).any():
        raise NotEnoughData("regime features", have=0, need=1)
    count = head.columns.size
    rows = np.repeat(features[None, :], count + 1, axis=0)
    rows[np.arange(count), head.columns] = head.mean
    posterior, shares = np.empty((count + 1, REGIME_COUNT)), np.empty((count + 1, REGIME_COUNT))
    head_kernel(np.arange(count + 1, dtype=np.int64), rows, head, BOUND, posterior, shares)
    # By the kernel's own logarithm: numpy's has other last bits on other processors.
    logs = np.empty(count + 1)
    _log_kernel(np.ascontiguousarray(shares[:, winner]), logs)
    amount = logs[-1] - logs[:-1]
    order = np.argsort(-amount, kind="stable")
    return head.columns[order], amount[order]


@njit(cache=True, nogil=True, error_model="numpy")
def _log_kernel(values: Floats, out: Floats) -> None:
    for i in range(values.size):
        out[i] = np.log(max(values[i], 1e-300))


def even_head(features: int = len(FEATURES), units: int = 1) -> Head:
    """Return a head that knows nothing: every regime is equally probable.

    It serves the compiler and the tests of shapes; nothing is decided by it.
    """
    return Head(
        columns=np.arange(features, dtype=np.int64),
        mean=np.zeros(features),
        scale=np.ones(features),
        hidden=np.zeros((features, units)),
        hidden_bias=np.zeros(units),
        output=np.zeros((units, REGIME_COUNT)),
        output_bias=np.zeros(REGIME_COUNT),
        prior=np.full(REGIME_COUNT, 1.0 / REGIME_COUNT),
    )
