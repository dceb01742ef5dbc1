"""Whether two objects hold the same, all the way down: what was loaded against what lived."""

from __future__ import annotations

import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from types import MethodType, NoneType

import msgspec
import numpy as np

MAX_DEPTH = 40
ORDERED = frozenset(
    {"_answers", "execution.desk.book.working", "execution.desk.accounts", "alerts._open"}
)
"""Dicts whose order decides: who is filled, marked, shown or forgotten first. The others are looked
up."""

_PLAIN = frozenset({bool, bytes, Decimal, int, NoneType, str})
_MAPPINGS = frozenset({dict, OrderedDict})
_SEQUENCES = frozenset({deque, list, tuple})
_DOUBLE = struct.Struct("d")


def difference(one: object, other: object, *, at: str = "") -> str | None:
    """Return the path of the first difference, ``None`` if there is none.

    Floats are compared by their bytes, and dicts with their order where that decides.
    """
    # Nearly always all is the same, which is told without a path and in a fraction of the time.
    return None if _same(one, other) else _search(one, other, at=at, depth=0)


def _same(one: object, other: object) -> bool:
    """Return whether all is the same, dicts with their order; a doubt is a no."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _PLAIN:
        return one == other
    if kind is float:
        return _DOUBLE.pack(one) == _DOUBLE.pack(other)
    if kind is MethodType:
        # A question that its service was given to ask; whom it asks is compared by itself.
        return one.__func__ is other.__func__  # type: ignore[attr-defined]
    if kind in _MAPPINGS:
        return list(one) == list(other) and all(map(_same, one.values(), other.values()))  # type: ignore[attr-defined,call-overload]
    if kind in _SEQUENCES:
        return len(one) == len(other) and all(map(_same, one, other))  # type: ignore[arg-type,call-overload]
    read = _reader(kind)  # type: ignore[arg-type]
    return read is not None and all(map(_same, read(one), read(other)))


def _search(one: object, other: object, *, at: str, depth: int) -> str | None:
    if isinstance(one, str) and isinstance(other, str):
        return None if one == other else f"{at}: {one!r} and {other!r}"
    if type(one) is not type(other):
        return f"{at}: {type(one).__name__} and {type(other).__name__}"
    if depth > MAX_DEPTH:
        return f"{at}: nested too deeply to compare"
    match one:
        case float():
            same = _DOUBLE.pack(one) == _DOUBLE.pack(other)
            return None if same else f"{at}: {one!r} and {other!r}"
        case MethodType():
            return None if _same(one, other) else f"{at}: {_few(one)} and {_few(other)}"
        case np.ndarray():
            alike = one.shape == other.shape and one.tobytes() == other.tobytes()  # type: ignore[attr-defined]
            return None if alike else f"{at}: arrays"
        case dict():
            ordered = at in ORDERED
            if one.keys() != other.keys() or (ordered and list(one) != list(other)):  # type: ignore[attr-defined,call-overload]
                return f"{at}: keys {_few(one)} and {_few(other)}"
            pairs = ((f"{at}[{key!r}]", one[key], other[key]) for key in one)  # type: ignore[index]
        case list() | tuple() | deque():
            if len(one) != len(other):  # type: ignore[arg-type]
                return f"{at}: {len(one)} and {len(other)} items"  # type: ignore[arg-type]
            pairs = ((f"{at}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True)))  # type: ignore[call-overload]
        case _:
            names = _fields(one)
            if not names:
                return None if one == other else f"{at}: {_few(one)} and {_few(other)}"
            pairs = ((f"{at}.{name}", getattr(one, name), getattr(other, name)) for name in names)
    for path, a, b in pairs:
        if not _same(a, b):
            found = _search(a, b, at=path, depth=depth + 1)
            if found is not None:
                return found
    return None


@lru_cache(maxsize=1024)
def _names(kind: type) -> tuple[str, ...] | None:
    """Return the fields that every object of ``kind`` has, ``None`` if only an object can tell.

    A field that its class leaves out of comparison follows from the others.
    """
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is None:
        return None
    return tuple(name for name, field in fields.items() if field.compare)


@lru_cache(maxsize=1024)
def _reader(kind: type) -> Callable[[object], Iterable[object]] | None:
    """Return what reads the fields of every object of ``kind``, ``None`` if only an object can tell."""
    names = _names(kind)
    if not names:
        return None
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda value: (read(value),)


def _fields(value: object) -> Iterable[str]:
    names = _names(type(value))  # type: ignore[arg-type]
    if names is not None:
        return names
    if isinstance(value, Enum):
        return ()
    slots = getattr(type(value), "__slots__", ())
    if slots and type(value).__eq__ is object.__eq__:
        return tuple(slots)
    return tuple(vars(value)) if hasattr(value, "__dict__") else ()


def _few(value: object) -> str:
    text = repr(list(value) if isinstance(value, dict) else value)
    return text if len(text) <= 120 else text[:117] + "..."
