"""Instants as integer UTC nanoseconds, and their two written forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NewType

from quarterdeck.kernel.errors import InvalidInput

Nanos = NewType("Nanos", int)
"""UTC nanoseconds since 1970-01-01; compatible with ``datetime64[ns]``."""

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"([Zz]|[+-]\d\d:?\d\d)?)?"
)


@lru_cache(maxsize=4_096)
def rfc3339(at: Nanos) -> str:
    """Return ``at`` as RFC 3339 in UTC with as many decimals as it needs.

    >>> rfc3339(Nanos(1_099_267_200_000_000_000))
    '2004-11-01T00:00:00Z'
    """
    seconds, rest = divmod(at, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else text + "Z"


def parse_rfc3339(text: str, *, field: str = "ts") -> Nanos:
    """Return the instant written in ``text``; a naive one is UTC, a bare date is its midnight.

    Raises
    ------
    InvalidInput
        If ``text`` is not an RFC 3339 instant or date between 1678 and 2261.

    >>> parse_rfc3339("2004-11-01T01:00:00+01:00") == parse_rfc3339("2004-11-01")
    True
    """
    match = _RFC3339.fullmatch(text.strip())
    accepted = "an RFC 3339 instant such as 2008-09-15T00:00:00Z"
    if match is None:
        raise InvalidInput.of(field, text, accepted)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        whole = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        raise InvalidInput.of(field, text, accepted) from None
    if not 1678 <= whole.year <= 2261:
        raise InvalidInput.of(field, text, "a year between 1678 and 2261")
    nanos = int(whole.timestamp()) * SECOND + int((fraction or "").ljust(9, "0"))
    if zone is not None and zone not in "Zz":
        digits = zone[1:].replace(":", "")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if hours > 23 or minutes > 59:
            raise InvalidInput.of(field, text, accepted)
        offset = hours * HOUR + minutes * MINUTE
        nanos += offset if zone[0] == "-" else -offset
    return Nanos(nanos)


def millis(at: Nanos) -> int:
    """Return ``at`` in whole milliseconds, the dashboard's unit (nanoseconds exceed 2**53)."""
    return at // MILLISECOND
