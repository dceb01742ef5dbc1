"""The agents' side of the deck: the briefing they read and the SDK that speaks REST.

``Deck`` and ``AsyncDeck`` are loaded when they are first named, so that the briefing costs nothing
to those who only read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.client.asynchronous import AsyncDeck
    from quarterdeck.client.deck import Deck
    from quarterdeck.client.wire import DeckError

__all__ = ["AsyncDeck", "Deck", "DeckError"]

_HOMES = {"AsyncDeck": "asynchronous", "Deck": "deck", "DeckError": "wire"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
