"""What a rule may say, and what an episode says of it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

import msgspec

from quarterdeck.alerts.model import Comparison, Rule
from quarterdeck.kernel.errors import InvalidInput

MAX_FOR_BARS = 10_000
MAX_TEXT = 300
MAX_NOTE = 500
MAX_SUBJECT = 128

_RULE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def checked(rule: Rule, *, numbers: Collection[str]) -> Rule:
    """Return ``rule`` in its one written form, or refuse it.

    Parameters
    ----------
    rule : Rule
        As it came from outside: types are right, values may be anything.
    numbers : collection of str
        The names of the numbers that are published.

    Returns
    -------
    Rule
        Equal to ``rule``, with -0.0 written as 0.0 (a database column does not tell them apart).

    Raises
    ------
    InvalidInput
        If the id, number, threshold, clear, for_bars, subject or text is not accepted.
    """
    if _RULE_ID.fullmatch(rule.rule_id) is None:
        raise InvalidInput.of(
            "rule_id", rule.rule_id, "1 to 64 of a-z, 0-9, '.', '_', '-', first a letter or digit"
        )
    if rule.number not in numbers:
        raise InvalidInput.of("number", rule.number, f"one of {', '.join(sorted(numbers))}"[:1_000])
    threshold = _finite(rule.threshold, field="threshold")
    clear = None if rule.clear is None else _finite(rule.clear, field="clear")
    if clear is not None and not _on_near_side(rule.comparison, threshold, clear=clear):
        side = "at most" if rule.comparison is Comparison.ABOVE else "at least"
        raise InvalidInput.of("clear", clear, f"{side} the threshold {threshold}")
    if not 1 <= rule.for_bars <= MAX_FOR_BARS:
        raise InvalidInput.of("for_bars", rule.for_bars, f"1 to {MAX_FOR_BARS}")
    if rule.subject is not None:
        written(rule.subject, field="subject", longest=MAX_SUBJECT, empty=False)
    written(rule.text, field="text", longest=MAX_TEXT)
    return msgspec.structs.replace(rule, threshold=threshold, clear=clear)


def written(text: str, *, field: str, longest: int, empty: bool = True) -> str:
    """Return ``text`` if it is printable on one line and fits.

    Raises
    ------
    InvalidInput
        If it is longer than ``longest``, holds a control character or lone surrogate, or is empty
        where ``empty`` does not allow it.
    """
    if len(text) > longest or not text.isprintable() or (not empty and not text.strip()):
        least = 0 if empty else 1
        raise InvalidInput.of(
            field, ascii(text)[1:-1], f"{least} to {longest} printable characters"
        )
    return text


def told(rule: Rule, *, subject: str, value: float) -> str:
    """Return what an episode says: the rule's own text, or what was seen.

    Examples
    --------
    >>> from quarterdeck.kernel.ids import RuleId
    >>> from quarterdeck.kernel.vocabulary import AlertCategory, Severity
    >>> rule = Rule(rule_id=RuleId("r"), category=AlertCategory.RISK, severity=Severity.INFO,
    ...             number="risk.var99_fraction", comparison=Comparison.ABOVE, threshold=0.1)
    >>> told(rule, subject="SPX", value=0.25)
    'risk.var99_fraction of SPX is 0.25, above 0.1'
    """
    if rule.text:
        return rule.text
    seen = (
        f"{rule.number} of {subject} is {value:.6g}, {rule.comparison.value} {rule.threshold:.6g}"
    )
    return seen if rule.for_bars == 1 else f"{seen} for {rule.for_bars} slices"


def _finite(value: float, *, field: str) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise InvalidInput.of(field, value, "a finite number")
    return float(value) + 0.0


def _on_near_side(comparison: Comparison, threshold: float, *, clear: float) -> bool:
    return clear <= threshold if comparison is Comparison.ABOVE else clear >= threshold
