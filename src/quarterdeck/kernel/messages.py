"""The four shapes everything said in the house has.

A *message* is a fact in the past tense, a *command* asks for an effect, a *query* asks what is, an
*answer* is what a command or query returns. Commands and queries come from outside, so an unknown
field in one is refused rather than ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quarterdeck.kernel.vocabulary import Clock


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="said", eq=False):
    """A fact that one capability says and others hear; immutable once said.

    Compared by identity: some carry arrays.
    """


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for an effect; carried in one step and answered after its commit."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question about what is; changes nothing."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command or a query returns."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A number that the deck publishes: what alert rules may be set on.

    ``name`` is ``capability.number_unit``; ``subject`` says what one value belongs to
    (``instrument``, ``agent``, ``invariant`` or ``deck``); ``clock`` is the time a rule's ``for`` counts in.
    """

    name: str
    unit: str
    subject: str
    clock: Clock
    meaning: str


class NumbersPublished(Message, frozen=True):
    """One published number for all its subjects at one instant; ``None`` where undefined."""

    name: str
    values: Mapping[str, float | None]


Json = Mapping[str, Any]
"""A JSON object that is stored or shown but never decided upon."""
