"""The credit lines' mixture as kernels: one bar of one agent, and a whole history in one call."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]

SHARE: Final = 0.001
GAMMA: Final = 0.2
OUTCOME_BOUND: Final = 6.0
LEAST, MOST = 0.1, 1.0
RISE: Final = 0.01
EVIDENCE_RATE: Final = 1.0 / 100.0
CONFIDENCE: Final = 1.0
"""Standard errors that the gain of more must be above zero."""
BRAKE_AT: Final = 0.2
"""The drawdown at which the brake's policy is at its least, a quarter."""


@njit(cache=True, nogil=True, error_model="numpy")
def utility_of(outcome: float, share: float) -> float:
    """Return what a bar is worth at a share of the limits."""
    earned = outcome * share
    return earned - 0.5 * GAMMA * earned * earned


@njit(cache=True, nogil=True, error_model="numpy")
def shares_of(logs: FloatArray, scale: float, out: FloatArray) -> None:
    """Write the shares (k,) that the log weights ``scale * logs`` are."""
    highest = -np.inf
    for k in range(logs.size):
        highest = max(highest, scale * logs[k])
    total = 0.0
    for k in range(logs.size):
        out[k] = np.exp(scale * logs[k] - highest)
        total += out[k]
    for k in range(logs.size):
        out[k] /= total


@njit(cache=True, nogil=True, error_model="numpy")
def learn_bar(
    logs: FloatArray, losses: FloatArray, rates: FloatArray, made: FloatArray, outcome: float
) -> float:
    """Charge every policy for a bar, in place; return the bounded outcome.

    Parameters
    ----------
    logs : ndarray of shape (rates, policies), float64
        Log weights.
    losses, rates : ndarray of shape (rates,), float64
        What each rate's mixture lost so far, and the rates.
    made : ndarray of shape (policies,), float64
        What each policy had said for the bar.
    outcome : float
        Profit over the standard deviation that was forecast for it; finite.
    """
    g = min(max(outcome, -OUTCOME_BOUND), OUTCOME_BOUND)
    weights = np.empty(made.size)
    for j in range(rates.size):
        shares_of(logs[j], 1.0, weights)
        for k in range(made.size):
            lost = -utility_of(g, made[k])
            losses[j] += weights[k] * lost
            logs[j, k] -= rates[j] * lost
        shares_of(logs[j], 1.0, weights)
        for k in range(made.size):
            logs[j, k] = np.log((1.0 - SHARE) * weights[k] + SHARE / made.size)
    return g


@njit(cache=True, nogil=True, error_model="numpy")
def weigh_policies(logs: FloatArray, losses: FloatArray, slowest: float, out: FloatArray) -> None:
    """Write what each policy (policies,) weighs in the mixture of all rates."""
    follow, weights = np.empty(losses.size), np.empty(out.size)
    shares_of(losses, -slowest, follow)
    out[:] = 0.0
    for j in range(losses.size):
        shares_of(logs[j], 1.0, weights)
        for k in range(out.size):
            out[k] += follow[j] * weights[k]


@njit(cache=True, nogil=True, error_model="numpy")
def see(held: float, bars: int, gain: float, spread: float, g: float) -> tuple[float, float]:
    """Return mean and variance of what a larger share would have gained, after a bar."""
    more = min(MOST, held + 10.0 * RISE)
    off = utility_of(g, more) - utility_of(g, held) - gain
    rate = max(EVIDENCE_RATE, 1.0 / (bars + 1))
    return gain + rate * off, (1.0 - rate) * (spread + rate * off * off)


@njit(cache=True, nogil=True, error_model="numpy")
def least_of(bars: int, gain: float, spread: float, need: int) -> float:
    """Return the lower confidence bound of what a larger share gains; NaN before ``need`` bars."""
    if bars < need:
        return np.nan
    worth = max(1.0, min(float(bars), 2.0 / EVIDENCE_RATE - 1.0))
    return float(gain - CONFIDENCE * np.sqrt(max(spread, 0.0) / worth))


@njit(cache=True, nogil=True, error_model="numpy")
def towards(held: float, wanted: float, least: float, rise: float) -> float:
    """Return the share brought towards ``wanted``: down at once, up on evidence."""
    if wanted <= held:
        return max(wanted, LEAST)
    if least > 0.0:
        return float(min(wanted, held + rise, MOST))
    return held


@njit(cache=True, nogil=True, error_model="numpy")
def say_policies(volatility: float, condition: float, drawdown: float, out: FloatArray) -> None:
    """Write the share that each of the six policies would use, in [0.25, 1]."""
    out[0], out[1], out[2] = 1.0, volatility, condition
    out[3], out[4], out[5] = volatility * condition, 1.0 - drawdown / BRAKE_AT, 0.5
    for k in range(out.size):
        out[k] = min(max(out[k], 0.25), 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def follow_holding(
    close: FloatArray,
    deviation: FloatArray,
    scale: FloatArray,
    rates: FloatArray,
    need: int,
    first: float,
    out: FloatArray,
) -> None:
    """Write the share that a credit line would have been of somebody who held one instrument.

    Parameters
    ----------
    close : ndarray of shape (t,), float64
        Closing prices, positive.
    deviation, scale : ndarray of shape (t,), float64
        The standard deviation forecast at each close, NaN where there is none, and the volatility
        policy's share.
    rates : ndarray of shape (rates,), float64
        Learning rates, the slowest first; ``need`` bars before anything rises, ``first`` the first share.
    out : ndarray of shape (t,), float64
        Written: the share decided at each close, NaN where nothing is forecast.
    """
    policies = 6
    logs, losses = np.zeros((rates.size, policies)), np.zeros(rates.size)
    said, weights = np.zeros(policies), np.zeros(policies)
    held, bars, gain, spread = first, 0, 0.0, 0.0
    wealth, peak, expected, spoken = 1.0, 1.0, 0.0, False
    for t in range(close.size):
        out[t] = np.nan
        if spoken:
            earned = close[t] / close[t - 1] - 1.0
            wealth *= 1.0 + earned
            peak = max(peak, wealth)
            if expected > 0.0 and np.isfinite(earned / expected):
                g = learn_bar(logs, losses, rates, said, earned / expected)
                gain, spread = see(held, bars, gain, spread, g)
                bars += 1
        if not np.isfinite(deviation[t]):
            continue
        spoken = True
        say_policies(scale[t], 1.0, 1.0 - wealth / peak, said)
        weigh_policies(logs, losses, rates[0], weights)
        wanted = 0.0
        for k in range(policies):
            wanted += weights[k] * said[k]
        wanted = min(max(wanted, LEAST), MOST)
        held = towards(held, wanted, least_of(bars, gain, spread, need), RISE)
        expected = deviation[t]
        out[t] = held


def warm_up() -> None:
    """Compile this module's kernels on three bars."""
    close, out = np.array([1.0, 1.1, 1.2]), np.empty(3)
    follow_holding(close, np.full(3, 0.1), np.ones(3), np.array([0.01]), 60, 0.5, out)
