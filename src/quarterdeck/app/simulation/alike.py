"""Whether two objects hold the same, all the way down: what was loaded against what lived."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from enum import Enum

import msgspec
import numpy as np

MAX_DEPTH = 40
ORDERED = frozenset({"execution.desk.book.working", "execution.desk.accounts", "alerts._open"})
"""Dicts whose order decides: who is filled, marked or shown first. The others are looked up."""


def difference(one: object, other: object, *, at: str = "", depth: int = 0) -> str | None:
    """Return the path of the first difference, ``None`` if there is none.

    Floats are compared by their bytes, and dicts with their order where that decides.
    """
    if isinstance(one, str) and isinstance(other, str):
        return None if one == other else f"{at}: {one!r} and {other!r}"
    if type(one) is not type(other):
        return f"{at}: {type(one).__name__} and {type(other).__name__}"
    if depth > MAX_DEPTH:
        return f"{at}: nested too deeply to compare"
    match one:
        case float():
            same = struct.pack("d", one) == struct.pack("d", other)
            return None if same else f"{at}: {one!r} and {other!r}"
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
        found = difference(a, b, at=path, depth=depth + 1)
        if found is not None:
            return found
    return None


def _fields(value: object) -> Iterable[str]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if hasattr(value, "__dataclass_fields__"):
        return tuple(value.__dataclass_fields__)
    if isinstance(value, Enum):
        return ()
    slots = getattr(type(value), "__slots__", ())
    if slots and type(value).__eq__ is object.__eq__:
        return tuple(slots)
    return tuple(vars(value)) if hasattr(value, "__dict__") else ()


def _few(value: object) -> str:
    text = repr(list(value) if isinstance(value, dict) else value)
    return text if len(text) <= 120 else text[:117] + "..."
