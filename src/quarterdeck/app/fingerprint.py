"""The numeric fingerprint: whether this machine computes what another one did, to the bit.

Equal sources do not make equal numbers: a compiler or a mathematical library may differ. Checkpoints
carry the fingerprint, so one from a machine that computes otherwise is left aside and its slices are
computed again.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import numpy as np

from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.maths.arrays import Floats
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.optimise import max_sharpe
from quarterdeck.portfolio.core.solve import Limits, solve
from quarterdeck.regime.core.detector import aligned, batch_regimes
from quarterdeck.regime.store import shipped_head
from quarterdeck.risk.core.bank import batch_bank

BARS = 400
ASSETS = 4


def numeric_fingerprint() -> str:
    """Return 16 hex digits of what every kernel, and the portfolios, make of one fixed path."""
    place = np.arange(BARS, dtype=np.float64)
    close = 100.0 * np.exp(0.3 * np.sin(place / 17.0) + 0.05 * np.cos(place * place / 31.0))
    before = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(close, before) * (1.002 + 0.001 * np.sin(place))
    low = np.minimum(close, before) * (0.998 - 0.001 * np.cos(place))
    indicators = batch_indicators(high, low, close)
    volume = 1e6 * (1.5 + np.sin(place / 5.0))
    regimes = batch_regimes(
        aligned(before, high, low, close, volume), indicators, head=shipped_head()
    )
    # Ten of them make a market.
    o, top, bottom, end = (np.tile(part[:, None], (1, 10)) for part in (before, high, low, close))
    risk = batch_bank(end, ohl=(o, top, bottom))
    digest = sha256()
    for numbers in (indicators, *regimes, risk, *_portfolio(close)):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    return digest.hexdigest()[:16]


def _portfolio(close: Floats) -> tuple[Floats, ...]:
    """Return covariance, weights and risk contributions of stretches of one path held together."""
    paths = close.reshape(ASSETS, -1).T
    returns = np.diff(paths, axis=0) / paths[:-1]
    covariance = sample_covariance(returns)
    mean = np.abs(returns.mean(axis=0)) + 1e-4
    found = max_sharpe(mean, covariance, risk_free=0.0, lower=0.0, upper=0.6, rounded=True)
    contributions = found.risk_contributions
    kernels = (
        solve(one, mean=mean, covariance=covariance, limits=limits, rounded=True).weights
        for one, limits in (
            ("min-volatility", Limits()),
            ("max-sharpe", Limits(max_weight=0.6)),
            ("risk-parity", Limits()),
            ("hrp", Limits()),
        )
    )
    shares = np.zeros(0) if contributions is None else contributions
    return covariance, found.weights, shares, *kernels


@cache
def fingerprint_here() -> str:
    """Return the fingerprint, worked out once: the machine does not change under a process."""
    return numeric_fingerprint()
