"""A rule counts, fires once, and rests only when its number is back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.alerts.core.rules import checked, told, written
from quarterdeck.alerts.core.watch import Phase, Turn, Watch, follow, is_back, is_beyond
from quarterdeck.alerts.model import Comparison, Rule
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import RuleId
from quarterdeck.kernel.vocabulary import AlertCategory, Severity

NUMBER = "risk.var99_fraction"


def rule(
    *,
    comparison: Comparison = Comparison.ABOVE,
    threshold: float = 1.0,
    clear: float | None = None,
    for_bars: int = 1,
    rule_id: str = "deep",
    number: str = NUMBER,
    subject: str | None = None,
    text: str = "",
) -> Rule:
    return Rule(
        rule_id=RuleId(rule_id),
        category=AlertCategory.RISK,
        severity=Severity.WARNING,
        number=number,
        comparison=comparison,
        threshold=threshold,
        clear=clear,
        for_bars=for_bars,
        subject=subject,
        text=text,
    )


def test_it_is_due_at_the_nth_value_in_a_row_and_not_before() -> None:
    watch, turns = Watch(), []
    for value in (2.0, 2.0, 0.5, 2.0, 2.0, 2.0, 2.0):
        watch, turn = follow(rule(for_bars=3), watch, value)
        turns.append(turn)
    assert turns == [Turn.NOTHING] * 5 + [Turn.DUE] * 2
    assert watch.streak == 4


def test_a_value_at_the_threshold_is_not_beyond_it() -> None:
    for comparison in Comparison:
        assert not is_beyond(rule(comparison=comparison), 1.0)
        assert is_back(rule(comparison=comparison), 1.0)


def test_between_threshold_and_clear_nothing_changes() -> None:
    one = rule(threshold=1.0, clear=0.8)
    firing = Watch(phase=Phase.FIRING)
    assert follow(one, firing, 0.9) == (firing, Turn.NOTHING)
    assert follow(one, firing, 0.8) == (Watch(), Turn.OVER)
    below = rule(comparison=Comparison.BELOW, threshold=1.0, clear=1.2)
    assert follow(below, firing, 1.1) == (firing, Turn.NOTHING)
    assert follow(below, firing, 1.2) == (Watch(), Turn.OVER)


def test_a_held_rule_rests_silently_once_its_number_is_back() -> None:
    one, held = rule(threshold=1.0, clear=0.8), Watch(phase=Phase.HELD)
    assert follow(one, held, 5.0) == (held, Turn.NOTHING)
    assert follow(one, held, 0.9) == (held, Turn.NOTHING)
    assert follow(one, held, 0.7) == (Watch(), Turn.NOTHING)


@given(
    st.sampled_from(Comparison),
    st.floats(-2.0, 2.0),
    st.floats(0.0, 1.0),
    st.lists(st.floats(-3.0, 3.0), max_size=40),
)
def test_no_value_is_both_beyond_and_back(
    comparison: Comparison, threshold: float, band: float, values: list[float]
) -> None:
    clear = threshold - band if comparison is Comparison.ABOVE else threshold + band
    one = checked(rule(comparison=comparison, threshold=threshold, clear=clear), numbers=[NUMBER])
    assert not any(is_beyond(one, value) and is_back(one, value) for value in values)


@given(st.integers(1, 4), st.lists(st.sampled_from([0.0, 0.9, 2.0]), max_size=60))
def test_episodes_begin_and_end_in_turns(for_bars: int, values: list[float]) -> None:
    one, watch, told_turns = rule(clear=0.5, for_bars=for_bars), Watch(), []
    for value in values:
        watch, turn = follow(one, watch, value)
        if turn is Turn.DUE:
            watch = Watch(phase=Phase.FIRING)
        if turn is not Turn.NOTHING:
            told_turns.append(turn)
    assert told_turns == ([Turn.DUE, Turn.OVER] * len(values))[: len(told_turns)]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (rule(threshold=math.nan), "threshold"),
        (rule(threshold=math.inf), "threshold"),
        (rule(threshold=-math.inf), "threshold"),
        (rule(clear=math.nan), "clear"),
        (rule(clear=1.1), "clear"),
        (rule(comparison=Comparison.BELOW, clear=0.9), "clear"),
        (rule(for_bars=0), "for_bars"),
        (rule(for_bars=10_001), "for_bars"),
        (rule(rule_id=""), "rule_id"),
        (rule(rule_id="Upper"), "rule_id"),
        (rule(rule_id="a\n"), "rule_id"),
        (rule(rule_id="-a"), "rule_id"),
        (rule(rule_id="a" * 65), "rule_id"),
        (rule(rule_id="a/../b"), "rule_id"),
        (rule(number="risk.unheard_of"), "number"),
        (rule(subject=""), "subject"),
        (rule(subject=" "), "subject"),
        (rule(subject="a" * 129), "subject"),
        (rule(text="a" * 301), "text"),
        (rule(text="two\nlines"), "text"),
        (rule(text="\ud800"), "text"),
    ],
)
def test_what_is_not_accepted_is_refused_by_the_name_of_its_field(bad: Rule, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(bad, numbers=[NUMBER])
    assert refused.value.field == field
    refused.value.message.encode()


def test_the_widest_accepted_rule_is_accepted() -> None:
    wide = rule(
        rule_id="0" + "a._-" * 15 + "abc",
        for_bars=10_000,
        clear=1.0,
        subject="S" * 128,
        text="t" * 300,
    )
    assert checked(wide, numbers=[NUMBER]) == wide


def test_negative_zero_is_written_as_zero() -> None:
    one = checked(rule(threshold=-0.0, clear=-0.0), numbers=[NUMBER])
    assert one.clear is not None
    assert (math.copysign(1, one.threshold), math.copysign(1, one.clear)) == (1.0, 1.0)


def test_a_rule_without_text_says_what_was_seen() -> None:
    assert told(rule(for_bars=3), subject="SPX", value=2.5) == (
        "risk.var99_fraction of SPX is 2.5, above 1 for 3 slices"
    )
    assert told(rule(text="too deep"), subject="SPX", value=2.5) == "too deep"


def test_a_note_has_one_line() -> None:
    assert written("seen, thank you", field="note", longest=20) == "seen, thank you"
    with pytest.raises(InvalidInput):
        written("a\x00b", field="note", longest=20)
