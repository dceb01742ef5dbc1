"""A deck forecasts at the levels it is told, judges each, and what rests on 95 and 99 % stays where it is."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from quarterdeck.adapters.feeds.listing import listed, timeframe_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.market.model import BarsClosed
from quarterdeck.market.service import MarketService
from quarterdeck.risk.core.tails import label, tails_of
from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetRisk,
    HoldingsRiskView,
    HoldingsView,
    RisksView,
    RiskView,
)
from quarterdeck.risk.service import RiskService
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from tests.unit.stages import Store, arrived, embedded, step_at
from tests.unit.test_analytics import filled

FEED = embedded()
MORE = (0.9, 0.95, 0.975, 0.99)


class Desk:
    """The risk service alone over the embedded history, at some levels."""

    def __init__(self, levels: tuple[float, ...], store: Store | None = None) -> None:
        self.store = Store() if store is None else store
        self.market = MarketService(instruments=listed(FEED), timeframe=timeframe_of(FEED))
        self.risk = RiskService(
            symbols=FEED.symbols,
            quantity_scales=tuple(one.quantity_scale for one in listed(FEED)),
            config=RiskSection(levels=levels),
            capital_units=10**11,
            hard_units=4 * 10**10,
            gross_ratio=1.5,
        )

    def bars(self, index: int) -> BarsClosed:
        bars = self.market.closed(arrived(FEED, index))
        assert isinstance(bars, BarsClosed)
        return bars

    def live(self, last: int) -> Desk:
        for index in range(last):
            step = step_at(index, arrived(FEED, index).at)
            if index == 300:
                self.risk.hear(
                    filled(index, agent="trend", instrument=0, side=Side.BUY, units=10_000_000),
                    step,
                )
                self.risk.hear(
                    filled(index, agent="trend", instrument=2, side=Side.BUY, units=50_000_000),
                    step,
                )
            self.risk.hear(self.bars(index), step)
            self.store.commit(step)
        return self

    def risks(self) -> RisksView:
        return self.risk.risks(GetRisk(), OPERATOR)

    def held(self) -> HoldingsView:
        return self.risk.holdings(GetHoldingsRisk(), OPERATOR)


@pytest.fixture(scope="module")
def usual() -> Desk:
    return Desk((0.95, 0.99)).live(420)


@pytest.fixture(scope="module")
def more() -> Desk:
    return Desk(MORE).live(420)


def test_every_level_is_forecast_and_what_rests_on_two_of_them_is_the_same(
    usual: Desk, more: Desk
) -> None:
    for two, four in zip(usual.risks().instruments, more.risks().instruments, strict=True):
        assert [one.level for one in four.levels] == list(MORE)
        assert (two.var95, two.es95, two.var99, two.es99) == (
            four.var95,
            four.es95,
            four.var99,
            four.es99,
        )
        assert two.position_limit is not None
        assert four.position_limit is not None
        # A level between may raise that of 99 % in some bar, which is what others learn from.
        assert abs(four.position_limit / two.position_limit - 1) < 0.01
        _rises(four)
    two, four = usual.held().subjects[0], more.held().subjects[0]
    assert msgspec.structs.replace(four, levels=two.levels) == two
    _rises(four)
    assert [one.level for one in four.levels] == list(MORE)


def _rises(view: RiskView | HoldingsRiskView) -> None:
    found = [(one.var, one.es) for one in view.levels]
    assert all(var is not None and es is not None and 0 < var <= es for var, es in found)
    assert found == sorted(found)
    place = MORE.index
    assert found[place(0.95)] == (view.var95, view.es95)
    assert found[place(0.99)] == (view.var99, view.es99)


def test_every_level_is_judged_as_the_bars_come(more: Desk) -> None:
    for coverage in (more.risks().instruments[0].coverage, more.held().coverage):
        assert [one.level for one in coverage] == list(MORE)
        assert len({one.observations for one in coverage}) == 1
        assert [one.hits for one in coverage] == sorted((o.hits for o in coverage), reverse=True)
        assert coverage[0].observations > 60


def test_what_the_deck_was_forecast_comes_back_at_every_level(usual: Desk, more: Desk) -> None:
    for desk, levels in ((usual, (0.95, 0.99)), (more, MORE)):
        after = Desk(levels, desk.store)
        after.risk.load(desk.store.reader())
        for index in range(420):
            after.risk.absorb(after.bars(index))
        assert after.held() == desk.held()


def test_a_level_that_is_asked_for_later_is_judged_from_then_on(usual: Desk) -> None:
    after = Desk(MORE, usual.store)
    after.risk.load(usual.store.reader())
    for index in range(420):
        after.risk.absorb(after.bars(index))
    found = {one.level: one.observations for one in after.held().coverage}
    before = {one.level: one.observations for one in usual.held().coverage}
    assert found == {0.9: 0, 0.975: 0, **before}


@pytest.mark.parametrize(
    "levels", [[], [0.95], [0.99, 0.95], [0.9, 0.99], [0.95, 0.95, 0.99], [0.4, 0.95, 0.99], [0.95, 0.99, 1.0],
               [0.95, 0.99, float("nan")], [0.5, 0.6, 0.7, 0.8, 0.9, 0.91, 0.92, 0.95, 0.99]],
)  # fmt: skip
def test_levels_that_cannot_be_meant_are_refused_by_name(levels: list[float]) -> None:
    with pytest.raises(InvalidInput, match="levels"):
        parse_config({"risk": {"levels": levels}})
    with pytest.raises(InvalidInput, match=r"risk\.levels"):
        tails_of(tuple(levels))


def test_levels_are_said_as_people_say_them() -> None:
    assert [label(level) for level in (*MORE, 0.999, 0.01)] == [
        "90 %", "95 %", "97.5 %", "99 %", "99.9 %", "1 %",
    ]  # fmt: skip
    shares = tails_of(MORE).shares
    np.testing.assert_array_equal(shares, [0.1, 0.05, 0.025, 0.01])
