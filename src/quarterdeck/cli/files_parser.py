"""What can be typed about the analytics of a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from quarterdeck.cli import commands
from quarterdeck.cli.optimise_parser import fill
from quarterdeck.cli.parsing import Commands, add_command, json_option


def add_optimize(subparsers: Commands) -> None:
    """Add ``quarterdeck optimize``."""
    parser = add_command(
        subparsers,
        "optimize",
        does="the portfolio of a file's symbols that is best by an objective; figures are per year",
        example="quarterdeck optimize closes.parquet --objective risk-parity --json",
    )
    fill(parser)
    json_option(parser)
    parser.set_defaults(command=commands.optimize)


def add_risk(subparsers: Commands) -> None:
    """Add ``quarterdeck risk``."""
    parser = add_command(
        subparsers,
        "risk",
        does="volatility, value at risk and expected shortfall of the next bar of a file's symbols",
        example="quarterdeck risk closes.parquet --backtest",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bars or closes, CSV or Parquet")
    parser.add_argument(
        "--levels",
        default="0.95,0.99",
        metavar="X,Y",
        help="confidence levels, ascending (default %(default)s)",
    )
    parser.add_argument(
        "--backtest", action="store_true", help="how the forecasts have held, by symbol and level"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the forecast made at every bar as .csv or .parquet",
    )
    parser.add_argument(
        "--guard", action="store_true", help="correct the scale slowly where coverage fails"
    )
    parser.add_argument(
        "--timeframe",
        metavar="LENGTH",
        help="the bars' length, like 5m or 1h, whose constants count (default: their usual distance)",
    )
    json_option(parser)
    parser.add_argument(
        "--what-if",
        metavar="FROM..TO",
        help="what adaptation would have done to each symbol held from one day to another",
    )
    parser.set_defaults(command=commands.risk)


def add_regimes(subparsers: Commands) -> None:
    """Add ``quarterdeck regimes``."""
    parser = add_command(
        subparsers,
        "regimes",
        does="the market regime of each symbol in a file, told from the past alone at every bar",
        example="quarterdeck regimes bars.csv --symbols AAPL --plot aapl.png",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw one symbol's prices over its regimes"
    )
    _analytic(parser)
    parser.set_defaults(command=commands.regimes, talib=None)


def add_indicators(subparsers: Commands) -> None:
    """Add ``quarterdeck indicators``."""
    parser = add_command(
        subparsers,
        "indicators",
        does="RSI, MACD, ADX, Bollinger bands and ATR of each symbol in a file",
        example="quarterdeck indicators bars.parquet --last 5",
    )
    parser.add_argument(
        "--talib",
        action="append",
        metavar="NAME[:OPTION=N...]",
        help="one more indicator of TA-Lib, such as CCI:timeperiod=20; may be repeated",
    )
    _analytic(parser)
    parser.set_defaults(command=commands.indicators, plot=None)


def _analytic(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="bars, closes or quotes, CSV or Parquet"
    )
    parser.add_argument("--symbols", metavar="A,B", help="only these symbols")
    parser.add_argument(
        "--stale-after",
        type=float,
        metavar="SECONDS",
        help="of quotes as ticks: how long a bid or an ask counts after it was last told of (default 60)",
    )
    parser.add_argument(
        "--timeframe",
        metavar="T",
        help="make coarser bars first: 1m, 5m, 15m, 1h, 4h, 1d or 1w (default the file's own bars)",
    )
    parser.add_argument(
        "--session",
        metavar="'HH:MM-HH:MM [ZONE]'",
        help="with --timeframe: only this part of each day, in UTC or a zone such as "
        "America/New_York; no bar spans its end",
    )
    parser.add_argument(
        "--stamps",
        choices=("begin", "close"),
        help="with --timeframe: what a bar's time in the file is (default begin)",
    )
    parser.add_argument(
        "--last",
        type=int,
        default=1,
        metavar="N",
        help="the last N bars of each symbol (default %(default)s)",
    )
    json_option(parser)
