"""What can be typed about mandates and rebalances."""

from __future__ import annotations

import argparse

from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option

OBJECTIVES = (
    "min-volatility", "max-sharpe", "risk-parity", "hrp", "equal-weight", "max-return", "min-cvar",
)  # fmt: skip
TRACKING = "tracking"
"""What only an account can be brought to, within limits of its own."""


def add_rebalance(subparsers: Commands) -> None:
    """Add ``quarterdeck rebalance``."""
    parser = add_command(
        subparsers,
        "rebalance",
        does="bring an account to a target and keep it there",
        example="quarterdeck rebalance mandate core allocator --objective risk-parity --drift 0.05",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("list", help="rebalances and how far they are, newest first")
    mandates = actions.add_parser("mandates", help="the accounts that the deck watches over")
    plan = actions.add_parser("plan", help="what it would take now; nothing changes")
    plan.add_argument("agent", help="whose account")
    mandate = actions.add_parser("mandate", help="let the deck watch over an account")
    mandate.add_argument("mandate", help="the mandate's name; the same name changes it")
    mandate.add_argument("agent", help="whose account")
    for action in (plan, mandate):
        _target(action)
        _limits(action)
    _terms(mandate)
    end = actions.add_parser("end", help="let an account go, aborting what is under way")
    propose = actions.add_parser("propose", help="make a mandate's rebalance due now")
    for action in (end, propose):
        action.add_argument("mandate", help="its name, as 'rebalance mandates' shows it")
    approve = actions.add_parser("approve", help="let a proposed rebalance be traded")
    abort = actions.add_parser("abort", help="end a rebalance and cancel what works of it")
    for action in (approve, abort):
        action.add_argument("rebalance_id", help="its id, as 'rebalance list' shows it")
    move = actions.add_parser("move", help="move capital from one agent's account to another's")
    move.add_argument("from_agent", help="whose account it leaves")
    move.add_argument("to_agent", help="whose account it enters")
    move.add_argument("amount", help="how much, in the account's currency")
    for action, needed in ((end, True), (approve, False), (abort, True), (move, True)):
        action.add_argument(
            "--reason", required=needed, default="", metavar="TEXT", help="why, for the record"
        )
    for action in (shown, mandates, plan, mandate, end, propose, approve, abort, move):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=_run)


def _target(action: argparse.ArgumentParser) -> None:
    target = action.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--objective", choices=(*OBJECTIVES, TRACKING), help="what the weights are best for"
    )
    target.add_argument(
        "--weights", metavar="A=0.6,B=0.4", help="fixed weights; what is left is cash"
    )
    action.add_argument(
        "--horizon", type=int, metavar="BARS", help="how long it is to last (default every_bars)"
    )
    action.add_argument(
        "--risk-aversion", type=float, metavar="N", help="what a unit of variance has to bring"
    )


def _limits(action: argparse.ArgumentParser) -> None:
    numbers = (
        ("--min-weight", "least weight of an instrument, below 0 with shorts"),
        ("--max-weight", "largest weight of an instrument (default portfolio.max_weight)"),
        ("--max-turnover", "largest half sum of weight changes, beyond what cash is invested"),
        ("--max-change", "largest change of a weight"),
        ("--max-gross", "largest sum of absolute weights, with shorts"),
        ("--vol-cap", "largest volatility a year, for max-return"),
        ("--confidence", "of min-cvar"),
    )
    for name, text in numbers:
        action.add_argument(name, type=float, metavar="X", help=text)
    action.add_argument(
        "--group", action="append", default=[], metavar="NAME=A+B:LOW:HIGH",
        help="what instruments weigh together; NAME=:LOW:HIGH is the sector of that name",
    )  # fmt: skip
    for name, text in (
        ("--risk-budget", "shares of the risk, for risk-parity"),
        ("--benchmark", "weights to stay near, for tracking (default the deck's benchmark)"),
    ):
        action.add_argument(name, metavar="A=0.6,B=0.4", help=text)
    action.add_argument("--max-assets", type=int, metavar="N", help="most instruments held")
    action.add_argument(
        "--costs", action="store_true", help="take the cost of trading off the return"
    )
    action.add_argument("--whole-lots", action="store_true", help="weights in whole lots")


def _terms(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--mode", choices=("automatic", "approval", "advisory"), default="approval",
        help="what becomes of a rebalance that is due (default %(default)s)",
    )  # fmt: skip
    action.add_argument(
        "--every",
        choices=("day", "week", "month", "quarter", "year"),
        help="due with the first session of each",
    )
    action.add_argument("--sessions", type=int, metavar="N", help="due after so many UTC days")
    for name, what in (
        ("drift", "a weight is so far from its target"),
        ("relative-drift", "the same, as a share of the target"),
        ("risk-drift", "a share of the variance is so far from what it is at the target"),
        ("cash-flow", "so much of the equity was paid in or out"),
    ):
        action.add_argument(f"--{name}", type=float, metavar="FRACTION", help=f"due when {what}")
    action.add_argument(
        "--regime-change", action="store_true", help="due when an instrument's regime changes"
    )
    action.add_argument(
        "--slices", type=int, default=1, metavar="N", help="spread orders over so many bars"
    )
    action.add_argument(
        "--approve-within", type=int, default=5, metavar="BARS", help="how long it waits"
    )


def _run(options: argparse.Namespace) -> int:
    from quarterdeck.cli import rebalance

    return rebalance.run(options)
