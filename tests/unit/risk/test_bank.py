"""The risk forecast: what it is, that it holds on real prices, and that arrival does not matter."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core import filters
from quarterdeck.risk.core.backtest import HitCounts, christoffersen, kupiec
from quarterdeck.risk.core.bank import (
    COLUMNS,
    ES95,
    ES99,
    EXPERTS,
    MIN_CLOSES,
    RECURSIONS,
    VAR95,
    VAR99,
    VOLATILITY,
    WINDOW,
    BankState,
    batch_bank,
    slow_volatility,
    update_bank,
)
from quarterdeck.risk.core.filters import MIN_RESIDUALS
from quarterdeck.risk.core.mixing import learn_from, weigh
from quarterdeck.risk.core.recursion import Recursion, range_proxy

FloatArray = npt.NDArray[np.float64]


def walk(bars: int, *, seed: int, scale: float = 0.01) -> FloatArray:
    steps = scale * np.random.default_rng(seed).standard_t(4, bars)
    return np.ascontiguousarray(50.0 * np.exp(np.cumsum(steps)))


def batch_risk(close: FloatArray) -> FloatArray:
    """The forecasts for one instrument of which only closes are known."""
    return batch_bank(close[:, None])[:, 0]


def stream(prices: FloatArray) -> FloatArray:
    """Feed a (bars, instruments) array one slice at a time."""
    bars, n = prices.shape
    state, out = BankState(n), np.full((n, COLUMNS), np.nan)
    rows = np.arange(n, dtype=np.int64)
    seen = np.empty((bars, n, COLUMNS))
    for t in range(bars):
        update_bank(state, rows, close=np.ascontiguousarray(prices[t]), out=out)
        seen[t] = out
    return seen


def only(expert: str, close: FloatArray) -> FloatArray:
    """The forecasts of one expert of the bank, by itself."""
    state, out = BankState(1), np.full((1, COLUMNS), np.nan)
    state.prior[:] = np.array([name == expert for name in EXPERTS], dtype=np.float64)
    seen = np.empty((close.size, COLUMNS))
    for t in range(close.size):
        update_bank(state, np.zeros(1, dtype=np.int64), close=close[t : t + 1].copy(), out=out)
        seen[t] = out[0]
    return seen


def plainly(close: FloatArray, c: Recursion) -> FloatArray:
    """The published recursion written with whole-window numpy and no state."""
    out = np.full((close.size, 5), np.nan)
    slow = level = h = 0.0
    residuals: list[float] = []
    moves = 0
    pull = 1.0 - c.shock - 0.5 * c.asymmetry - c.memory
    for t in range(1, close.size):
        r = math.log(close[t] / close[t - 1])
        x, down = r * r, float(r < 0.0)
        if t > 50:
            z = r / math.sqrt(h) if r != 0.0 and h > 0.0 else math.copysign(12.0, r) * (r != 0.0)
            residuals.append(float(np.clip(z, -12.0, 12.0)))
        shock = min(x, 25.0 * slow) if moves >= 100 else x
        moves += r != 0.0
        slow += (1.0 / t if t <= 550 else 0.001) * (shock - slow)
        if t == 50:
            level = h = slow
        elif t > 50:
            bounded = x
            if math.isfinite(c.freedom) and h > 0.0:
                bounded = x * (c.freedom + 1.0) / (c.freedom - 2.0 + x / h)
            h = pull * level + c.memory * h + (c.shock + c.asymmetry * down) * bounded
            h = max(h, 0.02 * slow)
            level += c.pull * (slow - level) + c.level_shock * (bounded - level)
            level += c.level_asymmetry * (down - 0.5) * bounded
            level = max(level, 0.04 * slow)
        if len(residuals) >= 250:
            window = np.array(residuals[-2000:])
            out[t, 0] = math.sqrt(h)
            for column, percent in ((1, 5), (3, 1)):
                worst = np.sort(window)[: -(-percent * window.size // 100)]
                tail = np.array([np.quantile(window, percent / 100.0), worst.mean()])
                out[t, column : column + 2] = np.maximum(0.0, 1.0 - np.exp(math.sqrt(h) * tail))
    return out


@pytest.mark.parametrize(
    ("expert", "recursion"), tuple(zip(EXPERTS[:3], RECURSIONS[:3], strict=True))
)
def test_each_expert_is_its_published_recursion(
    closes: dict[str, FloatArray], expert: str, recursion: Recursion
) -> None:
    for close in (closes["SPX"], closes["RRC"][:2_500], walk(1_400, seed=1)):
        np.testing.assert_allclose(
            only(expert, close), plainly(close, recursion), rtol=1e-10, atol=1e-13
        )


def test_streaming_gives_the_batch_bit_for_bit(closes: dict[str, FloatArray]) -> None:
    prices = np.column_stack([closes["SPX"], closes["IXIC"], walk(closes["SPX"].size, seed=2)])
    seen = stream(prices)
    for i in range(prices.shape[1]):
        assert batch_risk(prices[:, i].copy()).tobytes() == seen[:, i].tobytes()


def test_a_forecast_does_not_change_when_the_future_does() -> None:
    close = walk(1_600, seed=3)
    whole = batch_risk(close)
    for cut in (MIN_CLOSES, 900, 1_599):
        changed = np.concatenate([close[:cut], 3.0 * close[cut:][::-1]])
        assert batch_risk(changed)[:cut].tobytes() == whole[:cut].tobytes()
        assert batch_risk(close[:cut]).tobytes() == whole[:cut].tobytes()


def test_what_one_instrument_does_leaves_the_others_alone() -> None:
    prices = np.column_stack([walk(400, seed=4), walk(400, seed=5)])
    other = prices.copy()
    other[:, 1] *= np.linspace(1.0, 9.0, 400)
    assert stream(prices)[:, 0].tobytes() == stream(other)[:, 0].tobytes()


def test_nothing_is_forecast_before_enough_residuals_and_always_after() -> None:
    out = batch_risk(walk(MIN_CLOSES + 900, seed=6))
    assert np.isnan(out[: MIN_CLOSES - 1]).all()
    assert np.isfinite(out[MIN_CLOSES - 1 :]).all()


def test_the_count_says_how_many_residuals_are_there() -> None:
    state, out, rows = BankState(1), np.full((1, COLUMNS), np.nan), np.zeros(1, dtype=np.int64)
    for price in walk(MIN_CLOSES, seed=7):
        assert np.isnan(slow_volatility(state)[0])
        update_bank(state, rows, close=np.array([price]), out=out)
    assert state.seen[0].max() == MIN_RESIDUALS
    assert slow_volatility(state)[0] == math.sqrt(state.slow[0])


@pytest.mark.parametrize(("column", "tail"), [(VAR95, 0.05), (VAR99, 0.01)])
def test_forecasts_of_the_indices_are_exceeded_as_often_as_promised(
    closes: dict[str, FloatArray], column: int, tail: float
) -> None:
    for symbol in ("SPX", "IXIC"):
        assert kupiec(HitCounts.of(hits(closes[symbol], column=column)), tail=tail).p_value > 0.05


@pytest.mark.parametrize(("column", "tail"), [(VAR95, 0.05), (VAR99, 0.01)])
def test_over_thirty_years_of_twenty_stocks_hardly_any_coverage_test_rejects(
    closes: dict[str, FloatArray], column: int, tail: float
) -> None:
    stocks = np.column_stack(
        [close for symbol, close in closes.items() if symbol not in {"SPX", "IXIC"}]
    )
    forecast, loss = batch_bank(stocks)[:-1, :, column], 1.0 - stocks[1:] / stocks[:-1]
    tests = []
    for i in range(20):
        known = np.isfinite(forecast[:, i])
        tests.append(HitCounts.of(np.asarray(loss[known, i] > forecast[known, i])))
    coverage = [kupiec(each, tail=tail) for each in tests]
    # A perfect forecaster is rejected once in twenty at 5 %.
    assert sum(test.p_value > 0.05 for test in coverage) >= 19
    assert sum(christoffersen(h, tail=tail).conditional_p_value > 0.05 for h in tests) >= 17
    assert np.mean([test.hit_rate for test in coverage]) == pytest.approx(tail, rel=0.15)


def test_a_loss_beyond_the_forecast_is_as_deep_as_the_shortfall_says(
    closes: dict[str, FloatArray],
) -> None:
    ratios = []
    for close in closes.values():
        out, loss = batch_risk(close), 1.0 - close[1:] / close[:-1]
        hit = loss > out[:-1, VAR95]
        ratios.append(float(np.mean(loss[hit] / out[:-1][hit, ES95])))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


def hits(close: FloatArray, *, column: int) -> npt.NDArray[np.bool_]:
    forecast = batch_risk(close)[:-1, column]
    loss = 1.0 - close[1:] / close[:-1]
    known = np.isfinite(forecast)
    return np.asarray(loss[known] > forecast[known])


@given(st.integers(0, 10_000), st.floats(1e-5, 0.4))
def test_losses_are_ordered_and_never_exceed_the_price(seed: int, scale: float) -> None:
    out = batch_risk(walk(420, seed=seed, scale=scale))[MIN_CLOSES - 1 :]
    assert (out[:, VOLATILITY] > 0.0).all()
    assert (out[:, VAR95] >= 0.0).all()
    assert (out[:, ES99] <= 1.0).all()
    for low, high in ((VAR95, ES95), (VAR99, ES99), (VAR95, VAR99), (ES95, ES99)):
        assert (out[:, low] <= out[:, high]).all()


def test_the_unit_of_the_price_does_not_matter() -> None:
    close = walk(700, seed=8)
    np.testing.assert_array_equal(batch_risk(close), batch_risk(1024.0 * close))


def test_a_price_that_never_moves_has_no_risk_and_its_first_move_is_survived() -> None:
    close = np.full(600, 10.0)
    assert (batch_risk(close)[MIN_CLOSES - 1 :] == 0.0).all()
    close[400:] = 7.0
    out = batch_risk(close)
    assert np.isfinite(out[MIN_CLOSES - 1 :]).all()
    assert (out[400, [VOLATILITY, ES99]] > 0.0).all()


@pytest.mark.parametrize("factor", [0.01, 20.0])
def test_after_a_jump_the_forecast_rises_at_once_and_returns(factor: float) -> None:
    close = walk(3_000, seed=9)
    close[1_000:] *= factor
    out = batch_risk(close)
    assert np.isfinite(out[MIN_CLOSES - 1 :]).all()
    assert out[1_000, VAR99] > 5.0 * out[999, VAR99]
    # The slow level took at most 25 times its own variance from the jump.
    assert out[1_400, VOLATILITY] < 2.0 * out[999, VOLATILITY]


def with_false(factor: float, at: int = 1_000) -> FloatArray:
    close = walk(1_100, seed=8)
    close[at] *= factor
    return close


def test_a_rise_beyond_belief_may_come_back_and_that_is_the_loss() -> None:
    close = with_false(10.0)
    risk, plain = batch_risk(close), batch_risk(walk(1_100, seed=8))
    loss = 1.0 - close[1_001] / close[1_000]
    for var, es in ((VAR95, ES95), (VAR99, ES99)):
        assert 0.9 < risk[1_000, var] < risk[1_000, es] < 1.0
        # The way back is foreseen as well as the bar would have been without the false price.
        way = (1.0 - risk[1_000, var]) * close[1_000] / close[999]
        assert way == pytest.approx(1.0 - plain[999, var], rel=1e-12)
    assert loss < risk[1_000, VAR99]
    # The way back is a crash to the filters, but a bounded one.
    assert (risk[1_010:, VAR99] < 2.0 * plain[1_010:, VAR99]).all()


def test_a_return_from_a_false_fall_and_a_rise_that_is_believable_are_not_doubted() -> None:
    for factor in (0.1, 2.0):
        risk = batch_risk(with_false(factor))
        assert (risk[999:, VAR99] < 0.6).all()


def test_experts_are_not_judged_by_a_bar_whose_price_was_in_doubt() -> None:
    close = with_false(10.0)
    state, out = BankState(1), np.full((1, COLUMNS), np.nan)
    regrets = []
    for price in close[:1_003]:
        update_bank(state, np.zeros(1, dtype=np.int64), close=np.array([price]), out=out)
        regrets.append(state.regret.copy())
    assert np.array_equal(regrets[1_000], regrets[1_001])
    assert not np.array_equal(regrets[1_001], regrets[1_002])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 0.0, 1e200])
def test_a_price_that_is_none_is_no_observation(bad: float) -> None:
    close = walk(500, seed=10)
    with_gap = np.insert(close, 350, bad)
    out = batch_risk(with_gap)
    assert np.isnan(out[350]).all()
    np.testing.assert_array_equal(np.delete(out, 350, axis=0), batch_risk(close))


def test_only_the_rows_of_the_slice_are_written() -> None:
    state, out = BankState(3), np.full((3, COLUMNS), 7.0)
    update_bank(state, np.array([2, 0]), close=np.array([5.0, 6.0]), out=out)
    assert np.isnan(out[[0, 2]]).all()
    assert (out[1] == 7.0).all()
    np.testing.assert_array_equal(state.close, [6.0, np.nan, 5.0])


def test_a_saved_state_continues_bit_for_bit() -> None:
    prices = np.column_stack([walk(1_500, seed=11), walk(1_500, seed=12)])
    rows = np.arange(2, dtype=np.int64)
    first, second = BankState(2), BankState(2)
    out, again = np.empty((2, COLUMNS)), np.empty((2, COLUMNS))
    for t in range(1_300):
        update_bank(first, rows, close=np.ascontiguousarray(prices[t]), out=out)
    second.load({name: array.copy() for name, array in first.arrays().items()})
    for t in range(1_300, 1_500):
        update_bank(first, rows, close=np.ascontiguousarray(prices[t]), out=out)
        update_bank(second, rows, close=np.ascontiguousarray(prices[t]), out=again)
        assert out.tobytes() == again.tobytes()
    for name, array in first.arrays().items():
        assert array.tobytes() == second.arrays()[name].tobytes()


def test_the_ordered_window_holds_the_last_residuals() -> None:
    state, out, rows = BankState(1), np.empty((1, COLUMNS)), np.zeros(1, dtype=np.int64)
    close = np.round(walk(2_300, seed=13), 1)  # rounding makes ties and zero returns
    for price in close:
        update_bank(state, rows, close=np.array([price]), out=out)
    assert state.seen[0, 0] > WINDOW
    np.testing.assert_array_equal(state.ordered, np.sort(state.residuals, axis=2))


def test_a_state_of_another_shape_or_type_is_refused_and_changes_nothing() -> None:
    state = BankState(2)
    good = {name: array + 1 for name, array in state.arrays().items()}
    for wrong in (
        {**good, "slow": np.zeros(3)},
        {**good, "slow": np.zeros(2, dtype=np.float32)},
        {name: array for name, array in good.items() if name != "slow"},
        {**good, "other": np.zeros(2)},
    ):
        with pytest.raises(InvalidInput, match="is not accepted"):
            state.load(wrong)
        assert (state.slow == 0.0).all()
        assert (state.seen == 0).all()


def test_arrays_that_do_not_fit_are_refused() -> None:
    state, out = BankState(2), np.empty((2, COLUMNS))
    rows, close = np.array([0, 1]), np.array([1.0, 2.0])
    for bad_rows, bad_close, bad_out in (
        (np.array([0, 2]), close, out),
        (np.array([-1, 0]), close, out),
        (rows.astype(np.int32), close, out),
        (rows, close[:1], out),
        (rows, close, np.empty((3, COLUMNS))),
        (rows, close, np.empty((COLUMNS, 2)).T),
    ):
        with pytest.raises(InvalidInput):
            update_bank(state, bad_rows, close=bad_close, out=bad_out)
    with pytest.raises(InvalidInput, match="float64"):
        batch_bank(np.ones(2))


def test_no_arrangement_of_the_input_compiles_the_kernel_again() -> None:
    state, out = BankState(2), np.empty((2, COLUMNS))
    rows, close = np.arange(4, dtype=np.int64)[::2] // 2, np.arange(1.0, 5.0)[::2]
    update_bank(state, rows, close=close, out=out)
    rows, close = np.arange(2, dtype=np.int64), np.array([1.0, 2.0])
    rows.flags.writeable = close.flags.writeable = False
    update_bank(state, rows, close=close, out=out)
    batch_risk(close)
    assert len(filters.advance.signatures) == 1


def bars_of(close: FloatArray, *, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Open, high and low that may belong to these closes, each of shape (t, 1)."""
    rng = np.random.default_rng(seed)
    o = np.concatenate((close[:1], close[:-1])) * np.exp(0.002 * rng.standard_normal(close.size))
    high = np.maximum(o, close) * np.exp(np.abs(0.004 * rng.standard_normal(close.size)))
    low = np.minimum(o, close) * np.exp(-np.abs(0.004 * rng.standard_normal(close.size)))
    return o[:, None], high[:, None], low[:, None]


