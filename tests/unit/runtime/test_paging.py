"""What every question about history or instruments refuses, in one place and in the same words."""

from __future__ import annotations

import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.paging import check_limit, page, unknown_symbol


def test_a_first_page_begins_above_every_number() -> None:
    assert page(7, 42) == {"limit": 7, "before": 42}
    assert page(1_000, None)["before"] > 2**60


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_page_of_nothing_or_too_much_is_refused(limit: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 1000") as refusal:
        page(limit, None)
    assert refusal.value.field == "limit"


def test_the_refusal_names_the_field_that_was_asked_with() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_limit(6, most=5, field="slices")
    assert (refusal.value.field, refusal.value.accepted) == ("slices", "1 to 5")


def test_an_unknown_symbol_is_told_the_known_ones_and_is_cut_short() -> None:
    refusal = unknown_symbol("X" * 500, ["B", "A"])
    assert refusal.code == "UNKNOWN_INSTRUMENT"
    assert (refusal.value, refusal.accepted) == ("X" * 40, "A, B")
