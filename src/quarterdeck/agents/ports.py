"""What this capability asks of others."""

from __future__ import annotations

from typing import Protocol

from quarterdeck.kernel.ids import AgentId


class Secrets(Protocol):
    """Where unguessable text comes from."""

    def token(self, nbytes: int) -> str:
        """Return ``nbytes`` fresh random bytes as unpadded URL-safe base64 text."""
        ...


class Equity(Protocol):
    """What agents own at the last close."""

    def equity_units(self, agent: AgentId) -> int | None:
        """Return an agent's equity in money units; None before its first mark."""
        ...