def test_a_range_adds_an_expert_and_a_range_that_cannot_be_true_adds_nothing() -> None:
    close = walk(700, seed=14)
    o, high, low = bars_of(close, seed=15)
    plain = batch_risk(close)
    ranged = batch_bank(close[:, None], ohl=(o, high, low))[:, 0]
    assert not np.array_equal(ranged[-1], plain[-1])
    np.testing.assert_array_equal(batch_bank(close[:, None], ohl=(o, low, high))[:, 0], plain)
    flat = close[:, None]
    np.testing.assert_array_equal(batch_bank(flat, ohl=(flat, flat, flat))[:, 0], plain)


def test_the_range_is_the_published_variance() -> None:
    before, o, high, low, c = 10.0, 10.2, 10.9, 9.8, 10.5
    up, down, end = (math.log(x / o) for x in (high, low, c))
    expected = math.log(o / before) ** 2 + up * (up - end) + down * (down - end)
    assert range_proxy(before, o, high, low, c) == pytest.approx(expected, rel=1e-14)
    assert math.isnan(range_proxy(before, o, 10.4, low, c))


def test_ten_instruments_make_a_market_and_nine_do_not() -> None:
    prices = np.column_stack([walk(700, seed=20 + i) for i in range(10)])
    alone = batch_risk(np.ascontiguousarray(prices[:, 0]))
    np.testing.assert_array_equal(batch_bank(prices[:, :9].copy())[:, 0], alone)
    assert not np.array_equal(batch_bank(prices)[-1, 0], alone[-1])


