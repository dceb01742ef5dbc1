"""What can be typed about orders, signals and conflicts."""

from __future__ import annotations

import argparse
from pathlib import Path

from quarterdeck.cli import commands


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``quarterdeck order``."""
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    preview = actions.add_parser("preview", help="what the gate would say now; nothing changes")
    submit = actions.add_parser("submit", help="submit an order; a refusal exits with 1")
    for action in (preview, submit):
        _terms(action)
    submit.add_argument("--signal", metavar="ID", help="the signal it follows")
    replace = actions.add_parser("replace", help="put another order in the place of a working one")
    replace.add_argument("order_id", help="the order to replace")
    replace.add_argument("--quantity", metavar="N", help="what is to be open afterwards")
    _prices(replace)
    cancel = actions.add_parser("cancel", help="cancel a working order")
    cancel.add_argument("order_id", help="the order to cancel")
    listed = actions.add_parser("list", help="the agent's orders, newest first")
    state = actions.add_parser("signal", help="state a view of an instrument; it moves no money")
    state.add_argument("symbol", help="the instrument")
    state.add_argument("direction", choices=("long", "short", "flat"), help="where it goes")
    state.add_argument(
        "--strength", type=float, default=1.0, metavar="F", help="0 to 1 (default 1)"
    )
    state.add_argument("--bars", type=int, required=True, metavar="N", help="how long it holds")
    state.add_argument("--until", metavar="TS", help="the market instant it ends at the latest")
    state.add_argument("--reason", default="", metavar="TEXT", help="why, in one line")
    signals = actions.add_parser("signals", help="the agent's signals and where each stands")
    for action in (listed, signals):
        action.add_argument("--status", metavar="WORD", help="only those that stand so")
        action.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most")
    signal = actions.add_parser("cancel-signal", help="take an open signal back")
    signal.add_argument("signal_id", help="the signal to take back")
    alive = actions.add_parser(
        "keep-alive", help="say that the agent is there, or cancel its orders"
    )
    alive.add_argument("seconds", type=float, help="until the next time at the latest; 0 ends it")
    radar = actions.add_parser("conflicts", help="where several agents hold one instrument")
    for action in (submit, replace, cancel, state, signal):
        action.add_argument(
            "--key", metavar="KEY", help="the idempotency key; repeat it to repeat safely"
        )
    for action in (preview, submit, replace, cancel, listed, state, signals, signal, alive, radar):
        action.add_argument("--url", default="http://127.0.0.1:8000", help="the deck's address")
        action.add_argument(
            "--key-file",
            type=Path,
            required=True,
            metavar="FILE",
            help="a file that holds the agent's key and nothing else",
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(command=commands.order)


def _prices(action: argparse.ArgumentParser) -> None:
    action.add_argument("--limit", metavar="PRICE", help="its limit price")
    action.add_argument("--stop", metavar="PRICE", help="the price that triggers it")


def _terms(action: argparse.ArgumentParser) -> None:
    action.add_argument("symbol", help="the instrument")
    action.add_argument("side", choices=("buy", "sell"), help="which way")
    action.add_argument("quantity", help="units of the instrument")
    _prices(action)
    action.add_argument(
        "--time-in-force", choices=("gtc", "day", "ioc", "fok"), default="gtc",
        help="how long it stands (default %(default)s)",
    )  # fmt: skip
    action.add_argument("--reduce-only", action="store_true", help="it may only close")
    action.add_argument("--post-only", action="store_true", help="it may only rest")
    action.add_argument("--stop-loss", metavar="PRICE", help="an exit attached to it")
    action.add_argument("--take-profit", metavar="PRICE", help="an exit attached to it")
    action.add_argument(
        "--believed", metavar="PRICE", help="the price you take for the present one"
    )
    action.add_argument("--believed-at", metavar="TS", help="the market instant of that price")
