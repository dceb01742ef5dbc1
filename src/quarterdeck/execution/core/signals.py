"""The life of a signal: received, decided, then executed, expired or cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quarterdeck.kernel.ids import AgentId, SignalId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import SignalStatus


@dataclass(slots=True)
class Signal:
    """A signal that orders may name until the slice ``expires_slice`` has closed.

    With ``expires_at`` no longer than until a slice closes at or after that market instant.
    """

    number: int
    signal_id: SignalId
    agent: AgentId
    symbol: str
    expires_slice: int
    status: SignalStatus = SignalStatus.RECEIVED
    final_at: Nanos | None = None
    expires_at: Nanos | None = None

    def over(self, slice_: int, at: Nanos) -> bool:
        """Return whether it has expired once slice ``slice_`` has closed at ``at``."""
        return self.expires_slice <= slice_ or (
            self.expires_at is not None and self.expires_at <= at
        )


def stale(
    open_signals: Mapping[SignalId, Signal], signal_id: str | None, *, agent: str, symbol: str
) -> str | None:
    """Return why an order of ``agent`` may not follow the signal it names; ``None`` if it may.

    What is not open has expired, was cancelled, was executed, or never was: an order that comes
    late is dropped and never run.
    """
    if signal_id is None:
        return None
    signal = open_signals.get(SignalId(signal_id))
    if signal is None or signal.agent != agent:
        return "the caller has no open signal of that id: it expired, ended or never was"
    if signal.symbol != symbol:
        return f"the signal is for {signal.symbol}"
    return None
