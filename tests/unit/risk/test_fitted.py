"""A fitted expert is judged before it is let in, is never alone, and comes back bit for bit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.adapters.feeds.listing import listed, timeframe_of
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from quarterdeck.library import gjr
from quarterdeck.market.model import BarsClosed
from quarterdeck.market.service import MarketService
from quarterdeck.risk.core.bank import COLUMNS, VAR99, BankState, batch_bank, update_bank
from quarterdeck.risk.core.filters import FITTED, MOST_FITTED
from quarterdeck.risk.core.fitted import NEED, Fit, judged, rounded, take_fit, unsound
from quarterdeck.risk.model import FittedGjr, TakeFits
from quarterdeck.risk.service import RiskService
from quarterdeck.runtime.config import RiskSection
from tests.unit.stages import Store, arrived, embedded, step_at

FloatArray = npt.NDArray[np.float64]

TRUE = Fit(0.0003, 2e-6, 0.03, 0.10, 0.90, 8.0)
FEED = embedded()


def simulated(bars: int, fit: Fit = TRUE, *, seed: int = 1) -> FloatArray:
    """Log returns of the process that ``fit`` states, with shocks that are as heavy."""
    shocks = np.random.default_rng(seed).standard_t(fit.freedom, bars)
    shocks *= math.sqrt((fit.freedom - 2.0) / fit.freedom)
    h, out = fit.base / (1.0 - fit.shock - fit.fall_shock / 2.0 - fit.memory), np.empty(bars)
    for t in range(bars):
        e = math.sqrt(h) * shocks[t]
        out[t] = fit.mean + e
        h = fit.base + (fit.shock + fit.fall_shock * (e < 0.0)) * e * e + fit.memory * h
    return out


def plainly(returns: FloatArray, fit: Fit) -> tuple[list[float], float]:
    """Residuals after the first 50 and the variance of the next bar, without a floor."""
    h = float(np.mean(returns[:50] ** 2))
    residuals = []
    for r in returns[50:].tolist():
        e = r - fit.mean
        residuals.append(e / math.sqrt(h))
        h = fit.base + (fit.shock + fit.fall_shock * (e < 0.0)) * e * e + fit.memory * h
    return residuals, h


def run(close: FloatArray, fits: dict[int, Fit]) -> tuple[FloatArray, BankState]:
    """Forecasts of a bank with a fitted expert, to which fits are given after the bars named."""
    state, out = BankState(1, fitted=True), np.full((1, COLUMNS), np.nan)
    seen, row = np.empty((close.size, COLUMNS)), np.zeros(1, dtype=np.int64)
    for t in range(close.size):
        update_bank(state, row, close=close[t : t + 1].copy(), out=out)
        seen[t] = out[0]
        if t in fits:
            take_fit(state, 0, fits[t], np.diff(np.log(close[: t + 1])))
    return seen, state


@pytest.fixture(scope="module")
def close() -> FloatArray:
    return np.ascontiguousarray(50.0 * np.exp(np.cumsum(simulated(3_000))))


def test_without_a_fit_nothing_is_different(close: FloatArray) -> None:
    forecasts, state = run(close, {})
    assert np.isnan(state.variance[0, FITTED])
    # One sleeper more changes the learning rate's logarithm and nothing else.
    np.testing.assert_allclose(
        forecasts[400:], batch_bank(close[:, None])[400:, 0], rtol=0.02, equal_nan=False
    )


def test_the_past_is_filtered_as_published_and_the_next_bars_go_on_from_there(
    close: FloatArray,
) -> None:
    returns = np.diff(np.log(close))
    _, state = run(close[:1_500], {1_499: TRUE})
    residuals, h = plainly(returns[:1_499], TRUE)
    assert state.seen[0, FITTED] == len(residuals) == 1_449
    np.testing.assert_allclose(state.residuals[0, FITTED, :1_449], residuals, rtol=1e-9)
    np.testing.assert_allclose(state.ordered[0, FITTED, :1_449], np.sort(residuals), rtol=1e-9)
    assert state.variance[0, FITTED] == pytest.approx(h, rel=1e-12)
    _, later = run(close[:1_600], {1_499: TRUE})
    residuals, h = plainly(returns[:1_599], TRUE)
    assert later.variance[0, FITTED] == pytest.approx(h, rel=1e-12)
    np.testing.assert_allclose(later.residuals[0, FITTED, :1_549], residuals, rtol=1e-9)


def test_a_true_fit_earns_weight_and_never_more_than_half(close: FloatArray) -> None:
    _, state = run(close, {1_000: TRUE})
    weights = state.weight[0, :, FITTED]
    assert (weights > 0.1).all()
    assert (weights <= MOST_FITTED).all()
    np.testing.assert_allclose(state.weight[0].sum(axis=1), 1.0, rtol=1e-12)
    state.regret[0, :, :FITTED] += 1e6
    update_bank(state, np.zeros(1, dtype=np.int64), close=close[-1:], out=np.empty((1, COLUMNS)))
    assert (state.weight[0, :, FITTED] == MOST_FITTED).all()
    np.testing.assert_allclose(state.weight[0].sum(axis=1), 1.0, rtol=1e-12)


def test_a_wrong_fit_that_was_let_in_loses_its_weight(close: FloatArray) -> None:
    wrong = TRUE._replace(base=2e-3)
    forecasts, state = run(close, {1_000: wrong})
    # Its residuals are as much too small as its variance is too large, so that it is not all wrong.
    assert (state.weight[0, :, FITTED] < 0.1).all()
    alone = batch_bank(close[:, None])[:, 0]
    np.testing.assert_allclose(forecasts[-500:, VAR99], alone[-500:, VAR99], rtol=0.15)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"memory": 0.95}, "persistence"),
        ({"memory": float("nan")}, "finite"),
        ({"base": 0.0}, "negative"),
        ({"shock": -0.01}, "negative"),
        ({"fall_shock": -0.04}, "negative"),
        ({"shock": 0.31, "memory": 0.3}, "too much"),
        ({"fall_shock": 0.48, "memory": 0.3}, "too much"),
        ({"freedom": 2.2}, "degrees"),
    ],
)
def test_a_fit_that_states_no_mild_process_is_not_let_in(
    changed: dict[str, float], why: str
) -> None:
    assert unsound(TRUE) is None
    assert why in str(unsound(TRUE._replace(**changed)))


def test_a_fit_is_judged_beside_what_is_not_fitted(close: FloatArray) -> None:
    returns, state = np.diff(np.log(close))[:2_000], BankState(1)
    true = judged(state, TRUE, returns)
    assert true.fitted < true.plain
    absurd = judged(state, TRUE._replace(base=2e-3), returns)
    assert absurd.fitted > absurd.plain + 1.0
    assert absurd.plain == true.plain or absurd.plain == pytest.approx(true.plain, abs=0.5)
    with pytest.raises(InvalidInput, match="returns"):
        judged(state, TRUE, returns[: NEED - 1])
    with pytest.raises(InvalidInput, match="bank"):
        take_fit(state, 0, TRUE, returns)


def test_a_deck_without_the_package_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gjr, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="not installed"):
        gjr.fitted({"A": [0.0] * 600})


def test_the_package_finds_the_process() -> None:
    returns = {"A": simulated(2_000).tolist(), "B": [0.0] * 600}
    found = {str(one["symbol"]): one for one in gjr.fitted(returns).fits}
    assert unsound(Fit(*(float(found["A"][name]) for name in Fit._fields))) is None
    assert float(found["A"]["memory"]) == pytest.approx(TRUE.memory, abs=0.08)


class Desk:
    """The risk service over the embedded history, with fits that come between its slices."""

    def __init__(self, store: Store | None = None, *, every: int = 21) -> None:
        self.store = Store() if store is None else store
        self.numbers: Iterator[int] = count(10_000)
        self.market = MarketService(instruments=listed(FEED), timeframe=timeframe_of(FEED))
        self.risk = RiskService(
            symbols=FEED.symbols,
            quantity_scales=tuple(one.quantity_scale for one in listed(FEED)),
            config=RiskSection(fitted_every_bars=every),
            capital_units=10**11,
            hard_units=4 * 10**10,
            gross_ratio=1.5,
        )

    def slice(self, index: int) -> None:
        message = arrived(FEED, index)
        step = step_at(index, message.at)
        bars = self.market.closed(message)
        assert isinstance(bars, BarsClosed)
        self.risk.hear(bars, step)
        self.store.commit(step)

    def hand_in(self, index: int, fit: Fit = TRUE, *, symbol: str = "") -> None:
        step = step_at(index, arrived(FEED, index).at, number=next(self.numbers))
        one = FittedGjr(symbol=symbol or FEED.symbols[0], **fit._asdict())
        self.risk.fitting.take(TakeFits(fits=(one,), model="by hand 1"), step)
        assert [kind for _, kind, _, _ in step.audits] == ["fits_taken"]
        self.store.commit(step)

    def absorb(self, index: int) -> None:
        self.risk.absorb(self.market.closed(arrived(FEED, index)))


@pytest.fixture(scope="module")
def lived() -> tuple[Desk, dict[str, npt.NDArray[np.generic]]]:
    """A desk after 640 slices, with a fit before and after the checkpoint at 600, and that checkpoint."""
    desk = Desk()
    kept: dict[str, npt.NDArray[np.generic]] = {}
    for index in range(640):
        desk.slice(index)
        if index == 560:
            desk.hand_in(index, rounded(TRUE._replace(base=1.23456789012e-6)))
        if index == 600:
            kept = {name: array.copy() for name, array in desk.risk.arrays().items()}
            desk.hand_in(index)
            desk.hand_in(index, TRUE._replace(memory=0.99), symbol=FEED.symbols[1])
        if index == 639:
            desk.hand_in(index, TRUE._replace(shock=0.04))
    return desk, kept


def test_a_restart_lets_the_same_fits_in_at_the_same_slices(
    lived: tuple[Desk, dict[str, npt.NDArray[np.generic]]],
) -> None:
    desk, kept = lived
    for begin in (0, 601):
        after = Desk(desk.store)
        after.risk.load(desk.store.reader())
        if begin:
            after.risk.restore(kept)  # type: ignore[arg-type]
        for index in range(begin, 640):
            after.absorb(index)
        for name, array in desk.risk.arrays().items():
            assert array.tobytes() == after.risk.arrays()[name].tobytes(), name
        assert after.risk.fitting.view() == desk.risk.fitting.view()
        for one in (desk, after):
            # The fit that came last is of the next slice.
            assert float(one.risk.arrays()["filters.fits"][0, 2]) == TRUE.shock
        after.absorb(640)
        assert float(after.risk.arrays()["filters.fits"][0, 2]) == 0.04


def test_what_is_not_sound_is_told_and_leaves_the_rest_in_force(
    lived: tuple[Desk, dict[str, npt.NDArray[np.generic]]],
) -> None:
    view = lived[0].risk.fitting.view()
    first, second = (
        next(one for one in view.fits if one.symbol == symbol) for symbol in FEED.symbols[:2]
    )
    assert view.every_bars == 21
    assert first.accepted
    assert first.loss is not None
    assert first.weight99 is not None
    assert 0.0 < first.weight99 <= MOST_FITTED
    assert not second.accepted
    assert "persistence" in second.reason
    assert second.loss is second.weight99 is None
    rows = lived[0].store.all("risk_fits")
    assert [row["slice"] for row in rows] == [560, 600, 600, 639]


def test_fits_are_due_every_so_often_and_only_with_returns_enough(
    lived: tuple[Desk, dict[str, npt.NDArray[np.generic]]],
) -> None:
    fitting = lived[0].risk.fitting
    assert [fitting.due(index) for index in (639, 659, 660)] == [False, False, True]
    assert Desk().risk.fitting.due(NEED)
    assert not Desk().risk.fitting.due(NEED - 1)
    assert not Desk(every=0).risk.fitting.due(5_000)
    assert set(fitting.returns()) == set(FEED.symbols)


def test_fits_that_cannot_be_meant_are_refused_and_change_nothing() -> None:
    desk = Desk()
    step = step_at(0, arrived(FEED, 0).at)
    one = FittedGjr(symbol=FEED.symbols[0], **TRUE._asdict())
    other = FittedGjr(symbol="NONE", **TRUE._asdict())
    for fits, model, refused in (
        ((), "m", InvalidInput),
        ((one, one), "m", InvalidInput),
        ((one,), " ", InvalidInput),
        ((other,), "m", NotFound),
    ):
        with pytest.raises(refused):
            desk.risk.fitting.take(TakeFits(fits=fits, model=model), step)
    with pytest.raises(Conflict, match="no fitted expert"):
        Desk(every=0).risk.fitting.take(TakeFits(fits=(one,), model="m"), step)
    assert step.size == (0, 0, 0)
    desk.risk.fitting.take(TakeFits(fits=(one,), model="m"), step)
    assert desk.risk.fitting.view().fits[0].reason == f"not enough data: 0 of {NEED} returns"
