"""What can be typed about the broker and about agents that must be heard of."""

from __future__ import annotations

from quarterdeck.cli import commands
from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option


def add_broker(subparsers: Commands) -> None:
    """Add ``quarterdeck broker``."""
    parser = add_command(
        subparsers,
        "broker",
        does="show how our books and the broker's stand, settle what has no answer, adjust",
        example="quarterdeck broker settle ord-1a2b-7-0 --reason 'the broker never had it'",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("show", help="what is on its way, unknown, or differs")
    settle = actions.add_parser("settle", help="declare that an unknown order never arrived")
    settle.add_argument("order_id", help="the order, as 'broker show' names it")
    settle.add_argument("--reason", required=True, metavar="TEXT", help="how you know")
    adjust = actions.add_parser("adjust", help="make our books the broker's where they differ")
    adjust.add_argument("subject", help="what differs, in the words of 'broker show'")
    adjust.add_argument(
        "--books", metavar="OURS:THEIRS", help="exactly what differs; without it that is shown"
    )
    adjust.add_argument("--agent", metavar="ID", help="whose position it is; else the house's")
    adjust.add_argument("--price", metavar="PRICE", help="what it was bought or sold at")
    adjust.add_argument("--fee", default="0", metavar="AMOUNT", help="what that cost (default 0)")
    adjust.add_argument("--reason", required=True, metavar="TEXT", help="how you know")
    past = actions.add_parser("adjustments", help="what was adjusted, by whom and why")
    for action in (shown, settle, adjust, past):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.broker)


def add_keep_alive(subparsers: Commands) -> None:
    """Add ``quarterdeck keep-alive``."""
    parser = add_command(
        subparsers,
        "keep-alive",
        does="show agents' dead-man timers, and demand one as part of a mandate",
        example="quarterdeck keep-alive demand trend 30 --reason 'it trades on its own'",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("list", help="until when each agent counts as there")
    demand = actions.add_parser(
        "demand", help="cancel an agent's orders whenever it is silent for longer"
    )
    demand.add_argument("agent", help="its name")
    demand.add_argument("seconds", type=float, help="machine seconds; 0 takes the demand back")
    demand.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    for action in (shown, demand):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.keep_alive)
