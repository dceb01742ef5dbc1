"""Asking the views, with the answer's type checked once."""

from __future__ import annotations

from typing import TypeVar

from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.ports import Views

Given = TypeVar("Given", bound=Answer)


def now(views: Views, query: Query, *, caller: Caller, kind: type[Given]) -> Given:
    """Return the answer from memory, as ``kind``."""
    return _checked(views.now(query, caller), kind)


async def read(views: Views, query: Query, *, caller: Caller, kind: type[Given]) -> Given:
    """Return the answer once what it rests on is on disk, as ``kind``."""
    return _checked((await views.read(query, caller)).answer, kind)


def _checked(answer: Answer, kind: type[Given]) -> Given:
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, was answered {type(answer).__name__}")
    return answer
