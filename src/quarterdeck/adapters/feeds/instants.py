"""Instants as files write them: RFC 3339 or epoch in a unit told by its size.

An epoch number below 1e11 in magnitude counts seconds, below 1e14 milliseconds, below 1e17
microseconds, else nanoseconds; so seconds reach the year 5138, and milliseconds and finer units are
recognised from 1973 on. The first readable row decides form and unit for the whole file, because a
file that changes its unit midway is wrong, not clever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, parse_rfc3339

EARLIEST = int(parse_rfc3339("1678-01-01"))
LATEST = int(parse_rfc3339("2261-12-31"))

ACCEPTED = "an RFC 3339 instant or a whole epoch number between the years 1678 and 2261"

_EPOCH = re.compile(r"-?\d{1,19}", re.ASCII)
_COMPACT_DATE = re.compile(r"(1[89]|2[01])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)
_DAY_CHARACTERS = 10
_REMEMBERED = 100_000


class TsForm(StrEnum):
    """How a file writes its instants."""

    RFC3339 = "rfc3339"
    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"


_NANOS_PER_UNIT = {
    TsForm.SECONDS: 1_000_000_000,
    TsForm.MILLISECONDS: 1_000_000,
    TsForm.MICROSECONDS: 1_000,
    TsForm.NANOSECONDS: 1,
}


def unit_of(number: int) -> TsForm:
    """Return the epoch unit that the size of ``number`` implies.

    >>> unit_of(1_099_267_200), unit_of(1_099_267_200_000)
    (<TsForm.SECONDS: 's'>, <TsForm.MILLISECONDS: 'ms'>)
    """
    size = abs(number)
    if size < 10**11:
        return TsForm.SECONDS
    if size < 10**14:
        return TsForm.MILLISECONDS
    return TsForm.MICROSECONDS if size < 10**17 else TsForm.NANOSECONDS


def nanos_of(
    numbers: npt.NDArray[np.int64], form: TsForm
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return epoch ``numbers`` in nanoseconds, 0 where the second array says out of range."""
    factor = _NANOS_PER_UNIT[form]
    outside = (numbers < EARLIEST // factor) | (numbers > LATEST // factor)
    return np.where(outside, 0, numbers) * factor, outside


class TsReader:
    """Reads ts texts chunk by chunk; remembers the form that the first readable one had."""

    def __init__(self) -> None:
        self.form: TsForm | None = None
        self._days: dict[str, int | None] = {}
        self._times: dict[str, int | None] = {}

    def read(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Return ``texts`` as nanoseconds (0 where unreadable) and the unreadable positions."""
        found: list[int | None] = []
        for position, text in enumerate(texts):
            if self.form is None:
                self.form = _form_of(text.strip())
            if self.form is TsForm.RFC3339:
                found += self._written(texts[position:])
                break
            found.append(None if self.form is None else _epoch(text.strip(), self.form))
        bad = [k for k, nanos in enumerate(found) if nanos is None]
        if bad:
            found = [0 if nanos is None else nanos for nanos in found]
        return np.array(found, dtype=np.int64), bad

    def _written(self, texts: Sequence[str]) -> list[int | None]:
        # A day and the rest of the text are read apart and remembered: an instant is their sum,
        # and a million rows have few distinct days and few distinct times of day.
        days, times = self._days, self._times
        found: list[int | None] = []
        for raw in texts:
            text = raw.strip()
            day, rest = text[:_DAY_CHARACTERS], text[_DAY_CHARACTERS:]
            if day not in days:
                _bounded(days)[day] = _readable(day)
            if rest not in times:
                _bounded(times)[rest] = _readable("1970-01-01" + rest)
            midnight, offset = days[day], times[rest]
            found.append(None if midnight is None or offset is None else midnight + offset)
        return found


def _bounded(remembered: dict[str, int | None]) -> dict[str, int | None]:
    if len(remembered) >= _REMEMBERED:
        remembered.clear()
    return remembered


def _readable(text: str) -> int | None:
    try:
        return parse_rfc3339(text)
    except InvalidInput:
        return None


def _form_of(text: str) -> TsForm | None:
    if _readable(text) is not None:
        return TsForm.RFC3339
    # 20040819 would read as an epoch second in 1970; nobody means that.
    if _EPOCH.fullmatch(text) and not _COMPACT_DATE.fullmatch(text):
        form = unit_of(int(text))
        return form if _epoch(text, form) is not None else None
    return None


def _epoch(text: str, form: TsForm) -> int | None:
    if not _EPOCH.fullmatch(text):
        return None
    nanos = Nanos(int(text) * _NANOS_PER_UNIT[form])
    return nanos if EARLIEST <= nanos <= LATEST else None
