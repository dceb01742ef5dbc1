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

    With ``expires_at`` no longer than until a slice closes at or after that market instant. ``call`` is
    what was stated in ``slice``.
    """

    number: int
    signal_id: SignalId
    agent: AgentId
    symbol: str
    expires_slice: int
    status: SignalStatus = SignalStatus.RECEIVED
    final_at: Nanos | None = None
    expires_at: Nanos | None = None
    slice: int = -1
    call: str = ""

    def over(self, slice_: int, at: Nanos) -> bool:
        """Return whether it has expired once slice ``slice_`` has closed at ``at``."""
        return self.expires_slice <= slice_ or (
            self.expires_at is not None and self.expires_at <= at
        )


def call_of(symbol: str, direction: str, *, strength: float, horizon_bars: int) -> str:
    """Return what two signals have in common that say the same.

    >>> call_of("AAA", "long", strength=0.5, horizon_bars=2)
    'long AAA 0.5 for 2 bars'
    """
    # A negative nought says what nought says.
    return f"{direction} {symbol} {strength + 0.0} for {horizon_bars} bars"


def repeats(open_signals: dict[SignalId, Signal], signal: Signal) -> int:
    """Return how often the agent of ``signal``, the newest one, has said it in its bar; once is 1."""
    times = 0
    for each in reversed(open_signals.values()):
        if each.slice != signal.slice:
            break
        times += (each.agent, each.call) == (signal.agent, signal.call)
    return times


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
