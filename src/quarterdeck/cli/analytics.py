"""Regimes and indicators of the bars in a file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES
from quarterdeck.library.bars import STALE_AFTER, Bars, coarser, read_bars
from quarterdeck.library.plot import COLOURS, ribbon
from quarterdeck.library.regimes import RegimeHistory, detect_regimes
from quarterdeck.library.talib import FloatArray, talib_indicator
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.regime.core.levels import level_of


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked: which symbols, how many of their last bars, how long ones, and where a picture goes."""

    file: Path
    symbols: tuple[str, ...] | None
    last: int
    timeframe: str | None
    session: str | None
    stamps: Literal["begin", "close"] | None
    stale_after: float | None
    talib: tuple[str, ...]
    plot: Path | None
    as_json: bool


def regimes(options: Options) -> int:
    """Print the present regime of each symbol, or of its last bars, and draw one of them."""
    bars = _read(options)
    found = detect_regimes(bars)
    answer = {symbol: _told(history, options.last) for symbol, history in found.items()}
    if options.as_json:
        print(json.dumps(answer))
    else:
        print(f"{'symbol':<12}{'at':<22}{'regime':<17}{'confidence':<20}bars of it")
        for symbol, lines in answer.items():
            for line in lines:
                sure = line["confidence"]
                shown = "-" if sure is None else f"{line['level']} ({sure:.2f})"
                print(f"{symbol:<12}{line['at']:<22}{line['regime']:<17}{shown:<20}{line['bars']}")
    if options.plot is not None:
        _draw(options.plot, found)
    return 0


def indicators(options: Options) -> int:
    """Print the indicators at the last bars of each symbol."""
    bars = _read(options)
    asked = [_talib(bars, text) for text in options.talib]
    names = [*INDICATOR_NAMES, *(name for one in asked for name in one[bars.symbols[0]])]
    answer: dict[str, list[dict[str, object]]] = {}
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        values = np.column_stack(
            (
                batch_indicators(bars.high[rows], bars.low[rows], bars.close[rows]),
                *(column for one in asked for column in one[symbol].values()),
            )
        )
        answer[symbol] = [
            {"at": rfc3339(Nanos(int(bars.ts[row])))}
            | {
                name: None if np.isnan(value) else float(value)
                for name, value in zip(names, line, strict=True)
            }
            for row, line in zip(rows[-options.last :], values[-options.last :], strict=True)
        ]
    if options.as_json:
        print(json.dumps(answer))
        return 0
    print(f"{'symbol':<12}{'at':<22}" + "".join(f"{name:>12}" for name in names))
    for symbol, lines in answer.items():
        for line in lines:
            shown = (line[name] for name in names)
            cells = "".join(f"{v:>12.4f}" if isinstance(v, float) else f"{'-':>12}" for v in shown)
            print(f"{symbol:<12}{line['at']:<22}{cells}")
    return 0


def _talib(bars: Bars, text: str) -> dict[str, dict[str, FloatArray]]:
    """Return the outputs of ``NAME:option=number``; a column says which function it is of."""
    function, *options = text.split(":")
    try:
        given = {name: float(value) for name, value in (one.split("=") for one in options)}
    except ValueError:
        raise InvalidInput.of("--talib", text, "NAME or NAME:option=number") from None
    found = talib_indicator(bars, function, **given)
    prefix = function.lower()
    return {
        symbol: {
            prefix if name in {"real", "integer"} else f"{prefix}.{name}": values
            for name, values in outputs.items()
        }
        for symbol, outputs in found.items()
    }


def _read(options: Options) -> Bars:
    if options.last < 1:
        raise InvalidInput.of("--last", options.last, "1 bar or more")
    stale_after = STALE_AFTER if options.stale_after is None else options.stale_after
    bars = read_bars(options.file, symbols=options.symbols, stale_after=stale_after)
    if bars.one_sided or bars.crossed:
        left_out = f"{bars.one_sided} quotes without both sides, {bars.crossed} crossed"
        print(f"{options.file}: {left_out}: left out", file=sys.stderr)
    if options.timeframe is not None:
        stamps = options.stamps or "begin"
        bars = coarser(bars, options.timeframe, session=options.session, stamps=stamps)
    elif options.session is not None:
        raise InvalidInput.of("--session", options.session, "only together with --timeframe")
    elif options.stamps is not None:
        raise InvalidInput.of("--stamps", options.stamps, "only together with --timeframe")
    if options.plot is not None and len(bars.symbols) != 1:
        names = ", ".join(bars.symbols)
        raise InvalidInput.of("--plot", names, "one symbol; choose it with --symbols")
    return bars


def _told(history: RegimeHistory, last: int) -> list[dict[str, object]]:
    labels = history.labels
    first = max(labels.size - last, 0)
    lines: list[dict[str, object]] = []
    for row in range(first, labels.size):
        begin = row
        while begin > 0 and labels[begin - 1] == labels[row]:
            begin -= 1
        confidence = history.confidence(row)
        lines.append(
            {
                "at": rfc3339(Nanos(int(history.ts[row]))),
                "regime": REGIMES[int(labels[row])].value,
                "confidence": confidence,
                "level": None if confidence is None else level_of(confidence).value,
                "bars": row - begin + 1,
                "reason": history.reason(row),
            }
        )
    return lines


def _draw(path: Path, found: dict[str, RegimeHistory]) -> None:
    (history,) = found.values()
    try:
        first, last = (rfc3339(Nanos(int(history.ts[row])))[:10] for row in (0, -1))
        drawn = ribbon(history.close, history.labels, symbol=history.symbol, first=first, last=last)
        path.write_bytes(drawn)
    except OSError as error:
        raise InvalidInput.of("--plot", path, f"a file to write ({error.strerror})") from None
    legend = ", ".join(f"{regime.value} {name}" for regime, (name, _) in COLOURS.items())
    print(f"{path}: {legend}", file=sys.stderr)
