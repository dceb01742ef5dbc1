"""The ex-post label rule names the paths a trader would name so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.regime.core.labels import LAG_BARS, LEAD_BARS, UNLABELLED, ex_post_labels

Floats = npt.NDArray[np.float64]
BEFORE = 400


def around(piece: Floats, *, seed: int, after: float = 0.0) -> Floats:
    """Return closes with ``piece`` of returns between stretches of noise that goes nowhere."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.01, 2 * BEFORE)
    pull = np.empty(2 * BEFORE)
    level = 0.0
    for k, shock in enumerate(noise):
        pull[k] = -0.15 * level + shock
        level += pull[k]
    moves = np.concatenate((pull[:BEFORE], piece, pull[BEFORE:] + after))
    return 100.0 * np.exp(np.cumsum(moves))


def share(labels: npt.NDArray[np.int64], regime: Regime) -> float:
    return float((labels == REGIMES.index(regime)).mean())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sign", "regime"), [(1.0, Regime.TRENDING_UP), (-1.0, Regime.TRENDING_DOWN)]
)
def test_a_long_straight_move_is_a_trend(seed: int, sign: float, regime: Regime) -> None:
    drift = sign * 0.005 + np.random.default_rng(seed).normal(0.0, 0.008, 60)
    labels = ex_post_labels(around(drift, seed=seed))[BEFORE + 15 : BEFORE + 55]
    assert share(labels, regime) > 0.7


@pytest.mark.parametrize("seed", range(4))
def test_swings_are_volatile_and_stillness_is_low_volatility(seed: int) -> None:
    sign = np.resize([1.0, -1.0], 40)
    wild = ex_post_labels(around(0.035 * sign, seed=seed))[BEFORE + 5 : BEFORE + 35]
    still = ex_post_labels(around(0.002 * sign, seed=seed))[BEFORE + 12 : BEFORE + 28]
    assert share(wild, Regime.VOLATILE) > 0.8
    assert share(still, Regime.LOW_VOLATILITY) > 0.8


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_leaving_a_narrow_base_for_good_is_an_escape_of_ten_bars(sign: float) -> None:
    quiet = 0.004 * np.resize([1.0, 1.0, -1.0, -1.0], 52)
    piece = np.concatenate((quiet, np.full(6, sign * 0.02), np.zeros(30)))
    labels = ex_post_labels(around(piece, seed=3))
    regime = Regime.BREAKOUT if sign > 0.0 else Regime.BREAKDOWN
    found = np.flatnonzero(labels == REGIMES.index(regime))
    start = BEFORE + 52
    assert np.isin(np.arange(start, start + 10), found).all()


def test_regaining_half_of_a_fall_is_a_recovery_that_ends_there() -> None:
    piece = np.concatenate((np.full(30, -0.012), np.full(40, 0.009)))
    labels = ex_post_labels(around(piece, seed=4))
    low = BEFORE + 29
    recovering = np.flatnonzero(labels == REGIMES.index(Regime.RECOVERY))
    inside = recovering[(recovering > low) & (recovering < low + 60)]
    assert inside[0] == low + 1
    assert 15 <= inside.size <= 30


def test_mirrored_prices_have_mirrored_labels_but_for_recoveries() -> None:
    close = 50.0 * np.exp(np.cumsum(np.random.default_rng(8).normal(0.0, 0.01, 3_000)))
    up, down = ex_post_labels(close), ex_post_labels(1.0 / close)
    mirror = np.array([1, 0, 2, 3, 4, 6, 5, 7, 8])
    known = (up >= 0) & (up != 7) & (down != 7)
    assert (mirror[up[known]] == down[known]).mean() > 0.97


def test_only_the_middle_is_labelled_and_a_change_of_scale_changes_nothing() -> None:
    close = 50.0 * np.exp(np.cumsum(np.random.default_rng(9).normal(0.0, 0.01, 1_000)))
    labels = ex_post_labels(close)
    assert (labels[:LEAD_BARS] == UNLABELLED).all()
    assert (labels[-LAG_BARS:] == UNLABELLED).all()
    assert (labels[LEAD_BARS:-LAG_BARS] >= 0).all()
    assert (ex_post_labels(close * 1024.0) == labels).all()


def test_a_price_that_never_moves_is_undetermined() -> None:
    labels = ex_post_labels(np.full(600, 10.0))
    assert set(labels[LEAD_BARS:-LAG_BARS]) == {REGIMES.index(Regime.UNDETERMINED)}


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_prices_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(InvalidInput):
        ex_post_labels(np.array([1.0, bad, 1.0]))
