"""Every feature is what its formula says, computed here the plain way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.regime.core.detector import Bars, aligned, batch_features
from quarterdeck.regime.core.features import FEATURES, MIN_BARS

Floats = npt.NDArray[np.float64]
BARS = 700


def market(seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0.0, 0.01, BARS) * (1.0 + 0.5 * np.sin(np.arange(BARS) / 40.0)))
    opens = np.concatenate((x[:1], x[:-1])) + rng.normal(0.0, 0.002, BARS)
    wick = np.abs(rng.normal(0.0, 0.004, (2, BARS)))
    high, low = np.maximum(opens, x) + wick[0], np.minimum(opens, x) - wick[1]
    return aligned(*(50.0 * np.exp(v) for v in (opens, high, low, x)), rng.uniform(1e5, 1e6, BARS))


def slow_mean(values: Floats, weights: Floats) -> float:
    mean = 0.0
    for value, weight in zip(values, weights, strict=True):
        mean += (value - mean) * weight
    return mean


def scale(x: Floats) -> float:
    squares = np.diff(x) ** 2
    weights = np.maximum(1.0 / np.arange(1, squares.size + 1), 2.0 / 251.0)
    return float(np.sqrt(slow_mean(squares, weights)))


def escape(x: Floats, s: float, sign: float) -> tuple[float, float]:
    furthest, age = 0.0, 0
    y = sign * x
    for back in range(10):
        u = y.size - 1 - back
        base = y[u - 40 : u]
        if np.ptp(base) > 1.6 * s * np.sqrt(40) or abs(base[-1] - base[0]) > 0.6 * np.ptp(base):
            continue
        beyond = (y[u:] - base.max()) / s
        if beyond[0] <= 0.0:
            continue
        out, back_in = beyond >= 2.0, beyond < -0.7
        thrown = back_in.any() and (not out.any() or back_in.argmax() < out.argmax())
        if not thrown and beyond.max() > furthest:
            furthest, age = beyond.max(), back + 1
    return min(furthest, 10.0), age / 10.0


def expected(bars: Bars) -> dict[str, float]:
    x, s = np.log(bars.close), scale(np.log(bars.close))
    r = np.diff(x)
    vol = {n: np.log(np.sqrt((r[-n:] ** 2).mean()) / s) for n in (5, 10, 20, 60, 120, 250)}
    wanted = {
        f"move_{n}": (x[-1] - x[-1 - n]) / (s * np.sqrt(n))
        for n in (1, 3, 5, 10, 20, 30, 40, 60, 80, 120, 160, 250)
    }
    for n in (10, 20, 40, 80, 160):
        wanted[f"efficiency_{n}"] = (x[-1] - x[-1 - n]) / np.abs(r[-n:]).sum()
    for n in (10, 20, 30, 40, 60, 120):
        wanted[f"corr_{n}"] = np.corrcoef(x[-n - 1 :], np.arange(n + 1))[0, 1]
    wanted.update({f"vol_{n}": value for n, value in vol.items()})
    for n in (20, 60, 120):
        top, bottom = x[-1 - n : -1].max(), x[-1 - n : -1].min()
        wanted[f"channel_{n}"] = np.clip(2.0 * (x[-1] - bottom) / (top - bottom) - 1.0, -2, 2)
        wanted[f"above_{n}"] = np.clip((x[-1] - top) / s, -10, 10)
        wanted[f"below_{n}"] = np.clip((bottom - x[-1]) / s, -10, 10)
        wanted[f"width_{n}"] = np.log((top - bottom) / (s * np.sqrt(n)))
    for n in (20, 40):
        box = np.ptp(x[-n - 1 :])
        wanted[f"box_{n}"] = np.log(box / (s * np.exp(vol[20]) * np.sqrt(n)))
        wanted[f"net_{n}"] = abs(x[-1] - x[-1 - n]) / box
    for n in (60, 250):
        last = x[-n:][::-1]
        wanted[f"drawdown_{n}"] = (last.max() - x[-1]) / (s * np.sqrt(n))
        wanted[f"runup_{n}"] = (x[-1] - last.min()) / (s * np.sqrt(n))
        wanted[f"since_high_{n}"] = last.argmax() / n
        wanted[f"since_low_{n}"] = last.argmin() / n
    at = x.size - 1 - int(x[:-61:-1].argmin())
    peak = x[x.size - 250 : at + 1].max()
    wanted["trough_depth"] = (peak - x[at]) / (s * np.sqrt(60))
    wanted["trough_regained"] = min((x[-1] - x[at]) / (peak - x[at]), 2.0) if peak > x[at] else 0.0
    wanted["trough_age"] = (x.size - 1 - at) / 60
    wanted["trough_under"] = np.clip((x[at - 60 : at].min() - x[at]) / s, -10, 10)
    wanted["break_up"], wanted["break_up_age"] = escape(x, s, 1.0)
    wanted["break_down"], wanted["break_down_age"] = escape(x, s, -1.0)
    fives = x[-60:] - x[-65:-5]
    wanted["variance_ratio"] = np.log((fives**2).sum() / (5.0 * (r[-60:] ** 2).sum()))
    wanted["autocorrelation"] = (r[-60:] * r[-61:-1]).sum() / (r[-60:] ** 2).sum()
    squares = r[-20:] ** 2
    wanted["downside"] = squares[r[-20:] < 0].sum() / squares.sum()
    wanted["jump"] = squares.max() / squares.sum()
    return wanted | classic(bars, s) | activity(bars)


def classic(bars: Bars, s: float) -> dict[str, float]:
    ready = batch_indicators(bars.high, bars.low, bars.close)[-1]
    return {
        "rsi": ready[0] / 50 - 1,
        "adx": ready[4] / 100,
        "di_balance": (ready[5] - ready[6]) / (ready[5] + ready[6]),
        "macd_hist": ready[3] / (bars.close[-1] * s),
        "band_width": np.log((ready[7] - ready[9]) / ready[8] / (s * np.sqrt(20))),
    }


def activity(bars: Bars) -> dict[str, float]:
    o, h, low, c = (np.log(column) for column in bars[:4])
    gap = np.concatenate(([0.0], o[1:] - c[:-1]))
    variance = gap**2 + 0.5 * (h - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2
    weights = np.maximum(1.0 / np.arange(1, o.size), 2.0 / 251.0)
    norm = slow_mean(variance[1:], weights)
    weights[0] = 1.0
    traded = slow_mean(bars.volume[1:], weights)
    return {
        "range_5": np.log(np.sqrt(variance[-5:].mean() / norm)),
        "range_20": np.log(np.sqrt(variance[-20:].mean() / norm)),
        "volume": np.log(bars.volume[-5:].mean() / traded),
    }


@pytest.mark.parametrize("seed", range(12))
def test_the_features_have_their_textbook_values(seed: int) -> None:
    bars = market(seed)
    count = BARS - 29 * seed
    bars = Bars(*(column[:count] for column in bars))
    found = batch_features(bars, batch_indicators(bars.high, bars.low, bars.close))
    wanted = expected(bars)
    assert wanted.keys() | {"vol_norm"} == set(FEATURES)
    for name, value in wanted.items():
        assert found[-1, FEATURES.index(name)] == pytest.approx(value, rel=1e-8, abs=1e-10), name


def test_the_volatility_norm_is_the_distance_from_its_own_slow_mean() -> None:
    bars = market(50)
    found = batch_features(bars, batch_indicators(bars.high, bars.low, bars.close))
    vol = found[MIN_BARS - 1 :, FEATURES.index("vol_20")]
    weights = np.maximum(1.0 / np.arange(1, vol.size + 1), 2.0 / 251.0)
    wanted = vol[-1] - slow_mean(vol, weights)
    assert found[-1, FEATURES.index("vol_norm")] == pytest.approx(wanted, rel=1e-9)


def test_unknown_volume_says_nothing() -> None:
    bars = market(51)
    indicators = batch_indicators(bars.high, bars.low, bars.close)
    whole = batch_features(bars, indicators)
    for silent in (np.full(BARS, np.nan), np.zeros(BARS)):
        found = batch_features(bars._replace(volume=silent), indicators)
        assert (found[MIN_BARS - 1 :, -1] == 0.0).all()
        assert found[:, :-1].tobytes() == whole[:, :-1].tobytes()


def test_sub_bars_speak_in_the_ranges_alone_and_a_bar_without_any_by_its_own_range() -> None:
    plain = market(3)
    indicators = batch_indicators(plain.high, plain.low, plain.close)
    found = batch_features(plain, indicators)
    h, low, o, c = (np.log(v) for v in (plain.high, plain.low, plain.open, plain.close))
    own = np.maximum(0.5 * (h - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2, 0.0)
    same = batch_features(plain._replace(variance=own), indicators)
    np.testing.assert_allclose(same, found, rtol=1e-9, atol=1e-9)
    # Five times the variance in the last twenty bars shows in both ranges and nowhere else.
    more = own.copy()
    more[-20:] *= 5.0
    louder = batch_features(plain._replace(variance=more), indicators)
    ranges = [FEATURES.index("range_5"), FEATURES.index("range_20")]
    others = [k for k in range(len(FEATURES)) if k not in ranges]
    assert (louder[-1, ranges] > found[-1, ranges] + 0.3).all()
    np.testing.assert_array_equal(louder[:, others], found[:, others])
    # A bar that has none in between falls back on its own range.
    some = own.copy()
    some[::2] = np.nan
    np.testing.assert_allclose(
        batch_features(plain._replace(variance=some), indicators), found, rtol=1e-9, atol=1e-9
    )