def test_adahedge_weighs_the_experts_as_published() -> None:
    rng = np.random.default_rng(16)
    prior, alpha = np.array([0.25, 0.25, 0.5]), 0.05
    quantiles = -0.01 * np.exp(0.3 * rng.standard_normal((400, 3)))
    quantiles[100:150, 2] = np.nan
    returns = 0.006 * rng.standard_normal(400)
    regret, weight, gap = np.zeros(3), np.zeros(3), 0.0
    total, weights, delta = np.zeros(3), prior.copy(), 0.0
    for q, r in zip(quantiles, returns, strict=True):
        weigh(regret, weight, gap, q, prior)
        mixed = float(weight @ np.nan_to_num(q))
        gap = learn_from(regret, weight, gap, q, mixed, r, alpha)
        awake = ~np.isnan(q)
        if delta > 0.0:
            eta = math.log(3) / delta
            weights = prior * np.exp(-eta * (total - total[awake].min()))
        else:
            eta = math.inf
            weights = np.where(total == total[awake].min(), prior, 0.0)
        weights = np.where(awake, weights, 0.0) / weights[awake].sum()
        np.testing.assert_allclose(weight, weights, rtol=1e-9, atol=1e-300)
        ours = float(weights @ np.nan_to_num(q))
        slope = (float(r < ours) - alpha) / -ours
        losses = np.where(awake, slope * np.nan_to_num(q), slope * ours)
        least = losses[awake].min()
        mix = (
            least
            if eta == math.inf
            else least - math.log(weights @ np.exp(-eta * (losses - least))) / eta
        )
        delta += max(0.0, slope * ours - mix)
        total += losses
    assert gap == pytest.approx(delta, rel=1e-9)


def test_the_guard_acts_only_where_it_is_switched_on() -> None:
    steps = 0.01 * np.random.default_rng(17).standard_normal(3_000)
    steps[2_000::4] = -0.03
    close = 50.0 * np.exp(np.cumsum(steps))
    plain = batch_bank(close[:, None])
    guarded = batch_bank(close[:, None], guarded=(True, False))
    assert guarded[-1, 0, VAR95] != plain[-1, 0, VAR95]
    np.testing.assert_array_equal(guarded[:1_000], plain[:1_000])


@pytest.mark.parametrize("levels", [(), (0.99, 0.95), (0.4,), (0.95, 0.95), (math.nan,), (1.0,)])
def test_levels_that_are_none_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="levels"):
        BankState(1, levels=levels)
