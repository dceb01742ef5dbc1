"""The no-trade region is the optimum it claims to be; lots never pass a weight or spend what is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import piqp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.core.drift import drift_of, risk_shares
from quarterdeck.portfolio.core.lots import WEIGHT_PARTS, cost, notional, realised, trades_of
from quarterdeck.portfolio.core.no_trade import shortfall, worthwhile
from quarterdeck.portfolio.core.programme import Leg, child
from quarterdeck.portfolio.ports import Holdings, Open, Stake

SEEDS = range(12)


def problem(seed: int, n: int = 8) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    returns = draw.normal(0.0, 0.02, (60, n)) + draw.normal(0.0, 0.01, (60, 1))
    return draw.dirichlet(np.ones(n)) - draw.dirichlet(np.ones(n)), np.cov(returns.T)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_trade_is_the_one_that_a_general_solver_finds(seed: int) -> None:
    gap, covariance = problem(seed)
    n, pull, price = gap.size, 30.0, 5e-4
    trade, residual = worthwhile(gap, covariance, aversion=pull, cost=price)
    assert residual <= 1e-9
    # The same as a quadratic programme in purchases and sales, none negative.
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-12
    square = pull * np.block([[covariance, -covariance], [-covariance, covariance]])
    slope = pull * covariance @ gap
    solver.setup(
        square,
        np.concatenate((slope + price, -slope + price)),
        x_l=np.zeros(2 * n),
        x_u=np.full(2 * n, np.inf),
    )
    solver.solve()
    found = solver.result.x[:n] - solver.result.x[n:]
    ours, theirs = (
        shortfall(gap + x, covariance, aversion=pull) + price * float(np.abs(x).sum())
        for x in (trade, found)
    )
    assert ours <= theirs * (1.0 + 1e-9)
    assert np.abs(trade - found).max() <= 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trade_never_costs_more_than_it_brings_and_dearer_trades_are_smaller(seed: int) -> None:
    gap, covariance = problem(seed)
    before = shortfall(gap, covariance, aversion=30.0)
    sizes = []
    for price in (0.0, 1e-4, 5e-4, 2e-3, 1e-2):
        trade, _ = worthwhile(gap, covariance, aversion=30.0, cost=price)
        spent = price * float(np.abs(trade).sum())
        assert before - shortfall(gap + trade, covariance, aversion=30.0) >= spent - 1e-15
        sizes.append(float(np.abs(trade).sum()))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(float(np.abs(gap).sum()))


def test_inside_the_region_nothing_is_traded_and_without_variance_nothing_is_gained() -> None:
    gap, covariance = problem(0)
    edge = float(np.abs(30.0 * covariance @ gap).max())
    assert not worthwhile(gap, covariance, aversion=30.0, cost=edge)[0].any()
    assert worthwhile(gap, covariance, aversion=30.0, cost=edge * 0.999)[0].any()
    assert not worthwhile(gap, np.zeros((8, 8)), aversion=30.0, cost=1e-9)[0].any()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"aversion": 0.0}, "aversion"),
        ({"aversion": float("nan")}, "aversion"),
        ({"cost": -1e-9}, "cost"),
        ({"cost": float("inf")}, "cost"),
    ],
)
def test_terms_that_mean_nothing_are_refused(change: dict[str, float], named: str) -> None:
    gap, covariance = problem(0)
    with pytest.raises(InvalidInput, match=named):
        worthwhile(gap, covariance, **{"aversion": 1.0, "cost": 0.01, **change})
    with pytest.raises(InvalidInput, match="covariance"):
        worthwhile(gap, covariance[:3, :3], aversion=1.0, cost=0.01)


def test_singular_and_collinear_assets_are_answered_with_their_certificate() -> None:
    one = np.array([[0.0004, 0.0004], [0.0004, 0.0004]])
    trade, residual = worthwhile(np.array([0.3, -0.1]), one, aversion=50.0, cost=1e-4)
    assert residual <= 1e-9
    assert shortfall(np.array([0.3, -0.1]) + trade, one, aversion=50.0) < 1e-3


SHARE = Stake(
    symbol="X", price=1_000, unit_value=10, quantity_scale=0, price_scale=2, lot=10,
    min_notional=100_000, quantity=0, cost=0,
)  # fmt: skip


@given(
    held=st.lists(st.integers(-50, 200), min_size=3, max_size=3),
    prices=st.lists(st.integers(1, 50_000), min_size=3, max_size=3),
    wanted=st.lists(st.integers(0, WEIGHT_PARTS // 3), min_size=3, max_size=3),
    cash=st.integers(0, 10**9),
    parts=st.integers(0, 10**6),
    unit_fee=st.integers(0, 10**5),
    least_fee=st.integers(0, 10**7),
)
def test_trades_are_whole_lots_on_the_way_to_the_weight_and_can_be_paid(
    held: list[int],
    prices: list[int],
    wanted: list[int],
    cash: int,
    parts: int,
    unit_fee: int,
    least_fee: int,
) -> None:
    fees = {"fee_parts": parts, "unit_fee": unit_fee, "least_fee": least_fee}
    stakes = tuple(
        replace(SHARE, price=price, quantity=quantity * 10, **fees)
        for quantity, price in zip(held, prices, strict=True)
    )
    equity = cash + sum(one.quantity * (one.worth or 0) for one in stakes)
    account = Holdings(
        agent=AgentId("a"), capital=0, cash=cash, equity=equity, stakes=stakes, cost_parts=parts
    )
    trades = trades_of(account, wanted)
    for stake, traded, share in zip(stakes, trades, wanted, strict=True):
        assert traded % stake.lot == 0
        if equity > 0 and traded and share:
            # The weight that is wanted lies on the way or at its end, never behind.
            aimed, unit = equity * share, WEIGHT_PARTS * (stake.worth or 0)
            after = (stake.quantity + traded) * unit
            assert after <= aimed if traded > 0 else after >= aimed
    spent = sum(cost(s, q) for s, q in zip(stakes, trades, strict=True))
    bought = sum(notional(s, q) for s, q in zip(stakes, trades, strict=True) if q > 0)
    sold = sum(notional(s, q) for s, q in zip(stakes, trades, strict=True) if q < 0)
    if bought:
        assert bought + spent <= cash + sold


def test_an_asset_that_is_to_go_goes_whole_and_one_left_alone_stays() -> None:
    one, other = replace(SHARE, quantity=13), replace(SHARE, symbol="Y", quantity=40)
    account = Holdings(
        agent=AgentId("a"), capital=0, cash=0, equity=530_000, stakes=(one, other), cost_parts=0
    )
    assert trades_of(account, [0, None]) == [-13, 0]


def test_what_a_sale_realises_is_counted_as_the_ledger_counts() -> None:
    held = replace(SHARE, quantity=30, cost=150_000)
    assert realised(held, -10) == 10 * 10_000 - 50_000
    assert realised(held, -40) == 30 * 10_000 - 150_000
    assert realised(held, 10) == 0
    short = replace(SHARE, quantity=-30, cost=-450_000)
    assert realised(short, 10) == 150_000 - 10 * 10_000


def test_shares_of_the_variance_add_up_and_drift_names_its_three_distances() -> None:
    _, covariance = problem(3, n=3)
    weights, target = np.array([0.5, 0.2, 0.1]), np.array([0.4, 0.0, 0.4])
    shares = risk_shares(weights, covariance)
    assert shares is not None
    assert float(shares.sum()) == pytest.approx(1.0)
    drift = drift_of(weights, target, covariance)
    assert (drift.absolute, drift.relative) == (0.3, 0.75)
    assert drift.risk is not None
    assert 0.0 < drift.risk < 1.0
    assert drift_of(np.zeros(3), np.zeros(3), covariance) == (0.0, None, None)


@given(
    planned=st.integers(1, 10_000),
    lot=st.integers(1, 50),
    slices=st.integers(1, 20),
    shares=st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60),
)
def test_whatever_fills_the_slices_never_ask_for_more_than_was_planned(
    planned: int, lot: int, slices: int, shares: list[float]
) -> None:
    planned = planned * lot
    leg = Leg(instrument=0, symbol="X", side=Side.BUY, planned=planned, lot=lot)
    for sent, share in enumerate(shares):
        asked = child(leg, slices=slices, sent=sent, working={})
        assert asked % lot == 0
        assert leg.filled + asked <= planned
        # While it is open, whether in doubt or not, no second one asks for the same.
        leg.orders.append(f"o{sent}")
        open_now = {f"o{sent}": Open(asked, in_doubt=bool(sent % 2))}
        again = child(leg, slices=slices, sent=sent, working=open_now)
        assert leg.filled + asked + again <= planned
        leg.filled += int(asked // lot * share) * lot
