"""Bars of each length take their own constants, whole and slice by slice alike."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.bank import COLUMNS, RECURSIONS, BankState, batch_bank, update_bank
from quarterdeck.risk.core.timeframes import HOURS, MINUTES, constants_for


def test_only_a_day_is_confirmed_and_what_is_unknown_takes_its_constants() -> None:
    assert [one for one in ("1m", "1h", "1d", "1w", "?") if constants_for(one).confirmed] == ["1d"]
    assert constants_for("one slice").recursions is RECURSIONS
    with pytest.raises(InvalidInput, match="timeframe"):
        constants_for("0m")


@pytest.mark.parametrize("constants", [HOURS, MINUTES])
def test_every_recursion_returns_to_its_level(constants: tuple[object, ...]) -> None:
    for one in constants:
        shock, asymmetry, memory = one[:3]  # type: ignore[index]
        assert 0.0 <= shock + 0.5 * asymmetry + memory < 1.0


def test_other_constants_forecast_otherwise_and_slices_equal_the_whole() -> None:
    rng = np.random.default_rng(4)
    close = 100.0 * np.exp(np.cumsum(0.001 * rng.standard_t(4, (600, 2)), axis=0))
    whole = batch_bank(close, recursions=MINUTES)
    state, out = BankState(2, recursions=MINUTES), np.full((2, COLUMNS), np.nan)
    rows = np.arange(2, dtype=np.int64)
    for line, expected in zip(close, whole, strict=True):
        update_bank(state, rows, close=line.copy(), out=out)
        assert np.array_equal(out, expected, equal_nan=True)
    assert not np.allclose(whole[-1], batch_bank(close)[-1])


def test_a_wrong_number_of_recursions_is_refused() -> None:
    with pytest.raises(InvalidInput, match="recursions"):
        BankState(1, recursions=MINUTES[:2])
