"""Answers as a model reads them: plain values, few digits, and lists cut to what fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from quarterdeck.kernel.messages import Answer
from quarterdeck.runtime.policy import Caller

Reply = dict[str, object]
MAX_REPLY_BYTES = 1_024
DIGITS = 5


def plain(answer: object) -> object:
    """Return ``answer`` as JSON values: decimals as text, floats at five digits, no nulls."""
    return _rounded(msgspec.to_builtins(answer, builtin_types=(Decimal,)))


def shortest(amount: Decimal) -> str:
    """Return the shortest plain text of ``amount``."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded(value: object) -> object:
    match value:
        case Decimal():
            return shortest(value)
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {name: _rounded(part) for name, part in value.items() if part is not None}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case _:
            return value


def only(*names: str) -> Callable[[Answer, Caller], Reply]:
    """Return a reply that keeps these fields of the answer."""

    def reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
        whole = plain(answer)
        return {n: whole[n] for n in names if n in whole} if isinstance(whole, dict) else {}

    return reply


def whole(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return the whole answer."""
    found = plain(answer)
    return found if isinstance(found, dict) else {"answer": found}


def size_of(reply: Reply) -> int:
    """Return the bytes of ``reply`` as it is sent."""
    return len(msgspec.json.encode(reply))


def fitted(reply: Reply, *, lists: Sequence[str]) -> Reply:
    """Return ``reply`` with its lists cut, longest way from the end, until it fits a kilobyte."""
    for name in lists:
        rows = reply.get(name)
        while isinstance(rows, list) and rows and size_of(reply) > MAX_REPLY_BYTES:
            rows = rows[:-1]
            left_off = reply.get("left_off")
            counts = dict(left_off) if isinstance(left_off, dict) else {}
            counts[name] = int(counts.get(name, 0)) + 1
            reply = {**reply, name: rows, "left_off": counts}
    return reply
