"""What this capability asks of others."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Where unguessable text comes from."""

    def token(self, nbytes: int) -> str:
        """Return ``nbytes`` fresh random bytes as unpadded URL-safe base64 text."""
        ...
