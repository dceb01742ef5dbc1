"""Reading requests strictly: what is ambiguous, unbounded or not a number is refused here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import Command, Query
from quarterdeck.server.problems import Refused

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_QUERY_FIELDS = 64
MAX_DECIMAL_TEXT = 64
MAX_DECIMAL_POWER = 30

Request = TypeVar("Request", bound=Command | Query)
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)
_OTHER = re.compile(r"Invalid enum value '?(?P<word>.*?)'?", re.DOTALL)
_NAMED = re.compile(r"(?:required field|unknown field) `(?P<name>.*)`")


class _Repeated(ValueError):
    """An object names one key twice."""


def malformed(message: str, *, field: str = "body", code: str = "MALFORMED_JSON") -> Refused:
    """Return the refusal of a body that is not JSON as we take it."""
    return Refused(400, message, code=code, field=field, accepted="one JSON object in UTF-8")


async def body_of(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """Return the request's body.

    Raises
    ------
    Refused
        413 as soon as more than ``limit`` bytes were announced or have arrived; 415 for a body
        that says it is not JSON; 400 when the client went away.
    """
    headers = dict(scope["headers"])
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the client went away", code="CLIENT_GONE")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        more = message.get("more_body", False)
    media = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if size and media != b"application/json":
        raise Refused(
            415,
            "the body must be JSON",
            code="UNSUPPORTED_MEDIA_TYPE",
            field="content-type",
            value=media.decode("latin-1")[:80],
            accepted="application/json",
        )
    return b"".join(parts)


def _too_large(limit: int) -> Refused:
    return Refused(
        413,
        f"the body is larger than {limit} bytes",
        code="BODY_TOO_LARGE",
        field="body",
        accepted=f"at most {limit} bytes",
    )


def object_in(body: bytes) -> dict[str, object]:
    """Return the JSON object in ``body``; an empty body is an empty object.

    Raises
    ------
    Refused
        If it is not one object, names a key twice, or nests too deep.
    InvalidInput
        If it holds a number that is not finite or beyond 64 bits, or text that is not UTF-8.
    """
    if not body.strip():
        return {}
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except _Repeated as error:
        name = str(error)[:80]
        raise malformed(f"the key {name!r} is there twice", field=name) from None
    except RecursionError:
        raise malformed(f"the body nests deeper than {MAX_DEPTH}", code="TOO_DEEP") from None
    except ValueError as error:
        raise malformed(f"the body is not JSON: {str(error)[:120]}") from None
    if not isinstance(found, dict):
        raise malformed("the body is not a JSON object")
    # JSON without escapes has no NUL, and UTF-8 that was decoded no lone surrogate.
    check_values(found, plain=b"\\" not in body)
    return found


def check_values(found: Mapping[str, object], *, plain: bool = False) -> None:
    """Refuse values that no part of the deck could hold: see :func:`object_in`.

    ``plain`` says that the text was read without escapes: then none can hold what is not allowed.
    """
    for name, value in found.items():
        if not plain:
            _check_text(name, field="body")
        _check_value(name, value, depth=1, plain=plain)


def _check_value(field: str, value: object, *, depth: int, plain: bool) -> None:
    if depth > MAX_DEPTH:
        raise malformed(f"{field} nests deeper than {MAX_DEPTH}", field=field, code="TOO_DEEP")
    if isinstance(value, str):
        if not plain:
            _check_text(value, field=field)
    elif isinstance(value, dict):
        for name, part in value.items():
            if not plain:
                _check_text(name, field=field)
            elif isinstance(part, str):
                continue
            _check_value(field, part, depth=depth + 1, plain=plain)
    elif isinstance(value, list):
        for part in value:
            _check_value(field, part, depth=depth + 1, plain=plain)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput.of(field, value, "a finite number")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise InvalidInput.of(field, value, "an integer of at most 64 bits")


def _check_text(text: str, *, field: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in _beyond_ascii(text)):
        shown = text.encode("ascii", "backslashreplace").decode("ascii")[:80]
        raise InvalidInput(
            f"{field}: the text holds a character that is not allowed",
            field=field,
            value=shown,
            accepted="Unicode text without NUL or lone surrogates",
        )


def _beyond_ascii(text: str) -> str:
    return "" if text.isascii() else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Repeated(name)
            seen.add(name)
    return found


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def request_from_body(kind: type[Request], body: bytes, *, path: Mapping[str, str]) -> Request:
    """Return the ``kind`` in ``body``, with the fields that the path gives."""
    found = object_in(body)
    for name in path:
        if name in found:
            raise InvalidInput.of(name, found[name], "in the path alone, not in the body")
    # Spliced as text, not through floats: a decimal keeps every digit that was sent.
    inner = body.strip()
    if path:
        types = {field.name: field.type for field in msgspec.structs.fields(kind)}
        given = msgspec.json.encode({name: _typed(types[name], path[name]) for name in path})
        inner = given[:-1] + b"," + inner[1:] if found else given
    try:
        request = msgspec.json.decode(inner or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise not_accepted(str(error), {**found, **path}, kind=kind) from None
    except msgspec.DecodeError as error:
        raise malformed(f"the body is not JSON: {error}") from None
    check_decimals(request)
    return request


def _typed(kind: object, text: str) -> object:
    """Return what a path says as its field's type; the text itself where it is not of that type."""
    try:
        typed: object = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return text
    return typed if not isinstance(typed, int) or abs(typed) <= MAX_INTEGER else text


