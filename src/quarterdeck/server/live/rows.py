"""From one step's messages to the rows of the live topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quarterdeck.execution.model import EquityMarked
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.kernel.time import millis
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.market.model import BarsClosed, Instrument
from quarterdeck.performance.model import AgentScored
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.server.desk.model import Point, Slice

Bar = tuple[float, float, float, float, float | None]


def bars_of(message: BarsClosed, symbols: Sequence[str]) -> dict[str, Bar]:
    """Return the bars of one slice by symbol; ``symbols`` are in index order."""
    bars: dict[str, Bar] = {}
    for row, index in enumerate(message.rows.tolist()):
        volume = float(message.volume[row])
        bars[symbols[index]] = (
            float(message.open[row]),
            float(message.high[row]),
            float(message.low[row]),
            float(message.close[row]),
            None if volume != volume else volume,
        )
    return bars


def slice_of(
    messages: Sequence[Message], symbols: Sequence[str], regimes: dict[str, Regime]
) -> Slice | None:
    """Return the slice that closed in a step, if one did; ``regimes`` are brought up to date."""
    closed: BarsClosed | None = None
    for message in messages:
        match message:
            case BarsClosed():
                closed = message
            case RegimeChanged():
                regimes[message.symbol] = message.regime
            case _:
                pass
    if closed is None:
        return None
    return Slice(
        slice=closed.index,
        at_ms=millis(closed.at),
        bars=bars_of(closed, symbols),
        regimes=dict(regimes),
    )


def point_of(messages: Sequence[Message]) -> Point | None:
    """Return the point of the equity curves that a step marked, if it did."""
    marked: EquityMarked | None = None
    drawdown: dict[str, float] = {}
    for message in messages:
        match message:
            case EquityMarked():
                marked = message
            case AgentScored():
                drawdown[message.agent] = message.drawdown_fraction
            case _:
                pass
    if marked is None:
        return None
    equity = {
        str(agent): units / 10**MONEY_SCALE
        for agent, units in zip(marked.agents, marked.equity_units, strict=True)
    }
    return Point(slice=marked.slice, at_ms=millis(marked.at), equity=equity, drawdown=drawdown)


def symbols_of(instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return the symbols in index order."""
    return tuple(i.symbol for i in sorted(instruments, key=lambda i: i.index))


def by_symbol(instruments: Sequence[Instrument]) -> Mapping[str, Instrument]:
    """Return the instruments by symbol."""
    return {instrument.symbol: instrument for instrument in instruments}
