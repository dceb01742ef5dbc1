"""How long a text from outside may be."""

from __future__ import annotations

from quarterdeck.kernel.errors import InvalidInput

MAX_REASON = 500
MAX_REFERENCE = 128
MAX_SYMBOL = 64


def check_length(field: str, text: str | None, most: int) -> None:
    """Raise for a text of more than ``most`` characters."""
    if text is not None and len(text) > most:
        raise InvalidInput.of(field, text, f"at most {most} characters")
