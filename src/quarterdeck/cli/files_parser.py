"""What can be typed about the analytics of a file."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.cli import commands
from quarterdeck.cli.parsing import Commands, add_command, json_option


def add_optimize(subparsers: Commands) -> None:
    """Add ``quarterdeck optimize``."""
    parser = add_command(
        subparsers,
        "optimize",
        does="the portfolio of a file's symbols that is best by an objective; figures are per year",
        example="quarterdeck optimize closes.parquet --objective risk-parity --json",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="bars or closes, CSV or Parquet")
    parser.add_argument(
        "--objective",
        default="max-sharpe",
        choices=(
            "max-sharpe",
            "min-volatility",
            "max-return",
            "equal-weight",
            "risk-parity",
            "hrp",
        ),
        help="what it is best by (default %(default)s)",
    )
    numbers: tuple[tuple[str, float | None, str], ...] = (
        ("--risk-free", 0.0, "the risk-free rate per year (default %(default)s)"),
        ("--vol-cap", None, "largest volatility per year; max-return needs it"),
        ("--min-weight", 0.0, "least weight of a symbol (default %(default)s)"),
        ("--max-weight", 1.0, "largest weight of a symbol (default %(default)s)"),
    )
    for name, default, text in numbers:
        parser.add_argument(name, type=float, default=default, metavar="X", help=text)
    parser.add_argument(
        "--lookback",
        type=int,
        metavar="N",
        help="only the last N returns (default: the whole file)",
    )
    parser.add_argument(
        "--periods-per-year",
        type=int,
        default=252,
        metavar="N",
        help="by which figures are annualised (default %(default)s, the trading days)",
    )
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
    json_option(parser)
    parser.set_defaults(command=commands.risk)
