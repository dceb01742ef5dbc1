"""A bar that cannot be true never reaches an indicator, a price or an order."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.ids import RunId
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.core.sound import sound_bars
from quarterdeck.market.model import Instrument, InstrumentKind, SliceArrived
from quarterdeck.market.service import MarketService
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.sequencer import Step, StepKind

GOOD = (10.0, 11.0, 9.0, 10.5)
BAD = {
    "nan": (10.0, 11.0, 9.0, np.nan),
    "nan open": (np.nan, 11.0, 9.0, 10.0),
    "infinite": (10.0, np.inf, 9.0, 10.0),
    "all infinite": (np.inf, np.inf, np.inf, np.inf),
    "zero": (0.0, 0.0, 0.0, 0.0),
    "negative": (-10.0, -9.0, -11.0, -10.0),
    "crossed": (10.0, 9.0, 11.0, 10.0),
    "close above high": (10.0, 11.0, 9.0, 12.0),
    "below a price unit": (0.001, 0.001, 0.001, 0.001),
    "a thousand times the price": (20_000.0, 20_000.0, 20_000.0, 20_000.0),
    "beyond 64 bits": (1e18, 1e18, 1e18, 1e18),
}


def instrument(index: int) -> Instrument:
    return Instrument(
        index=index,
        symbol=f"S{index}",
        kind=InstrumentKind.STOCK,
        currency="USD",
        price_scale=2,
        quantity_scale=0,
        tick_units=1,
        lot_units=1,
        min_notional_units=1,
        session="continuous",
    )


def arrived(index: int, *bars: tuple[float, float, float, float]) -> SliceArrived:
    columns = [np.ascontiguousarray(column) for column in np.array(bars).T]
    return SliceArrived(
        at=Nanos(index * 10**9),
        index=index,
        rows=np.arange(len(bars)),
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
        volume=np.full(len(bars), np.nan),
        warming_up=False,
        last=False,
    )


def step(index: int) -> Step:
    def carry(*_: object) -> object:
        raise AssertionError

    return Step(
        run=RunId("t"),
        number=index + 1,
        kind=StepKind.SLICE,
        slice_index=index,
        at=Nanos(index * 10**9),
        machine_at=Nanos(0),
        caller=DECK_CALLER,
        carry=carry,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("bar", BAD.values(), ids=BAD)
def test_an_impossible_bar_is_left_out_and_counts_as_missed(bar: tuple[float, ...]) -> None:
    market = MarketService(instruments=(instrument(0), instrument(1)), timeframe="1d")
    market.hear(arrived(0, GOOD, GOOD), step(0))
    second = step(1)
    market.hear(arrived(1, GOOD, bar), second)  # type: ignore[arg-type]
    bars = second.messages[0]
    assert bars.rows.tolist() == [0]
    assert bars.missed.tolist() == [0, 1]
    assert np.isfinite(market.arrays()["closes"]).all()
    assert [(kind, body["symbols"]) for _, kind, _, body in second.audits] == [
        ("bars_refused", ["S1"])
    ]


def test_a_slice_in_which_every_bar_is_impossible_is_an_empty_slice() -> None:
    market = MarketService(instruments=(instrument(0),), timeframe="1d")
    market.hear(arrived(0, GOOD), step(0))
    second = step(1)
    market.hear(arrived(1, BAD["nan"]), second)
    assert second.messages[0].rows.size == 0


def test_possible_bars_are_all_kept() -> None:
    prices = np.array([GOOD, (5.0, 5.0, 5.0, 5.0)]).T
    before = np.array([np.nan, 4.0])
    assert sound_bars(*prices, before=before, price_factor=np.full(2, 100.0)).all()
