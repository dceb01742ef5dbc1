"""What `quarterdeck optimize` is told."""

from __future__ import annotations

import argparse
from pathlib import Path


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the file, the objective and what the portfolio must keep to."""
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
            "min-cvar",
            "tracking",
        ),
        help="what it is best by (default %(default)s)",
    )
    _terms(parser)
    parser.add_argument(
        "--lookback",
        type=int,
        metavar="N",
        help="only the last N returns (default: the whole file)",
    )
    parser.add_argument(
        "--walk-forward",
        action="store_true",
        help="what following it would have earned after --cost-bps, beside equal weights",
    )
    parser.add_argument(
        "--every",
        type=int,
        default=21,
        metavar="N",
        help="periods between rebalancings of a walk forward (default %(default)s)",
    )
    parser.add_argument(
        "--plot", action="store_true", help="draw the efficient frontier and where this lies on it"
    )
    for name, text in (
        ("--frontier", "put N efficient portfolios, and what --current names, into the JSON"),
        ("--resample", "how far the weights scatter over N histories drawn again in blocks"),
    ):
        parser.add_argument(name, type=int, metavar="N", help=text)
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of --resample (default %(default)s)"
    )
    parser.add_argument(
        "--periods-per-year",
        type=int,
        default=252,
        metavar="N",
        help="by which figures are annualised (default %(default)s, the trading days)",
    )


def _terms(parser: argparse.ArgumentParser) -> None:
    numbers: tuple[tuple[str, float | None, str], ...] = (
        ("--risk-free", 0.0, "the risk-free rate per year (default %(default)s)"),
        ("--vol-cap", None, "largest volatility per year; max-return needs it"),
        ("--min-weight", 0.0, "least weight of a symbol (default %(default)s)"),
        ("--max-weight", 1.0, "largest weight of a symbol (default %(default)s)"),
        ("--confidence", 0.95, "of min-cvar (default %(default)s)"),
        ("--max-turnover", None, "largest half sum of weight changes; needs --current"),
        ("--max-change", None, "largest change of each weight; needs --current"),
        ("--cost-bps", None, "cost of trading, in basis points of the value; needs --current"),
        ("--max-gross", None, "largest sum of absolute weights, where shorts are allowed"),
    )
    for name, default, text in numbers:
        parser.add_argument(name, type=float, default=default, metavar="X", help=text)
    for name, text in (
        ("--group", "a group's weight between two ends, as NAME=A+B+C:LOW:HIGH; may be repeated"),
        ("--current", "weights held now, as A=0.5,B=0.5; the rest is 0"),
        ("--benchmark", "weights to stay near, for tracking; written as for --current"),
        ("--risk-budget", "shares of the risk, for risk-parity; written as for --current"),
        ("--lots", "what a lot of each symbol weighs; written as for --current"),
    ):
        several = name == "--group"
        parser.add_argument(
            name,
            action="append" if several else "store",
            default=[] if several else None,
            metavar="TEXT",
            help=text,
        )
    _estimates(parser)
    parser.add_argument(
        "--max-assets", type=int, metavar="N", help="largest number of symbols held"
    )


def _estimates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--covariance",
        default="sample",
        choices=("sample", "ledoit-wolf", "ewma", "forecast", "regime"),
        help="how it is estimated; forecast scales it by the risk forecasts of the next bar, regime "
        "weights periods by how many symbols were in their present regime (default %(default)s)",
    )
    parser.add_argument(
        "--mean",
        default="sample",
        choices=("sample", "shrunk", "equilibrium"),
        help="how expected returns are estimated (default %(default)s)",
    )
    parser.add_argument(
        "--half-life", type=float, metavar="N", help="periods after which ewma counts half as much"
    )
    parser.add_argument(
        "--gaps",
        default="refuse",
        choices=("refuse", "pairwise"),
        help="count only instants that all symbols have, or for each two symbols those that both "
        "have (default %(default)s)",
    )
    parser.add_argument(
        "--min-history", type=int, metavar="N", help="leave symbols with fewer closes out, by name"
    )
    parser.add_argument(
        "--market",
        metavar="TEXT",
        help="weights of the market, for --mean equilibrium; written as for --current",
    )
    parser.add_argument(
        "--risk-aversion", type=float, metavar="X", help="of that market, for --mean equilibrium"
    )
    parser.add_argument(
        "--view",
        action="append",
        default=[],
        metavar="TEXT",
        help="a view on top of it: A=0.001:0.5 is a return of A per period at that confidence, "
        "A/B=0.001:0.5 of A above B; may be repeated",
    )
