"""What the symbols in a file of bars may lose in their next bar."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quarterdeck.adapters.feeds.listing import usual_distance
from quarterdeck.cli.tables import check_target, write_table
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339
from quarterdeck.library.bars import Bars, read_bars
from quarterdeck.library.risk import RiskForecast, forecast_risk, judge_forecast
from quarterdeck.library.what_if import what_if
from quarterdeck.risk.core.bank import MIN_CLOSES
from quarterdeck.risk.core.judgement import Judgement
from quarterdeck.risk.core.timeframes import constants_for, seconds_of

BACKTEST = ("kupiec_p", "christoffersen_p", "dq_p", "quantile_loss", "fz0")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked."""

    file: Path
    levels: str
    guarded: bool
    backtest: bool
    out: Path | None
    as_json: bool
    what_if: str | None = None
    timeframe: str | None = None


def run(options: Options) -> int:
    """Print the last forecast of each symbol, or how all of them have held; write all of them."""
    levels = _levels(options.levels)
    if options.out is not None:
        check_target(options.out)
    given = options.timeframe
    if given is not None and not seconds_of(given):
        raise InvalidInput.of("--timeframe", given[:40], "a length such as 15s, 5m, 1h or 1d")
    bars = read_bars(options.file)
    timeframe = given or usual_distance(np.unique(bars.ts))
    if options.what_if is not None:
        return _what_if(options, bars, timeframe)
    constants = constants_for(timeframe)
    made = forecast_risk(bars, levels=levels, guarded=options.guarded, timeframe=timeframe)
    print(
        f"{len(bars)} bars of {len(bars.symbols)} symbols, {timeframe}: constants of {constants.name} "
        f"bars, {'confirmed' if constants.confirmed else 'not confirmed: go by --backtest'}",
        file=sys.stderr,
    )
    if options.out is not None:
        _write(options.out, bars, made)
    lines = [_line(bars, made, index) for index in range(len(bars.symbols))]
    held = judge_forecast(bars, made) if options.backtest else None
    if options.as_json:
        answer: dict[str, object] = {
            "levels": list(levels),
            "timeframe": timeframe,
            "constants": constants.name,
            "confirmed": constants.confirmed,
            "forecasts": lines,
        }
        if held is not None:
            answer["backtest"] = _judgements(held, levels)
        print(json.dumps(answer))
    elif held is not None:
        _backtest(held, levels)
    else:
        _table(lines, levels)
    return 0


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput.of("--levels", text, "numbers like 0.95,0.99") from None


def _what_if(options: Options, bars: Bars, timeframe: str) -> int:
    """Print what adaptation would have done over a span, beside a constant size."""
    first, between, last = (options.what_if or "").partition("..")
    if not between or options.backtest or options.out is not None:
        accepted = "FROM..TO, two days or instants, without --backtest and --out"
        raise InvalidInput.of("--what-if", options.what_if, accepted)
    start, end = (_instant(text) for text in (first, last))
    found = what_if(bars, start=start, end=end, timeframe=timeframe)
    if options.as_json:
        print(json.dumps({"what_if": [one._asdict() for one in found]}))
        return 0
    names = ("bars", "mean size", "changes", "gain", "worst bar", "drawdown", "constant size's")
    print(f"{'symbol':<12}{'policy':<12}" + "".join(f"{name:>16}" for name in names))
    for one in found:
        cells = f"{one.bars:>16}{one.mean_size:>16.3f}{one.changes:>16}"
        shares = (one.gain, one.worst_bar, one.drawdown, one.constant)
        print(f"{one.symbol:<12}{one.policy:<12}{cells}" + "".join(f"{x:>16.2%}" for x in shares))
    print(
        "the last column is the drawdown of the constant size that has the policy's volatility: "
        "only what is below it is more than smaller size",
        file=sys.stderr,
    )
    return 0


def _instant(text: str) -> int:
    return parse_rfc3339(f"{text}T00:00:00Z" if len(text) == len("2008-09-15") else text)


def _write(path: Path, bars: Bars, made: RiskForecast) -> None:
    each = len(made.levels)
    names = np.array(bars.symbols, dtype=object)
    write_table(
        path,
        {
            "ts": np.repeat(bars.ts, each),
            "symbol": np.repeat(names[bars.symbol_index], each),
            "level": np.tile(np.array(made.levels), len(bars)),
            "var": made.var.ravel(),
            "es": made.es.ravel(),
        },
    )


def _line(bars: Bars, made: RiskForecast, index: int) -> dict[str, object]:
    own = np.flatnonzero(bars.symbol_index == index)
    last, missing = int(own[-1]), MIN_CLOSES - own.size
    return {
        "symbol": bars.symbols[index],
        "as_of": rfc3339(Nanos(int(bars.ts[last]))),
        "volatility": _number(made.volatility[last]),
        "var": [_number(value) for value in made.var[last]],
        "es": [_number(value) for value in made.es[last]],
        "reason": (
            f"not enough data: {missing} of {MIN_CLOSES} bars are missing" if missing > 0 else None
        ),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _judgements(
    held: dict[str, tuple[Judgement, ...]], levels: tuple[float, ...]
) -> list[dict[str, object]]:
    return [
        {"symbol": symbol, "level": level, "hit_fraction": _share(one), **one._asdict()}
        for symbol, judged in held.items()
        for level, one in zip(levels, judged, strict=True)
    ]


def _share(one: Judgement) -> float | None:
    return one.hits / one.observations if one.observations else None


def _backtest(held: dict[str, tuple[Judgement, ...]], levels: tuple[float, ...]) -> None:
    heads = "".join(f"{name:>18}" for name in ("bars", "hit_fraction", *BACKTEST))
    print(f"{'symbol':<12}{'level':>8}{heads}")
    for line in _judgements(held, levels):
        cells = f"{line['observations']:>18}"
        for name in ("hit_fraction", *BACKTEST):
            value = line[name]
            cells += f"{'-' if value is None else format(value, '.6g'):>18}"
        print(f"{line['symbol']:<12}{line['level']:>8}{cells}")


def _table(lines: list[dict[str, object]], levels: tuple[float, ...]) -> None:
    heads = "".join(f"{f'VaR {100 * x:g} %':>12}{f'ES {100 * x:g} %':>12}" for x in levels)
    print(f"{'symbol':<12}{'volatility':>12}{heads}  as of")
    for line in lines:
        if line["reason"] is not None:
            print(f"{line['symbol']:<12}{line['reason']}")
            continue
        var, es = line["var"], line["es"]
        assert isinstance(var, list)
        assert isinstance(es, list)
        cells = "".join(f"{v:>12.4%}{e:>12.4%}" for v, e in zip(var, es, strict=True))
        print(f"{line['symbol']:<12}{line['volatility']:>12.4%}{cells}  {line['as_of']}")
