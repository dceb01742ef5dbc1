"""Risk events carry the figures that prove them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.events import (
    VarBreach,
    VolatilitySpike,
    var_breaches,
    volatility_spikes,
)


def test_only_a_loss_above_its_forecast_is_a_breach() -> None:
    loss = np.array([0.021, 0.02, -0.5, np.nan, 0.3])
    forecast = np.array([0.02, 0.02, 0.02, 0.02, np.nan])
    assert var_breaches(loss, forecast) == (VarBreach(row=0, loss=0.021, forecast=0.02),)


def test_a_spike_starts_at_the_ratio_and_names_what_it_reached() -> None:
    now, slow = np.array([0.02, 0.039, np.nan, 0.1, 0.5]), np.array([0.01, 0.02, 0.01, 0.0, np.nan])
    assert volatility_spikes(now, slow, ratio=2.0) == (
        VolatilitySpike(row=0, vol_now=0.02, vol_slow=0.01, ratio=2.0),
    )


@pytest.mark.parametrize("ratio", [1.0, 0.5, math.nan, math.inf])
def test_a_ratio_that_is_no_excess_is_refused(ratio: float) -> None:
    with pytest.raises(InvalidInput, match="ratio"):
        volatility_spikes(np.ones(1), np.ones(1), ratio=ratio)


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="shape"):
        var_breaches(np.ones(2), np.ones(3))
