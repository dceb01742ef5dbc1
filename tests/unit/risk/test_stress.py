"""Positions lose in a scenario exactly what its moves say, and what is not known is said."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.risk.core.joint import OWN_WINDOW
from quarterdeck.risk.core.stress import (
    DAY,
    Instants,
    Past,
    compounded,
    episode,
    lost,
    past_of,
    worst_window,
)
from quarterdeck.risk.model import AskStress, StressKind
from quarterdeck.risk.service.stressing import Stressing

MONEY = 10**6
START = parse_rfc3339("2008-06-02T00:00:00Z")


def past(bars: int = 250, *, crash: int | None = None) -> Past:
    returns = np.full((bars, 2), 0.001)
    if crash is not None:
        returns[crash] = (-0.2, 0.1)
    return Past(returns, START + DAY * np.arange(bars, dtype=np.int64))


def stressing(history: Past, **held: tuple[float, float]) -> Stressing:
    return Stressing(
        ("A", "B"),
        past=history,
        held={name: np.array(weights) for name, weights in held.items()},
        equities={"deck": 2_000 * MONEY},
    )


def test_returns_compound_and_a_missing_bar_moves_nothing() -> None:
    returns = np.array([[0.1, np.nan], [0.1, np.nan], [np.nan, np.nan]])
    moves = compounded(Past(returns, np.arange(3)), 0, 2)
    assert moves[0] == pytest.approx(0.21)
    assert np.isnan(moves[1])


def test_an_episode_is_the_bars_after_its_peak_and_needs_all_of_them() -> None:
    history = past()
    before, end = (parse_rfc3339(f"2008-{day}T00:00:00Z") for day in ("09-12", "11-20"))
    window = episode(history, before=before, end=end)
    assert window is not None
    assert history.at[window.first] == before + DAY
    assert history.at[window.last] == end
    assert window.moves[0] == pytest.approx(1.001**69 - 1.0)
    late = Past(history.returns[150:], history.at[150:])
    short = Past(history.returns[:100], history.at[:100])
    assert episode(late, before=before, end=end) is None
    assert episode(short, before=before, end=end) is None
    assert episode(Past(np.zeros((0, 2)), np.zeros(0, np.int64)), before=before, end=end) is None


def test_the_worst_stretch_is_worst_for_what_is_held_on_its_side() -> None:
    history = past(crash=120)
    long = worst_window(history, np.array([1.0, 0.0]), 5)
    short = worst_window(history, np.array([0.0, -1.0]), 1)
    assert long is not None
    assert short is not None
    assert long.first <= 120 <= long.last == long.first + 4
    assert (short.first, short.last) == (120, 120)
    assert worst_window(history, np.zeros(2), 1) is None
    assert worst_window(past(3), np.ones(2), 5) is None


def test_a_ring_is_read_in_order() -> None:
    returns, instants = np.zeros((OWN_WINDOW, 1)), Instants()
    for slice_ in range(OWN_WINDOW + 7):
        instants.at[slice_ % OWN_WINDOW] = slice_
        returns[slice_ % OWN_WINDOW] = float(slice_)
    found = past_of(returns, instants.at, OWN_WINDOW + 7)
    assert found.at.tolist() == list(range(7, OWN_WINDOW + 7))
    assert found.returns[:, 0].tolist() == [float(k) for k in range(7, OWN_WINDOW + 7)]
    assert past_of(returns, instants.at, 0).at.size == 0


def test_what_is_held_and_not_known_is_left_out_and_named() -> None:
    assert lost(np.array([100.0, 50.0]), np.array([np.nan, -0.1])) == (5.0, (0,))
    assert lost(np.array([100.0, 0.0]), np.array([np.nan, -0.1])) == (None, (0,))
    assert lost(np.zeros(2), np.full(2, np.nan)) == (0.0, ())


def test_every_scenario_tells_the_deck_and_each_agent() -> None:
    one = stressing(past(crash=120), deck=(1_000.0, -500.0), a=(1_000.0, 0.0), b=(0.0, -500.0))
    found = {view.name: view for view in one.standing({"mine": ({"A": -0.5}, 0.5)}).scenarios}
    mine = found["mine"]
    assert [(x.subject, x.loss) for x in mine.losses] == [
        ("deck", Decimal("750.000000")),
        ("a", Decimal("500.000000")),
        ("b", Decimal("250.000000")),
    ]
    assert mine.losses[0].equity_fraction == pytest.approx(0.375)
    assert mine.losses[1].equity_fraction is None
    assert list(mine.parts) == ["A", "B"]
    worst = found["worst bar for what is held"]
    assert worst.kind is StressKind.WORST
    assert worst.losses[0].loss == Decimal("250.000000")
    assert worst.start == worst.end == "2008-09-30T00:00:00Z"
    assert found["Lehman 2008"].reason is None
    assert found["pandemic 2020"].reason is not None
    assert found["pandemic 2020"].losses == ()


def test_moves_that_cannot_be_are_refused_and_named() -> None:
    one = stressing(past(), deck=(1.0, 1.0))
    assert one.asked(AskStress(shocks={}, others=-1.0)).losses[0].loss == Decimal("2.000000")
    for shocks, others in (({"A": -1.1}, 0.0), ({"A": float("nan")}, 0.0), ({}, float("inf"))):
        with pytest.raises(InvalidInput):
            one.asked(AskStress(shocks=shocks, others=others))
    with pytest.raises(NotFound, match="NOPE"):
        one.asked(AskStress(shocks={"NOPE": -0.1}))
