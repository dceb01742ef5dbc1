"""What can be typed about the running deck's portfolios."""

from __future__ import annotations

import argparse

from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option
from quarterdeck.cli.rebalance_parser import OBJECTIVES

PARTS = ("agent", "strategy", "symbol", "sector", "regime")


def add_portfolio(subparsers: Commands) -> None:
    """Add ``quarterdeck portfolio``."""
    parser = add_command(
        subparsers,
        "portfolio",
        does="what the running deck would hold, at which risk, and how sure that is",
        example="quarterdeck portfolio frontier --plot",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("show", help="every objective's present proposal")
    frontier = actions.add_parser("frontier", help="the best there is beside what is held")
    frontier.add_argument("--agent", metavar="ID", help="whose account (default all together)")
    frontier.add_argument(
        "--points", type=int, default=24, metavar="N", help="portfolios (default %(default)s)"
    )
    frontier.add_argument("--plot", action="store_true", help="draw it")
    sensitivity = actions.add_parser(
        "sensitivity", help="how far weights move on resampled history"
    )
    sensitivity.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="max-sharpe",
        help="what the weights are best for (default %(default)s)",
    )
    sensitivity.add_argument(
        "--draws", type=int, default=100, metavar="N", help="histories (default %(default)s)"
    )
    sensitivity.add_argument(
        "--seed", type=int, default=0, metavar="S", help="the same gives the same draws"
    )
    views = actions.add_parser("views", help="agents' signals as views and what they were worth")
    attribution = actions.add_parser("attribution", help="where profit and loss came from")
    attribution.add_argument(
        "--by",
        choices=PARTS,
        default="agent",
        help="which parts it is told by (default %(default)s)",
    )
    active = actions.add_parser("active", help="what was earned against the benchmark, by factor")
    allocation = actions.add_parser("allocation", help="how capital is shared out among agents")
    allocate, carry, end = _allocation(actions)
    for action in (
        shown, frontier, sensitivity, views, attribution, active, allocation, allocate, carry, end,
    ):  # fmt: skip
        data_dir(action)
        json_option(action)
        action.set_defaults(command=_run)


def _allocation(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> tuple[argparse.ArgumentParser, ...]:
    allocate = actions.add_parser("allocate", help="let capital be shared out among agents")
    allocate.add_argument("agents", metavar="A,B", help="among whom")
    allocate.add_argument(
        "--objective", choices=OBJECTIVES, required=True, help="what the shares are best for"
    )
    allocate.add_argument(
        "--sessions",
        type=int,
        default=60,
        metavar="N",
        help="returns looked at (default %(default)s)",
    )
    allocate.add_argument(
        "--mode", choices=("automatic", "approval", "advisory"), default="approval",
        help="what becomes of it when it is due (default %(default)s)",
    )  # fmt: skip
    allocate.add_argument(
        "--every",
        choices=("day", "week", "month", "quarter", "year"),
        help="due with the first session of each",
    )
    allocate.add_argument(
        "--drift", type=float, metavar="FRACTION", help="due at so much turnover to the best shares"
    )
    for name, default, what in (("min-share", 0.0, "least"), ("max-share", 1.0, "largest")):
        allocate.add_argument(
            f"--{name}",
            type=float,
            default=default,
            metavar="FRACTION",
            help=f"{what} share of an agent (default %(default)s)",
        )
    for name, text in (
        ("vol-cap", "largest deviation of a session's return, for max-return"),
        ("confidence", "of min-cvar"),
        ("max-turnover", "largest half sum of changes of shares at a time"),
        ("max-change", "largest change of a share at a time"),
    ):
        allocate.add_argument(f"--{name}", type=float, metavar="X", help=text)
    allocate.add_argument(
        "--group", action="append", default=[], metavar="NAME=A+B:LOW:HIGH",
        help="between which shares these agents have together",
    )  # fmt: skip
    carry = actions.add_parser("carry", help="move capital to the best shares now")
    end = actions.add_parser("end-allocation", help="share capital out no longer")
    for action in (carry, end):
        action.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    return allocate, carry, end


def _run(options: argparse.Namespace) -> int:
    from quarterdeck.cli import portfolio

    return portfolio.run(options)
