"""The peers of the risk benchmark, at their best settings: RiskMetrics, and arch's GJR-t with FHS."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.risk.core.window import remember, tail

FloatArray = npt.NDArray[np.float64]

REFIT, LONGEST, BURN_IN, KEPT = 250, 2_000, 1_000, 1_000
NORMAL = {
    0.05: (1.6448536269514722, 2.0627128075074257),
    0.01: (2.3263478740408408, 2.665214220345807),
}
"""Quantile and mean beyond it of the standard normal, by tail."""


@njit(cache=True, nogil=True, error_model="numpy")
def ewma(returns: FloatArray, decay: float) -> FloatArray:
    """Return the variance forecast after each return, started from the first 50."""
    h = np.full(returns.size, np.nan)
    total = 0.0
    for t in range(returns.size):
        x = returns[t] * returns[t]
        total += x
        if t == 49:
            h[t] = total / 50.0
        elif t > 49:
            h[t] = decay * h[t - 1] + (1.0 - decay) * x
    return h


def risk_metrics(returns: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES (positive, log) forecast after each return: EWMA 0.94 and the normal."""
    deviation = np.sqrt(ewma(returns, 0.94))
    quantile, beyond = NORMAL[alpha]
    return deviation * quantile, deviation * beyond


@njit(cache=True, nogil=True, error_model="numpy")
def gjr_variance(returns: FloatArray, p: FloatArray, start: float) -> FloatArray:
    """Return the variance of each next return under arch's parameters (mu, omega, a, g, b)."""
    h = np.empty(returns.size + 1)
    h[0] = start
    for t in range(returns.size):
        e = returns[t] - p[0]
        weight = p[2] + (p[3] if e < 0.0 else 0.0)
        h[t + 1] = p[1] + weight * e * e + p[4] * h[t]
    return h


def fitted(returns: FloatArray) -> FloatArray | None:
    """Return arch's GJR-t parameters in units of percent, or None where the fit is not to be trusted."""
    from arch import arch_model

    model = arch_model(returns * 100.0, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = model.fit(disp="off", show_warning=False)
        except (ValueError, np.linalg.LinAlgError):
            return None
    p = result.params
    a, g, b, nu = p["alpha[1]"], p["gamma[1]"], p["beta[1]"], p["nu"]
    values = np.array([p["mu"], p["omega"], a, g, b])
    sound = result.convergence_flag == 0 and np.isfinite(values).all() and a >= 0.0
    if not sound or a + g / 2 + b >= 0.9999 or a >= 0.3 or a + g >= 0.5 or nu <= 2.3:
        return None
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def fhs(
    z: FloatArray, deviation: FloatArray, alpha: float, kept: int, out: FloatArray, first: int
) -> None:
    """Write VaR and ES of each bar from ``first`` on: the residuals' tail times the deviation."""
    ring, ordered = np.zeros(kept), np.zeros(kept)
    for t in range(z.size):
        remember(ring, ordered, t, z[t])
        if t >= first and t + 1 >= 250:
            low, mean = tail(ordered, min(t + 1, kept), alpha)
            out[t, 0] = -low * deviation[t]
            out[t, 1] = -mean * deviation[t]


def arch_fhs(returns: FloatArray, alphas: tuple[float, ...]) -> list[tuple[FloatArray, FloatArray]]:
    """Return VaR and ES at each tail: refit every 250 bars on at most 2,000, guarded, refiltered."""
    n = returns.size
    outs = [np.full((n, 2), np.nan) for _ in alphas]
    p: FloatArray | None = None
    for at in range(BURN_IN, n, REFIT):
        p_new = fitted(returns[max(0, at - LONGEST) : at])
        p = p if p_new is None else p_new
        if p is None:
            continue
        end = min(at + REFIT, n)
        begin = max(0, at - LONGEST)
        span = returns[begin:end] * 100.0
        h = gjr_variance(span, p, float(np.var(span[: at - begin])))
        # The residuals are refiltered with the present parameters; the mean belongs to the forecast.
        z = (span - p[0]) / np.sqrt(h[:-1])
        for out, alpha in zip(outs, alphas, strict=True):
            part = np.full((span.size, 2), np.nan)
            fhs(z, np.sqrt(h[1:]), alpha, KEPT, part, at - begin - 1)
            rows = slice(at - begin - 1, end - begin - 1)
            out[at - 1 : end - 1] = (part[rows] - p[0]) / 100.0
    return [(out[:, 0], out[:, 1]) for out in outs]


def newey_west_t(values: FloatArray, lags: int | None = None) -> float:
    """Return the t statistic of the mean with Newey and West's standard error."""
    n = values.size
    used = int(4 * (n / 100.0) ** (2 / 9)) if lags is None else lags
    d = values - values.mean()
    variance = float(d @ d) / n
    for lag in range(1, used + 1):
        variance += 2.0 * (1.0 - lag / (used + 1)) * float(d[lag:] @ d[:-lag]) / n
    return float(values.mean()) / math.sqrt(variance / n) if variance > 0.0 else 0.0
