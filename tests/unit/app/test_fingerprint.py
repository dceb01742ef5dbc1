"""The numeric fingerprint is the same every time and moves with any bit of a result."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.app import fingerprint
from quarterdeck.app.fingerprint import numeric_fingerprint


def test_it_repeats() -> None:
    assert numeric_fingerprint() == numeric_fingerprint()


def test_one_changed_bit_of_one_forecast_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = numeric_fingerprint()
    genuine = fingerprint.batch_bank

    def one_bit_off(close: np.ndarray, *, ohl: tuple[np.ndarray, ...]) -> np.ndarray:
        forecasts = genuine(close, ohl=ohl)
        forecasts[-1, 0, 0] = np.nextafter(forecasts[-1, 0, 0], 1.0)
        return forecasts

    monkeypatch.setattr(fingerprint, "batch_bank", one_bit_off)
    assert numeric_fingerprint() != before


def test_one_changed_bit_of_a_covariance_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = numeric_fingerprint()
    genuine = fingerprint.sample_covariance

    def one_bit_off(returns: np.ndarray) -> np.ndarray:
        covariance = genuine(returns)
        covariance[-1, -1] = np.nextafter(covariance[-1, -1], 1.0)
        return covariance

    monkeypatch.setattr(fingerprint, "sample_covariance", one_bit_off)
    assert numeric_fingerprint() != before
