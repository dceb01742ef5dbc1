"""What the agents hold together, and how it is judged."""

from __future__ import annotations

import math
import sqlite3

import numpy as np

from quarterdeck.risk.core.tails import USUAL
from quarterdeck.risk.model import VolatilityRegime
from quarterdeck.risk.service.holdings import DECK, Holdings
from quarterdeck.risk.store import holdings_view, volatility_regime


def test_a_bar_that_moves_nothing_is_a_loss_that_the_database_gives_back_to_the_bit() -> None:
    holdings = Holdings(("A",), quantity_scales=(0,))
    holdings._weights = {DECK: np.array([100.0])}
    lost = holdings.lost(np.zeros(1))
    assert lost is not None
    with sqlite3.connect(":memory:") as connection:
        (read,) = connection.execute("SELECT CAST(? AS REAL)", (lost,)).fetchone()
    assert math.copysign(1.0, read) == math.copysign(1.0, lost) == 1.0


def test_what_is_held_says_net_volatility_share_and_bars_of_volume() -> None:
    view = holdings_view(
        DECK,
        np.array([300.0, -100.0, 0.0]),
        var=np.array([5.0, 10.0]),
        es=np.array([6.0, 12.0]),
        marginal=np.array([0.04, 0.02, 0.0]),
        symbols=("A", "B", "C"),
        tails=USUAL,
        ratio=1.4,
        spike=2.0,
        usual=np.array([1_000.0, 50.0, np.nan]),
    )
    assert (view.gross, view.net) == (400, 200)
    assert (view.volatility_ratio, view.volatility_regime) == (1.4, VolatilityRegime.HIGH)
    assert view.concentration == 300.0 * 0.04 / 10.0
    assert [one.volume_bars for one in view.components] == [0.3, 2.0]
    assert view.volume_bars == 2.0


def test_liquidity_is_not_told_where_the_volume_of_anything_held_is_unknown() -> None:
    unknown = np.full(2, np.nan)
    view = holdings_view(
        DECK,
        np.array([300.0, 100.0]),
        var=unknown,
        es=unknown,
        marginal=unknown,
        symbols=("A", "B"),
        tails=USUAL,
        ratio=math.nan,
        spike=2.0,
        usual=np.array([1_000.0, np.nan]),
    )
    assert (view.volume_bars, view.volatility_ratio, view.volatility_regime) == (None, None, None)
    assert view.concentration is None


def test_a_volatility_has_a_word_for_every_ratio() -> None:
    words = [volatility_regime(ratio, spike=2.0) for ratio in (0.5, 0.75, 1.3, 1.34, 1.99, 2.0)]
    low, usual, high, spike = VolatilityRegime
    assert words == [low, usual, usual, high, high, spike]
