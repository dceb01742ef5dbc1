"""Training of a head: a small network by stochastic gradients, in numpy, from one seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quarterdeck.kernel.vocabulary import REGIMES
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.features import FEATURES
from quarterdeck.regime.core.head import BOUND, Head

CLASSES = len(REGIMES) - 1


class Recipe(NamedTuple):
    """How a head is trained; everything here was chosen on validation data."""

    units: int = 48
    epochs: int = 8
    batch: int = 512
    rate: float = 2e-3
    decay: float = 1e-4
    seed: int = 1


def standardised(features: Floats, mean: Floats, scale: Floats) -> Floats:
    plain = (features - mean.astype(features.dtype)) / scale.astype(features.dtype)
    return np.clip(plain, -BOUND, BOUND)


def trained(
    features: Floats, labels: Ints, *, columns: Ints, recipe: Recipe, weights: Floats | None = None
) -> Head:
    """Return a head trained on rows whose labels are regimes (others are left out)."""
    keep = (labels >= 0) & (labels < CLASSES) & ~np.isnan(features[:, 0])
    raw, y = features[keep][:, columns], labels[keep]
    w = np.ones(y.size) if weights is None else weights[keep]
    mean, scale = (
        raw.mean(axis=0, dtype=np.float64),
        np.maximum(raw.std(axis=0, dtype=np.float64), 1e-6),
    )
    x = standardised(raw, mean, scale).astype(np.float32)
    prior = np.bincount(y, weights=w, minlength=CLASSES) / w.sum()
    found = fitted(x, y, w.astype(np.float32), recipe, start=np.log(prior))
    return Head(columns, mean, scale, *found, prior)


def fitted(
    x: Floats, y: Ints, w: Floats, recipe: Recipe, *, start: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    draws = np.random.default_rng(recipe.seed)
    d, h = x.shape[1], recipe.units
    p = [
        (draws.normal(size=(d, h)) * np.sqrt(2.0 / d)).astype(np.float32),
        np.zeros(h, dtype=np.float32),
        (draws.normal(size=(h, start.size)) * np.sqrt(1.0 / h)).astype(np.float32),
        start.astype(np.float32),
    ]
    average = [np.zeros_like(a) for a in p]
    m, v = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p]
    steps, step = recipe.epochs * (y.size // recipe.batch), 0
    averaged = 0
    for _ in range(recipe.epochs):
        order = draws.permutation(y.size)
        for at in range(y.size // recipe.batch):
            rows = order[at * recipe.batch : (at + 1) * recipe.batch]
            step += 1
            rate = recipe.rate * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            for k, g in enumerate(_gradient(x[rows], y[rows], w[rows], p)):
                m[k] += 0.1 * (g - m[k])
                v[k] += 0.001 * (g * g - v[k])
                ahead = m[k] / (1.0 - 0.9**step)
                spread = np.sqrt(v[k] / (1.0 - 0.999**step)) + 1e-8
                p[k] -= rate * (ahead / spread + (recipe.decay * p[k] if k in (0, 2) else 0.0))
            if step > steps * 3 // 4:
                averaged += 1
                for k in range(4):
                    average[k] += (p[k] - average[k]) / averaged
    return tuple(a.astype(np.float64) for a in average)  # type: ignore[return-value]


def _gradient(x: Floats, y: Ints, w: Floats, p: list[Floats]) -> tuple[Floats, ...]:
    h = np.maximum(x @ p[0] + p[1], 0.0)
    z = h @ p[2] + p[3]
    z -= z.max(axis=1, keepdims=True)
    e = np.exp(z)
    e /= e.sum(axis=1, keepdims=True)
    e[np.arange(y.size), y] -= 1.0
    e *= (w / w.sum())[:, None]
    back = (e @ p[2].T) * (h > 0.0)
    return x.T @ back, back.sum(axis=0), h.T @ e, e.sum(axis=0)


def columns_without(*names: str) -> Ints:
    """Return the indices of all features but ``names``."""
    return np.array([k for k, name in enumerate(FEATURES) if name not in names], dtype=np.int64)
