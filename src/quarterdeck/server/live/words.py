"""The program's words as a person reads them."""

from __future__ import annotations

DECK = "deck"
"""The subject that is no agent and no instrument."""


def said(word: str) -> str:
    """Return a word of a vocabulary without its underscores."""
    return word.replace("_", " ").replace("var breach", "VaR breach")


def whose(subject: str) -> str:
    """Return who a number is about."""
    return "the deck" if subject == DECK else subject


def counted(count: int, noun: str) -> str:
    """Return how many there are of what ``noun`` names."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def bars(count: int) -> str:
    """Return a length in bars."""
    return counted(count, "bar")
