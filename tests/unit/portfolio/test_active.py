"""Effects against a benchmark and factors add up to the ledger whatever was traded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.portfolio.core.active import (
    Active,
    Benchmark,
    close_bar,
    factor_betas,
    factor_names,
    factor_portfolios,
)
from quarterdeck.portfolio.service.measuring import benchmark_of
from quarterdeck.runtime.config import BenchmarkEntry, PortfolioSection, SectorEntry

BENCHMARK = Benchmark(
    weights=(0.25, 0.25, 0.25, 0.25), sector_of=(0, 0, 1, 2), names=("tech", "energy", "other")
)
BARS = st.lists(
    st.tuples(
        st.tuples(*(st.integers(50, 200_000) for _ in range(4))),
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.integers(-40, 40).filter(bool),
                st.integers(50, 200_000),
                st.integers(0, 99),
            ),
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=15,
)


@given(BARS, st.integers(0, 2**32 - 1))
def test_every_way_of_telling_it_adds_up_to_cash_and_stakes(bars: list, seed: int) -> None:
    betas = np.random.default_rng(seed).normal(size=(4, 3))
    capital = 10_000_000
    deck, cash, held = Active(equity=capital), capital, [0] * 4
    before = (100, 100, 100, 100)
    for after, fills in bars:
        for instrument, quantity, price, fee in fills:
            deck.take_fill(instrument, quantity=quantity, value=quantity * price, fee=fee)
            cash -= quantity * price + fee
            held[instrument] += quantity
        ledger = cash + sum(q * w for q, w in zip(held, before, strict=True)) - capital
        # Also between two closes, valued at the last one.
        assert deck.net(before) == ledger
        close_bar(deck, BENCHMARK, before=before, after=after, betas=betas)
        before = after
        ledger = cash + sum(q * w for q, w in zip(held, after, strict=True)) - capital
        assert deck.net(after) == ledger
        by_factor = sum(deck.factors.values()) + deck.specific
        assert by_factor + deck.trading - deck.cost == ledger
        assert deck.equity == capital + ledger


def test_holding_the_benchmark_earns_its_part_and_nothing_else() -> None:
    deck = Active(equity=400_000, held={0: 1000, 1: 1000, 2: 1000, 3: 1000})
    close_bar(deck, BENCHMARK, before=(100,) * 4, after=(110, 95, 103, 100), betas=np.zeros((4, 3)))
    assert sum(deck.benchmark.values()) == deck.net((110, 95, 103, 100)) == 8_000
    for effect in (deck.allocation, deck.selection, deck.interaction):
        assert set(effect.values()) == {0}


def test_a_better_choice_inside_a_sector_is_selection_and_more_of_a_good_one_allocation() -> None:
    chosen = Active(equity=400_000, held={0: 2000, 2: 1000, 3: 1000})
    after = (110, 100, 100, 100)
    close_bar(chosen, BENCHMARK, before=(100,) * 4, after=after, betas=np.zeros((4, 3)))
    assert chosen.selection == {"tech": 10_000, "energy": 0, "other": 0}
    assert sum(chosen.allocation.values()) == 0
    heavier = Active(equity=400_000, held={0: 2000, 1: 2000})
    after = (110, 110, 100, 100)
    close_bar(heavier, BENCHMARK, before=(100,) * 4, after=after, betas=np.zeros((4, 3)))
    assert sum(heavier.allocation.values()) == 20_000
    assert set(heavier.selection.values()) == {0}


def test_exposures_are_those_of_a_regression_on_the_factors() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(size=(60, 4)) + rng.normal(size=(60, 1))
    factors = factor_portfolios(BENCHMARK)
    assert factor_names(BENCHMARK) == ("market", "tech", "energy")
    centred = returns - returns.mean(axis=0)
    told = factor_betas(centred.T @ centred, factors)
    x = np.column_stack([np.ones(60), returns @ factors.T])
    fitted = np.linalg.lstsq(x, returns, rcond=None)[0][1:].T
    np.testing.assert_allclose(told, fitted, atol=2e-9)
    # A factor that says nothing new explains nothing.
    twice = factor_betas(centred.T @ centred, np.vstack([factors, factors[:1]]))
    np.testing.assert_allclose(twice, np.column_stack([told, np.zeros(4)]), atol=2e-9)


def test_sectors_and_benchmark_are_read_from_the_configuration() -> None:
    symbols = ("A", "B", "C")
    plain = benchmark_of(PortfolioSection(), symbols)
    assert plain.names == ("other",)
    assert plain.weights == pytest.approx((1 / 3,) * 3)
    told = benchmark_of(
        PortfolioSection(
            sectors=(SectorEntry("tech", ("B",)),), benchmark=(BenchmarkEntry("C", 1.0),)
        ),
        symbols,
    )
    assert told == Benchmark(weights=(0.0, 0.0, 1.0), sector_of=(1, 0, 1), names=("tech", "other"))


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (PortfolioSection(sectors=(SectorEntry("x", ("Z",)),)), "portfolio.sectors x"),
        (PortfolioSection(sectors=(SectorEntry("cash", ("A",)),)), "portfolio.sectors cash"),
        (
            PortfolioSection(sectors=(SectorEntry("x", ("A",)), SectorEntry("y", ("A",)))),
            "portfolio.sectors y",
        ),
        (
            PortfolioSection(sectors=(SectorEntry("x", ("A",)), SectorEntry("x", ("B",)))),
            "portfolio.sectors x",
        ),
        (PortfolioSection(benchmark=(BenchmarkEntry("Z", 1.0),)), "portfolio.benchmark"),
        (PortfolioSection(benchmark=(BenchmarkEntry("A", 0.5),)), "portfolio.benchmark"),
    ],
)
def test_bad_sectors_and_benchmarks_name_the_field(config: PortfolioSection, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        benchmark_of(config, ("A", "B", "C"))
    assert refusal.value.field == field
