"""A deck forecasts at the levels it is told, judges each, and what rests on 95 and 99 % stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from quarterdeck.adapters.feeds.listing import listed, timeframe_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.market.model import BarsClosed
from quarterdeck.market.service import MarketService
from quarterdeck.risk.core.bank import batch_bank
from quarterdeck.risk.core.tails import label, tails_of
from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetRisk,
    HoldingsRiskView,
    HoldingsView,
    Response,
    RiskEventKind,
    RiskEventRaised,
    RiskScope,
    RisksView,
    RiskView,
)
from quarterdeck.risk.service import RiskService
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from tests.unit.stages import Store, arrived, embedded, said, step_at
from tests.unit.test_analytics import filled

FEED = embedded()
USUAL = ((0, Side.BUY, 10), (2, Side.BUY, 50))
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

    def live(self, last: int, fills: Sequence[tuple[int, Side, int]] = USUAL) -> Desk:
        for index in range(last):
            step = step_at(index, arrived(FEED, index).at)
            if index == 300:
                for row, side, lots in fills:
                    units = lots * 10**6
                    one = filled(index, agent="trend", instrument=row, side=side, units=units)
                    self.risk.hear(one, step)
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
        assert (four.position_limit, four.limit_version) == (two.position_limit, two.limit_version)
        assert (four.multiplier, four.volatility) == (two.multiplier, two.volatility)
        _rises(four)
    two, four = usual.held().subjects[0], more.held().subjects[0]
    assert msgspec.structs.replace(four, levels=two.levels, components=two.components) == two
    _rises(four)
    assert [one.level for one in four.levels] == list(MORE)


@pytest.mark.parametrize("levels", [MORE, (0.95, 0.98, 0.99, 0.999), (0.5, 0.95, 0.96, 0.97, 0.99)])
def test_no_forecast_that_limits_rest_on_depends_on_which_other_levels_are_shown(
    levels: tuple[float, ...],
) -> None:
    """Of wild series in short windows, where levels that learn apart do cross."""
    rng = np.random.default_rng(11)
    moves = rng.standard_t(2.2, (900, 3)) * 0.01 * (1.0 + 4.0 * (rng.random((900, 3)) < 0.02))
    close = 100.0 * np.exp(np.clip(moves, -0.4, 0.4).cumsum(axis=0))
    two, more = batch_bank(close), batch_bank(close, levels=levels)
    at = [levels.index(0.95), levels.index(0.99)]
    same = [0, *(column + 2 * place for place in at for column in (1, 2))]
    np.testing.assert_array_equal(more[:, :, same], two)
    known = more[~np.isnan(more[:, :, 0])]
    assert known.shape[0] > 1_000
    for column in (1, 2):
        assert (np.diff(known[:, column::2], axis=1) >= 0.0).all()


def _ascend(found: Sequence[tuple[float | Decimal | None, float | Decimal | None]]) -> None:
    assert all(var is not None and es is not None and 0 < var <= es for var, es in found)
    assert found == sorted(found)  # type: ignore[type-var]


def _rises(view: RiskView | HoldingsRiskView) -> None:
    found = [(one.var, one.es) for one in view.levels]
    _ascend(found)
    place = MORE.index
    assert found[place(0.95)] == (view.var95, view.es95)
    assert found[place(0.99)] == (view.var99, view.es99)


def test_every_level_is_judged_as_the_bars_come(more: Desk) -> None:
    for coverage in (more.risks().instruments[0].coverage, more.held().coverage):
        assert [one.level for one in coverage] == list(MORE)
        assert len({one.observations for one in coverage}) == 1
        assert [one.hits for one in coverage] == sorted((o.hits for o in coverage), reverse=True)
        assert coverage[0].observations > 60


def test_a_position_by_itself_has_its_losses_too(more: Desk) -> None:
    deck = more.held().subjects[0]
    assert len(deck.components) == 2
    for one in deck.components:
        assert [each.level for each in one.levels] == list(MORE)
        _ascend([(each.var, each.es) for each in one.levels])
    for place in range(len(MORE)):
        alone = [one.levels[place].var for one in deck.components]
        together = deck.levels[place].var
        assert together is not None
        # Two shares that move together: spreading saves something, and not much.
        assert 0.7 < float(together) / sum(float(var or 0) for var in alone) <= 1.01


def test_a_single_position_loses_what_its_holder_does_and_a_short_one_what_rises() -> None:
    desk = Desk((0.95, 0.99)).live(420, fills=((1, Side.SELL, 7),))
    (deck, agent) = desk.held().subjects
    (one,) = deck.components
    assert one.levels == deck.levels == agent.levels
    assert one.value < 0
    price = desk.risks().instruments[1].var99
    assert price is not None
    assert float(one.levels[1].var or 0) != pytest.approx(float(-one.value) * price, rel=1e-3)


def test_a_decks_forecast_that_does_not_hold_is_an_event_of_the_deck() -> None:
    desk = Desk((0.95, 0.99))
    step = step_at(0, arrived(FEED, 0).at)
    for index in range(260):
        row = dict.fromkeys(("var95", "es95", "var99", "es99"), 0.01)
        lost = 0.05 if index % 5 == 0 else 0.0
        step.write("risk.deck_forecast_saved", slice=index, at=index, lost=lost, more=None, **row)
    desk.store.commit(step)
    desk.risk.load(desk.store.reader())
    step = step_at(300, arrived(FEED, 300).at)
    desk.risk.hear(desk.bars(300), step)
    found = [one for one in said(step, RiskEventRaised) if isinstance(one, RiskEventRaised)]
    assert [(one.kind, one.subject) for one in found] == [
        (RiskEventKind.COVERAGE, "deck 95 %"),
        (RiskEventKind.COVERAGE, "deck 99 %"),
    ]
    assert "51 of the last 259 bars lost more, 1 % were promised" in found[1].text
    assert {one.response for one in found} == {Response.TIGHTEN}


def test_a_level_that_no_limit_rests_on_is_told_to_fail_and_nothing_is_tightened() -> None:
    desk = Desk((0.95, 0.97, 0.99))
    step = step_at(0, arrived(FEED, 0).at)
    desk.risk._lookout._held_to(RiskScope.INSTRUMENT, "SPX", 1, (500, 60, 1e-9), step)
    desk.risk._lookout._held_to(RiskScope.INSTRUMENT, "SPX", 2, (500, 60, 1e-9), step)
    found = [one for one in said(step, RiskEventRaised) if isinstance(one, RiskEventRaised)]
    assert [(one.subject, one.response) for one in found] == [
        ("SPX 97 %", Response.NOTIFY),
        ("SPX 99 %", Response.TIGHTEN),
    ]


def test_a_forecast_that_missed_a_bar_says_of_when_it_is(usual: Desk) -> None:
    assert [one.reason for one in usual.risks().instruments] == [None] * 6
    desk = Desk((0.95, 0.99))
    for index in range(421):
        bars = desk.bars(index)
        if index == 420:
            bars = msgspec.structs.replace(bars, missed=np.arange(6, dtype=np.int64) % 2)
        desk.risk.absorb(bars)
    reasons = [one.reason for one in desk.risks().instruments]
    assert reasons == [None, "of 1 slices ago: it has had no bar since"] * 3


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
