"""Request bodies that nobody should send: what a broken or hostile client makes of a command."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quarterdeck.app.simulation.chance import Chance
from quarterdeck.kernel.messages import Command

NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e-400", b"-0", b"0x10", b"1_000",
    b"9223372036854775808", b"1e308", b"true", b"null", b"[]", b"{}", b'"1,5"', b'"\xef\xbc\x91"',
    b'"\xe2\x88\x9e"', b'""', b'"NaN"', b'"1e999"', b'"-0"', b'"' + b"9" * 400 + b'"',
)  # fmt: skip
"""Values that are put where a field has another."""


def spoiled(command: Command, chance: Chance) -> bytes:
    """Return the body of ``command`` with one thing wrong with it; now and then that is harmless."""
    return chance.pick(WAYS)(msgspec.json.encode(command), chance)


def _cut(body: bytes, chance: Chance) -> bytes:
    return body[: chance.below(len(body))]


def _byte(body: bytes, chance: Chance) -> bytes:
    at = chance.below(len(body))
    return body[:at] + bytes([chance.below(256)]) + body[at + 1 :]


def _value(body: bytes, chance: Chance) -> bytes:
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if fields:
        fields[chance.pick(tuple(fields))] = msgspec.Raw(chance.pick(NUMBERS))
    return msgspec.json.encode(fields)


def _missing(body: bytes, chance: Chance) -> bytes:
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if fields:
        del fields[chance.pick(tuple(fields))]
    return msgspec.json.encode(fields)


def _unknown(body: bytes, chance: Chance) -> bytes:
    name = chance.pick((b"agent", b"caller", b"epoch ", b"__class__", b"Symbol"))
    return b'{"' + name + b'":"operator",' + body[1:]


def _twice(body: bytes, chance: Chance) -> bytes:
    return body[:-1] + b"," + body[1:] if chance.happens(0.5) else body + body


def _deep(body: bytes, chance: Chance) -> bytes:  # noqa: ARG001
    return body[:-1] + b',"deep":' + b"[" * 200 + b"]" * 200 + b"}"


def _not_an_object(body: bytes, chance: Chance) -> bytes:
    return chance.pick((b"", b"[]", b"1", b'"stop"', b"[" + body + b"]", b"\xff\xfe" + body))


WAYS: tuple[Callable[[bytes, Chance], bytes], ...] = (
    _cut,
    _byte,
    _value,
    _value,
    _missing,
    _unknown,
    _twice,
    _deep,
    _not_an_object,
)
"""What may be wrong with a body."""
