"""What the agents hold together, and how it is judged."""

from __future__ import annotations

import math
import sqlite3

import numpy as np

from quarterdeck.risk.service.holdings import DECK, Holdings


def test_a_bar_that_moves_nothing_is_a_loss_that_the_database_gives_back_to_the_bit() -> None:
    holdings = Holdings(("A",), quantity_scales=(0,))
    holdings._weights = {DECK: np.array([100.0])}
    lost = holdings.lost(np.zeros(1))
    assert lost is not None
    with sqlite3.connect(":memory:") as connection:
        (read,) = connection.execute("SELECT CAST(? AS REAL)", (lost,)).fetchone()
    assert math.copysign(1.0, read) == math.copysign(1.0, lost) == 1.0
