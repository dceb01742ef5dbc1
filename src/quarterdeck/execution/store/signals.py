"""Signals as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.execution.core.signals import Signal, call_of
from quarterdeck.execution.model import SignalStateView, SignalView
from quarterdeck.kernel.ids import AgentId, SignalId
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import SignalStatus
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

Row = Mapping[str, Any]


def signal_view(row: Row) -> SignalView:
    """Return the signal in ``row``."""
    return SignalView(
        signal_id=SignalId(row["signal_id"]),
        agent=AgentId(row["agent"]),
        symbol=row["symbol"],
        direction=row["direction"],
        strength=row["strength"],
        horizon_bars=row["horizon_bars"],
        reason=row["reason"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        expires_slice=row["slice"] + row["horizon_bars"],
        status=SignalStatus(row["status"]),
        final_at=_instant(row["final_at"]),
        expires_at=_instant(row["expires_at"]),
        task_id=row["task_id"],
    )


def _instant(at: int | None) -> str | None:
    return None if at is None else rfc3339(Nanos(at))


def state_view(signal: Signal) -> SignalStateView:
    """Return where a signal stands."""
    return SignalStateView(
        signal_id=signal.signal_id,
        agent=signal.agent,
        symbol=signal.symbol,
        status=signal.status,
        expires_slice=signal.expires_slice,
        expires_at=_instant(signal.expires_at),
    )


def write_signal(step: Step, signal: Signal) -> None:
    """Write what has become of a signal."""
    step.write(
        "execution.signal_changed",
        number=signal.number,
        status=signal.status.value,
        final_at=signal.final_at,
    )


def read_signals(reader: Reader) -> dict[SignalId, Signal]:
    """Return the signals that are not final, oldest first."""
    return {
        SignalId(row["signal_id"]): Signal(
            number=row["number"],
            signal_id=SignalId(row["signal_id"]),
            agent=AgentId(row["agent"]),
            symbol=row["symbol"],
            expires_slice=row["slice"] + row["horizon_bars"],
            status=SignalStatus(row["status"]),
            expires_at=row["expires_at"],
            slice=row["slice"],
            call=call_of(
                row["symbol"],
                row["direction"],
                strength=row["strength"],
                horizon_bars=row["horizon_bars"],
            ),
        )
        for row in reader.rows("execution.open_signals")
    }
