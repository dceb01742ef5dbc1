"""What can be typed about schedules."""

from __future__ import annotations

import argparse

from quarterdeck.cli import schedules
from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option
from quarterdeck.cli.task_options import add_task


def add_schedules(subparsers: Commands) -> None:
    """Add ``quarterdeck schedules``."""
    parser = add_command(
        subparsers,
        "schedules",
        does="have work come by itself: at instants, market sessions or after events",
        example="quarterdeck schedules add open --type analysis --capability analysis "
        "--title 'Before the open' --session XNYS:open --offset-min -15 --clock market",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("list", help="every schedule, and when it fires next")
    fires = actions.add_parser("fires", help="the last firings, newest first")
    remove = actions.add_parser("remove", help="let a schedule fire no more")
    remove.add_argument("schedule", help="its name")
    remove.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    add = actions.add_parser("add", help="add a schedule")
    add.add_argument("schedule", help="its name: small letters, digits, ':' and dashes")
    add_task(add)
    _trigger(add)
    for action in (shown, fires, remove, add):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=schedules.run)


def _trigger(add: argparse.ArgumentParser) -> None:
    when = add.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", metavar="TS", help="once, at this instant")
    when.add_argument("--every-s", type=int, metavar="N", help="every so many seconds")
    when.add_argument("--every-bars", type=int, metavar="N", help="every so many bars")
    when.add_argument("--cron", metavar="FIELDS", help="minute hour day month weekday")
    when.add_argument("--session", metavar="MARKET:open|close", help="XNYS:open, XLON:close ...")
    when.add_argument(
        "--on", metavar="EVENT", help="regime_changed, alert_raised or drift_exceeded"
    )
    add.add_argument("--clock", choices=("market", "machine"), help="whose time it counts in")
    add.add_argument("--zone", metavar="NAME", help="the time zone of --cron (default UTC)")
    add.add_argument("--offset-min", type=int, metavar="N", help="minutes after --session")
    add.add_argument(
        "--subject", metavar="NAME", help="--on: only this symbol or rule; whose drift"
    )
    add.add_argument(
        "--value", metavar="WORD", help="--on: only this regime or severity; proposal or account"
    )
    add.add_argument("--over", type=float, metavar="SHARE", help="--on drift_exceeded: beyond this")
