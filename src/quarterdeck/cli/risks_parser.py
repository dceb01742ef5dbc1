"""The options of ``quarterdeck risks``."""

from __future__ import annotations

from quarterdeck.cli import commands
from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option


def add_risks(subparsers: Commands) -> None:
    """Add ``quarterdeck risks``."""
    parser = add_command(
        subparsers,
        "risks",
        does="show what the running deck says of its risk, and take a response back",
        example="quarterdeck risks responses",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    level = actions.add_parser("level", help="the level of the deck and of each agent, and why")
    brief = actions.add_parser("brief", help="what one agent is told of risk in its briefing")
    brief.add_argument("agent", metavar="AGENT", help="its name")
    timeline = actions.add_parser("timeline", help="every change with its causes, newest first")
    events = actions.add_parser("events", help="risk events with their evidence, newest first")
    responses = actions.add_parser("responses", help="how events were answered, and what stands")
    condition = actions.add_parser("condition", help="the market's condition, and what it does")
    credit = actions.add_parser("credit", help="every agent's credit line, and what it rests on")
    clusters = actions.add_parser(
        "clusters", help="instruments that move together, and their limit"
    )
    metrics = actions.add_parser(
        "metrics", help="beta, turnover, drawdown and more of the deck and each agent"
    )
    forecast = actions.add_parser(
        "forecast", help="VaR and ES of instruments, clusters and what is held, at every level"
    )
    fits = actions.add_parser("fits", help="fitted experts: which were let in, and what they weigh")
    stress = actions.add_parser("stress", help="what is held would lose in every scenario")
    stress.add_argument(
        "--shock",
        action="append",
        default=[],
        metavar="SYMBOL=FRACTION",
        help="a move to hold it through, like SPX=-0.2; more than one may be given",
    )
    stress.add_argument(
        "--others", type=float, default=0.0, metavar="FRACTION", help="how all others move"
    )
    adapt = actions.add_parser("adapt", help="let what is learned be in force, or not")
    adapt.add_argument(
        "mode",
        choices=("live", "frozen", "shadow", "reset"),
        help="in force; nothing learned or loosened; only shown; or forgotten",
    )
    adapt.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    lift = actions.add_parser("lift", help="take a standing response back")
    lift.add_argument("response", metavar="ID", help="its id, as 'risks responses' shows it")
    lift.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    told = (level, brief, timeline, events, responses, condition, credit, clusters, metrics)
    for action in (*told, forecast, fits, stress, adapt, lift):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.risks)
