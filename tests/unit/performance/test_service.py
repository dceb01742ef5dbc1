"""Records come from fills and marks alone, and a restart changes no bit of them."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import EquityMarked, OrderFilled
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, FillId, OrderId, RunId
from quarterdeck.kernel.messages import Answer, Command, Message, NumbersPublished
from quarterdeck.kernel.time import DAY, Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.market.model import BarsClosed
from quarterdeck.maths.drawdown import max_drawdown
from quarterdeck.maths.ratios import sharpe_ratio
from quarterdeck.performance.core.returns import PerformanceState
from quarterdeck.performance.model import (
    PUBLISHED,
    AgentScored,
    EquityView,
    GetEquity,
    GetPerformance,
    MeasuresView,
    PerformanceView,
)
from quarterdeck.performance.service import MAX_CURVE_POINTS, PerformanceService
from quarterdeck.runtime import database
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER, Caller
from quarterdeck.runtime.sequencer import Step, StepKind
from tests.unit.execution.deck import instrument

CAPITAL = 100_000_000_000
NEED = 5


def new_service(need: int = NEED) -> PerformanceService:
    return PerformanceService(
        need=need,
        periods_per_year=252,
        instruments=(instrument(0, "SPX"), instrument(1, "NDX")),
        benchmark=(1.0, 0.0),
    )


def no_carry(command: Command, caller: Caller, step: Step) -> Answer:
    raise AssertionError("performance carries nothing out")


class Deck:
    """The service, a database in memory, and steps that are written to it as they end."""

    def __init__(self, *agents: str) -> None:
        self.sql = database.load_sql()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        database.create(self.connection, self.sql)
        self.slice = 99
        self.reads: list[int] = []
        self.service = new_service()
        for agent in agents:
            self.join(agent)

    def hear(self, message: Message) -> list[Message]:
        step = Step(
            run=RunId("t"),
            number=1,
            kind=StepKind.SLICE,
            slice_index=self.slice,
            at=Nanos(self.slice * DAY),
            machine_at=Nanos(1),
            caller=DECK_CALLER,
            carry=no_carry,
        )
        self.service.hear(message, step)
        for statement, values in step.rows:
            self.connection.execute(self.sql.statements[statement], values)
        return step.messages

    def join(self, agent: str, capital: int = CAPITAL) -> None:
        self.hear(
            AgentRegistered(
                at=Nanos(0),
                agent=AgentId(agent),
                builtin=True,
                label="",
                capabilities=(),
                scopes=(),
                capital_units=capital,
            )
        )

    def fill(
        self,
        agent: str,
        quantity: int,
        *,
        realised: int = 0,
        fee: int = 10,
        instrument: int = 0,
        price: int = 1,
    ) -> None:
        self.hear(
            OrderFilled(
                at=Nanos(0),
                slice=self.slice,
                fill_id=FillId("f"),
                order_id=OrderId("o"),
                agent=AgentId(agent),
                instrument=instrument,
                symbol="SPX",
                side=Side.BUY if quantity > 0 else Side.SELL,
                quantity_units=abs(quantity),
                price_units=price,
                fee_units=fee,
                realised_units=realised,
                closed=realised != 0,
                order_status=OrderStatus.FILLED,
            )
        )

    def mark(
        self, *, warming_up: bool = False, close: float | None = None, **equity: int
    ) -> list[Message]:
        self.slice += 1
        amounts = tuple(equity.values())
        self.hear(
            EquityMarked(
                at=Nanos(self.slice * DAY),
                slice=self.slice,
                agents=tuple(AgentId(agent) for agent in equity),
                cash_units=amounts,
                equity_units=amounts,
                realised_units=tuple(-1 for _ in amounts),
                unrealised_units=tuple(7 for _ in amounts),
                gross_units=tuple(3 for _ in amounts),
            )
        )
        bar = np.empty(0) if close is None else np.array([close])
        return self.hear(
            BarsClosed(
                at=Nanos(self.slice * DAY),
                index=self.slice,
                timeframe="1d",
                rows=np.zeros(bar.size, dtype=np.int64),
                open=bar,
                high=bar,
                low=bar,
                close=bar,
                volume=bar,
                price_units=np.zeros((bar.size, 4), dtype=np.int64),
                indicators=np.empty((0, 11)),
                missed=np.empty(0, dtype=np.int64),
                warming_up=warming_up,
                last=False,
            )
        )

    def restart(self) -> None:
        arrays = {name: array.copy() for name, array in self.service.arrays().items()}
        self.service = new_service()
        self.service.load(database.ConnectionReader(self.connection, self.sql))
        self.service.restore(arrays)

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        cursor = self.connection.execute(self.sql.statements[statement], values)
        rows = [dict(row) for row in cursor.fetchmany(1_000)]
        self.reads.append(len(rows))
        return rows

    def record(self, agent: str) -> PerformanceView:
        query = GetPerformance(agent=agent)
        (view,) = self.service.performance(query, OPERATOR_CALLER).agents
        return view

    def measures(self, agent: str | None = None) -> dict[str, MeasuresView]:
        view = self.service.performance(GetPerformance(agent=agent), OPERATOR_CALLER)
        return {one.subject: one for one in view.measures}

    def equity(self, **query: Any) -> EquityView:
        return asyncio.run(self.service.equity(GetEquity(**query), OPERATOR_CALLER, self))


def bits(service: PerformanceService) -> tuple[object, ...]:
    arrays = {name: array.tobytes() for name, array in service._returns.arrays().items()}
    measures = service._measures.cells.tobytes()
    return (service._records, list(service._records), service._trips, arrays, measures)


def curve(bars: int, *, seed: int) -> list[int]:
    steps = np.random.default_rng(seed).normal(0.0, 0.02, bars)
    return [int(amount) for amount in CAPITAL * np.cumprod(1.0 + steps)]


def test_every_attribute_is_declared() -> None:
    service = new_service(1)
    assert set(vars(service)) == set(PerformanceService.state)


def test_an_agent_without_a_mark_has_its_capital_and_no_ratios() -> None:
    view = Deck("a").record("a")
    assert (view.capital, view.equity, view.return_fraction) == (100_000, 100_000, 0.0)
    assert (view.sharpe, view.win_fraction, view.profit_factor) == (None, None, None)
    assert (view.observations, view.need, view.trades) == (0, NEED, 0)


def test_the_figures_are_those_of_the_whole_curve() -> None:
    deck, amounts = Deck("a"), curve(300, seed=1)
    for amount in amounts:
        deck.mark(a=amount)
    whole = np.array([CAPITAL, *amounts], dtype=np.float64)
    returns = whole[1:] / whole[:-1] - 1.0
    view = deck.record("a")
    assert view.equity == Decimal(amounts[-1]).scaleb(-6)
    assert view.return_fraction == (amounts[-1] - CAPITAL) / CAPITAL
    assert view.sharpe == pytest.approx(sharpe_ratio(returns, periods_per_year=252), rel=1e-9)
    deepest = max_drawdown(whole).fraction
    assert view.max_drawdown_fraction == pytest.approx(deepest, rel=1e-12)
    peak = max(CAPITAL, *amounts)
    assert view.drawdown_fraction == (peak - amounts[-1]) / peak
    assert (view.observations, view.realised, view.unrealised) == (
        300,
        Decimal("-0.000001"),
        Decimal("0.000007"),
    )


def test_each_agent_is_scored_once_a_slice_and_both_numbers_are_published() -> None:
    deck = Deck("a", "b")
    said = deck.mark(b=CAPITAL * 2, a=CAPITAL // 2)
    scores = [message for message in said if isinstance(message, AgentScored)]
    assert [(score.agent, score.drawdown_fraction, score.slice) for score in scores] == [
        ("b", 0.0, 100),
        ("a", 0.5, 100),
    ]
    assert [score.peak_units for score in scores] == [2 * CAPITAL, CAPITAL]
    numbers = {one.name: dict(one.values) for one in said if isinstance(one, NumbersPublished)}
    assert numbers == {
        "performance.drawdown_fraction": {"a": 0.5, "b": 0.0},
        "performance.return_fraction": {"a": -0.5, "b": 1.0},
    }
    assert set(numbers) == {number.name for number in PUBLISHED}


def test_there_is_no_sharpe_before_enough_returns_or_while_equity_never_moves() -> None:
    deck, ratios = Deck("still", "moving"), []
    for amount in curve(NEED + 2, seed=2):
        said = deck.mark(still=CAPITAL, moving=amount)
        ratios.append({one.agent: one.sharpe for one in said if isinstance(one, AgentScored)})
    assert all(ratio["still"] is None for ratio in ratios)
    assert [ratio["moving"] is None for ratio in ratios] == [True] * (NEED - 1) + [False] * 3


def test_a_round_trip_wins_by_what_is_left_after_all_its_fees() -> None:
    deck = Deck("a")
    deck.fill("a", 10)
    deck.fill("a", 5)
    deck.fill("a", -5, realised=25)
    assert deck.record("a").trades == 0
    deck.fill("a", -10, realised=14)
    view = deck.record("a")
    # 39 made, 40 paid in fees: a loss of 1.
    assert (view.trades, view.win_fraction, view.profit_factor) == (1, 0.0, 0.0)
    deck.fill("a", -10, instrument=1)
    deck.fill("a", 10, realised=30, instrument=1)
    view = deck.record("a")
    assert (view.trades, view.win_fraction, view.profit_factor) == (2, 0.5, 10.0)
    assert view.fees == Decimal("0.000060")


def test_a_fill_through_zero_ends_one_trip_and_opens_the_next() -> None:
    deck = Deck("a")
    deck.fill("a", 10, fee=0)
    deck.fill("a", -30, realised=100, fee=30)
    deck.restart()
    assert (deck.record("a").trades, deck.record("a").win_fraction) == (1, 1.0)
    deck.fill("a", 20, realised=20, fee=0)
    # The 20 of the second trip are eaten by its two thirds of the fee.
    assert (deck.record("a").trades, deck.record("a").win_fraction) == (2, 0.5)
    assert deck.connection.execute("SELECT COUNT(*) FROM performance_trips").fetchone()[0] == 0


def test_rank_is_by_return_and_equal_ones_by_name() -> None:
    deck = Deck("c", "b", "a", "z")
    deck.mark(c=CAPITAL, b=CAPITAL, a=CAPITAL - 1, z=CAPITAL + 1)
    views = deck.service.performance(GetPerformance(), OPERATOR_CALLER).agents
    assert [(view.rank, view.agent) for view in views] == [(1, "z"), (2, "b"), (3, "c"), (4, "a")]
    assert deck.record("a").rank == 4


def test_a_restart_at_any_step_changes_no_bit() -> None:
    whole, broken = Deck("a", "b"), Deck("a", "b")
    curves = [curve(80, seed=seed) for seed in (3, 4, 5)]
    for turn, (a, b, late) in enumerate(zip(*curves, strict=True)):
        said: list[list[object]] = []
        for deck in (whole, broken):
            if turn == 30:
                deck.join("late", CAPITAL // 3)
            if turn % 3 == 0:
                deck.fill("a", 7 if turn % 2 else -5, realised=turn * 1_001 - 900, fee=13)
            marks = {"a": a, "b": b} | ({"late": late} if turn >= 30 else {})
            said.append([msgspec.to_builtins(one) for one in deck.mark(**marks)])
        assert said[0] == said[1]
        broken.restart()
        assert bits(broken.service) == bits(whole.service)
    assert whole.record("a").trades > 1
    assert database.state_digest(whole.connection, whole.sql) == database.state_digest(
        broken.connection, broken.sql
    )


def test_an_agent_that_joins_late_moves_nobody_elses_figures() -> None:
    alone, together = Deck("a"), Deck("a")
    for turn, amount in enumerate(curve(20, seed=6)):
        if turn == 9:
            together.join("late")
        alone.mark(a=amount)
        together.mark(**({"a": amount} | ({"late": CAPITAL} if turn >= 9 else {})))
    assert alone.record("a").sharpe == together.record("a").sharpe
    assert together.record("late").observations == 11


def test_who_is_not_marked_stays_as_it_was() -> None:
    deck = Deck("a", "b")
    deck.mark(a=CAPITAL + 5, b=CAPITAL)
    deck.mark(b=CAPITAL + 1)
    assert (deck.record("a").observations, deck.record("b").observations) == (1, 2)
    assert deck.equity(agent="a").curves[0].slices == (100,)


def test_an_agent_announced_twice_is_one_agent() -> None:
    deck = Deck("a")
    deck.mark(a=CAPITAL + 1)
    before = bits(deck.service)
    deck.join("a", capital=1)
    assert bits(deck.service) == before


@pytest.mark.parametrize("points", [2, 3, 7, 500, 999, 1_000, 1_001, 2_000])
@pytest.mark.parametrize("slices", [1, 2, 3, 1_000, 2_300])
def test_a_curve_is_thinned_to_its_points_with_both_ends(points: int, slices: int) -> None:
    deck = Deck("a")
    for index in range(slices):
        deck.connection.execute(
            "INSERT INTO performance_equity VALUES ('a', ?, ?, ?, ?)",
            (100 + index, index * DAY, CAPITAL + index, CAPITAL + 2 * index),
        )
    record = deck.service._records[AgentId("a")]
    record.first_slice, record.last_slice = 100, 99 + slices
    (drawn,) = deck.equity(points=points).curves
    assert len(drawn.slices) == len(set(drawn.slices)) <= points
    assert (drawn.slices[0], drawn.slices[-1]) == (100, 99 + slices)
    gaps = np.diff(drawn.slices)
    assert len(set(gaps[:-1].tolist())) <= 1
    assert len(drawn.slices) > min(points, slices) / 2
    assert all(read <= 1_000 for read in deck.reads)
    assert drawn.equity[-1] == (CAPITAL + slices - 1) / 10**6
    assert drawn.at_ms[-1] == (slices - 1) * DAY // 10**6
    assert drawn.drawdown[-1] == (slices - 1) / (CAPITAL + 2 * (slices - 1))


def test_curves_share_one_grid_though_agents_joined_at_different_slices() -> None:
    deck = Deck("a", "unmarked")
    for turn in range(40):
        if turn == 5:
            deck.join("b")
        deck.mark(**({"a": CAPITAL} | ({"b": CAPITAL} if turn >= 5 else {})))
    first, second, none = deck.equity(points=10).curves
    assert (first.agent, second.agent, none.agent) == ("a", "b", "unmarked")
    assert set(second.slices) <= set(first.slices)
    assert none.slices == none.equity == ()


@pytest.mark.parametrize("points", [-1, 0, 1, 2_001, 2**70])
def test_points_out_of_bounds_are_refused(points: int) -> None:
    with pytest.raises(InvalidInput):
        Deck("a").equity(points=points)


def test_an_unknown_agent_is_not_found() -> None:
    deck = Deck("a")
    with pytest.raises(NotFound):
        deck.equity(agent="' OR 1=1 --")
    with pytest.raises(NotFound):
        deck.service.performance(GetPerformance(agent="b" * 10_000), OPERATOR_CALLER)


def test_all_curves_together_stay_within_their_bound() -> None:
    deck = Deck(*(f"a{i:03}" for i in range(200)))
    for _ in range(3):
        deck.mark(**{f"a{i:03}": CAPITAL for i in range(200)})
    curves = deck.equity(points=2_000).curves
    assert sum(len(one.slices) for one in curves) == 600 <= MAX_CURVE_POINTS


def test_equity_below_zero_is_a_fall_deeper_than_the_whole() -> None:
    deck = Deck("a")
    deck.mark(a=-CAPITAL)
    deck.restart()
    deck.mark(a=CAPITAL)
    view = deck.record("a")
    assert (view.max_drawdown_fraction, view.drawdown_fraction, view.observations) == (2.0, 0.0, 1)
    assert not math.isnan(view.return_fraction)
    assert isinstance(deck.service._returns, PerformanceState)


def test_a_mark_of_nobody_publishes_nothing_of_anybody() -> None:
    said = Deck().mark()
    assert [dict(one.values) for one in said if isinstance(one, NumbersPublished)] == [{}, {}]


def test_slices_before_trading_opens_are_not_measured() -> None:
    deck = Deck("a")
    for _ in range(NEED):
        assert deck.mark(warming_up=True, a=CAPITAL) == []
    deck.mark(a=CAPITAL + 1)
    assert deck.record("a").observations == 1
    assert deck.equity().curves[0].slices == (deck.slice,)
    assert deck.service._marks is None


def test_measures_are_those_of_the_whole_curve_and_survive_a_restart() -> None:
    deck, amounts = Deck("a", "b"), curve(120, seed=3)
    closes = [100.0, *(100.0 * np.array(curve(120, seed=4)) / CAPITAL)]
    deck.mark(warming_up=True, close=closes[0], a=CAPITAL, b=CAPITAL)
    for place, (amount, close) in enumerate(zip(amounts, closes[1:], strict=True)):
        deck.fill("a", 10 if place % 2 else -10, price=50_000)
        deck.mark(close=close, a=amount, b=CAPITAL)
        if place == 60:
            deck.restart()
    whole = np.array([CAPITAL, *amounts], dtype=np.float64)
    own, their = whole[1:] / whole[:-1] - 1.0, np.diff(closes) / closes[:-1]
    found = deck.measures()
    assert list(found) == ["deck", "a", "b"]
    a, both = found["a"], np.cov(own, their, ddof=1)
    assert (a.observations, a.pairs, a.need) == (120, 120, NEED)
    assert a.beta == pytest.approx(both[0, 1] / both[1, 1], rel=1e-9)
    assert a.correlation == pytest.approx(np.corrcoef(own, their)[0, 1], rel=1e-9)
    # Ten at 500 are traded each bar.
    assert a.turnover == pytest.approx(252 * float(np.mean(5e9 / whole[:-1])), rel=1e-9)
    deck_own = (whole[1:] + CAPITAL) / (whole[:-1] + CAPITAL) - 1.0
    together = np.cov(deck_own, their, ddof=1)
    assert found["deck"].beta == pytest.approx(together[0, 1] / together[1, 1], rel=1e-9)
    assert found["deck"].sharpe == pytest.approx(
        sharpe_ratio(deck_own, periods_per_year=252), rel=1e-9
    )
    # It never moved: it has a beta of nothing, and no correlation.
    assert (found["b"].beta, found["b"].correlation, found["b"].sharpe) == (0.0, None, None)
    assert list(deck.measures("b")) == ["deck", "b"]
    assert deck.service.performance(GetPerformance(), OPERATOR_CALLER).benchmark == "SPX"


def test_there_are_no_measures_before_enough_returns_and_no_beta_without_a_benchmark() -> None:
    deck = Deck("a")
    for amount in curve(NEED - 1, seed=5):
        deck.mark(close=100.0, a=amount)
    assert deck.measures()["a"].volatility is None
    deck.mark(a=CAPITAL)
    found = deck.measures()["a"]
    assert found.volatility is not None
    # The benchmark's first close has no return, and it had none in the last slice.
    assert (found.pairs, found.beta) == (NEED - 2, None)


def test_capital_that_comes_is_no_return_of_the_deck() -> None:
    deck = Deck("a")
    deck.mark(a=CAPITAL)
    deck.join("b", capital=7 * CAPITAL)
    deck.mark(a=CAPITAL, b=7 * CAPITAL)
    found = deck.measures()["deck"]
    assert (found.max_drawdown_fraction, found.drawdown_fraction) == (0.0, 0.0)
    deck.mark(a=CAPITAL // 2, b=7 * CAPITAL)
    assert deck.measures()["deck"].drawdown_fraction == pytest.approx(0.5 / 8)