def request_from_values(kind: type[Request], found: Mapping[str, object]) -> Request:
    """Return the ``kind`` made of values that were parsed elsewhere."""
    check_values(found)
    try:
        request = msgspec.convert(dict(found), kind)
    except msgspec.ValidationError as error:
        raise not_accepted(str(error), found, kind=kind) from None
    check_decimals(request)
    return request


def request_from_query(kind: type[Request], query: bytes, *, path: Mapping[str, str]) -> Request:
    """Return the ``kind`` in a query string; lists repeat the parameter or separate by commas."""
    lists = {
        field.name
        for field in msgspec.structs.fields(kind)
        if getattr(field.type, "__origin__", None) in (tuple, list)
    }
    found: dict[str, object] = dict(path)
    for name, value in _pairs(query):
        _check_text(name, field="query")
        _check_text(value, field=name[:80])
        if name in lists:
            earlier = found.get(name, [])
            parts = [part for part in value.split(",") if part]
            found[name] = [*earlier, *parts] if isinstance(earlier, list) else parts
        elif name in found:
            raise InvalidInput.of(name[:80], value, "once, and not where the path gives it")
        else:
            found[name] = value
    for name, value in path.items():
        _check_text(value, field=name)
    try:
        request = msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise not_accepted(str(error), found, kind=kind) from None
    check_decimals(request)
    return request


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_QUERY_FIELDS,
        )
    except ValueError:
        raise Refused(
            400,
            "the query string cannot be read",
            code="MALFORMED_QUERY",
            field="query",
            accepted=f"at most {MAX_QUERY_FIELDS} parameters in UTF-8, percent-encoded",
        ) from None


def check_decimals(request: msgspec.Struct) -> None:
    """Refuse numbers that are not finite or absurdly large, in any field and those within."""
    for name in request.__struct_fields__:
        value = getattr(request, name)
        match value:
            case Decimal():
                _check_decimal(name, value)
            case float() if not math.isfinite(value):
                raise InvalidInput.of(name, value, "a finite number")
            case int() if not isinstance(value, bool) and abs(value) > MAX_INTEGER:
                raise InvalidInput.of(name, value, "an integer of at most 64 bits")
            case msgspec.Struct():
                check_decimals(value)


def _check_decimal(field: str, value: Decimal) -> None:
    accepted = f"a finite decimal below 1e{MAX_DECIMAL_POWER}, as text"
    try:
        fits = value.is_finite() and abs(value.adjusted()) <= MAX_DECIMAL_POWER
    except InvalidOperation:
        fits = False
    if not fits or len(value.as_tuple().digits) > MAX_DECIMAL_TEXT:
        raise InvalidInput.of(field, value, accepted)


def _words_of(kind: type[msgspec.Struct], field: str) -> str | None:
    """Return the words that ``field`` may be, such as ``tasks[0].priority``; None if it has none."""
    at: type = kind
    for name in field.split("."):
        if not issubclass(at, msgspec.Struct):
            return None
        known = {one.encode_name: one.type for one in msgspec.structs.fields(at)}
        at = next(_within(known.get(name.partition("[")[0])), str)
    return ", ".join(str(one.value) for one in at) if issubclass(at, Enum) else None


def _fields_at(kind: type[msgspec.Struct], where: str) -> tuple[str, ...]:
    """Return the fields of the struct that ``where`` leads to, such as ``limits.groups[0]``."""
    at: type[msgspec.Struct] = kind
    for name in where.split(".") if where else ():
        known = {one.encode_name: one.type for one in msgspec.structs.fields(at)}
        inner = next(_within(known.get(name.partition("[")[0])), str)
        if not issubclass(inner, msgspec.Struct):
            return kind.__struct_fields__
        at = inner
    return at.__struct_fields__


def _within(hint: object) -> Iterator[type]:
    """Yield the structs and enumerations that a type is or holds."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct | Enum):
        yield hint
    for part in get_args(hint):
        yield from _within(part)


def not_accepted(
    text: str, found: Mapping[str, object], *, kind: type[msgspec.Struct]
) -> InvalidInput:
    """Return a validator's words as the refusal of one field."""
    match = _WHERE.match(text)
    what, where = (match["what"], match["where"] or "") if match else (text, "")
    named = _NAMED.search(what)
    if named is not None:
        name = f"{where}.{named['name']}" if where else named["name"]
        name = name[:80]
        if "unknown field" in what:
            return InvalidInput(
                f"{name}: there is no such field",
                field=name,
                accepted=", ".join(_fields_at(kind, where)) or "no field at all",
            )
        return InvalidInput(f"{name}: this field is required", field=name, accepted="a value")
    field = where or "body"
    top = re.split(r"[.\[]", field)[0]
    value = found.get(top)
    shown = "" if value is None else str(value)[:80]
    other = _OTHER.fullmatch(what)
    words = None if other is None else _words_of(kind, field)
    if other is not None and words is not None:
        return InvalidInput.of(field[:80], other["word"], words)
    accepted = what.replace("Expected ", "").replace("`", "")
    return InvalidInput(
        f"{field[:80]}: {what.replace('`', '')[:200]}",
        field=field[:80],
        value=shown or None,
        accepted=accepted[:200],
    )
