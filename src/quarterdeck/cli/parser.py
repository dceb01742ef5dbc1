"""What can be typed: every command with its options and an example."""

from __future__ import annotations

import argparse
from pathlib import Path

from quarterdeck import __version__
from quarterdeck.cli import commands
from quarterdeck.cli.broker_parser import add_broker, add_keep_alive
from quarterdeck.cli.files_parser import add_indicators, add_optimize, add_regimes, add_risk
from quarterdeck.cli.orders_parser import fill
from quarterdeck.cli.parsing import Commands, Parser, add_command, data_dir, json_option
from quarterdeck.cli.portfolio_parser import add_portfolio
from quarterdeck.cli.rebalance_parser import add_rebalance
from quarterdeck.cli.risks_parser import add_risks
from quarterdeck.cli.schedules_parser import add_schedules
from quarterdeck.cli.work_parser import add_work

DEMO_SPEED = 4.0
"""Daily bars a second: about nine minutes for the embedded history."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = Parser(
        prog="quarterdeck",
        description="The self-hosted operations deck for AI trading agents.",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"quarterdeck {__version__}")
    subparsers = made.add_subparsers(dest="name", metavar="command", required=True)
    for add in (
        _add_demo,
        _add_serve,
        _add_init,
        _add_status,
        _add_why,
        add_schedules,
        add_work,
        _add_login,
        _add_doctor,
        _add_stop,
        _add_rearm,
        _add_drill,
        _add_limits,
        _add_breakers,
        add_broker,
        add_keep_alive,
        _add_keys,
        _add_audit,
        _add_verify,
        _add_backup,
        _add_restore,
        _add_agent,
        _add_order,
        add_rebalance,
        add_portfolio,
        add_risks,
        _add_simulate,
        add_optimize,
        add_regimes,
        add_indicators,
        add_risk,
    ):
        add(subparsers)
    return made


def _run_options(parser: argparse.ArgumentParser, *, speed: str) -> None:
    parser.add_argument(
        "--feed",
        default="replay",
        metavar="replay|replay:FILE",
        help="what to trade on: the embedded history or a CSV or Parquet file",
    )
    parser.add_argument("--symbols", metavar="A,B", help="only these symbols")
    parser.add_argument(
        "--speed",
        default=speed,
        metavar="N|max",
        help=f"bars a second, or as fast as the deck keeps up (default {speed})",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="part of the run's identity; nothing draws on it yet"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="begin anew: the run in the data folder goes to previous/, replacing the one there",
    )
    parser.add_argument("--start", metavar="TS", help="first instant replayed")
    parser.add_argument("--end", metavar="TS", help="last instant replayed")
    parser.add_argument("--exit-when-done", action="store_true", help="end with the replay")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write the run's figures there at the end"
    )
    data_dir(parser)
    parser.add_argument("--host", metavar="HOST", help="where to listen (default 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="PORT", help="where to listen (default 8000)")
    parser.add_argument(
        "--agents",
        default="builtin",
        metavar="builtin|none|NAME,NAME",
        help="which built-in agents trade",
    )


def _add_demo(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "demo",
        does="replay embedded real history on paper with the built-in agents",
        example="quarterdeck demo --speed 8",
    )
    _run_options(parser, speed=f"{DEMO_SPEED:g}")
    parser.set_defaults(command=commands.demo, config=None)


def _add_serve(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "serve",
        does="run the deck as configured",
        example="quarterdeck serve --config quarterdeck.toml",
    )
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="a TOML file; 'quarterdeck init' writes one",
    )
    _run_options(parser, speed=f"{DEMO_SPEED:g}")
    parser.set_defaults(command=commands.demo)


def _add_init(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "init",
        does="write a commented configuration with tight defaults",
        example="quarterdeck init quarterdeck.toml",
    )
    parser.add_argument("file", type=Path, nargs="?", default=Path("quarterdeck.toml"))
    parser.set_defaults(command=commands.init)


def _add_status(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "status",
        does="what runs, in which state, and why",
        example="quarterdeck status --json",
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.status)


def _add_why(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "why",
        does="why a task waits or went where it went, and why not to another agent",
        example="quarterdeck why task-1a2b-7-0 --agent trend",
    )
    parser.add_argument("task", help="the task's id, as the dashboard shows it")
    parser.add_argument("--agent", metavar="NAME", help="this agent's part alone")
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.why)


def _add_login(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "login",
        does="print a fresh link that opens the dashboard, once and within 15 minutes",
        example="quarterdeck login",
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.login)


def _add_doctor(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "doctor",
        does="check this machine and the data folder, with the mend",
        example="quarterdeck doctor",
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.doctor)


def _add_stop(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "stop",
        does="stop trading at once, even when the server is stuck",
        example="quarterdeck stop --reason 'odd fills'",
    )
    parser.add_argument("--agent", metavar="ID", help="only this agent (needs the server)")
    parser.add_argument(
        "--instrument", metavar="SYMBOL", help="only what opens in it (needs the server)"
    )
    parser.add_argument("--account", metavar="ID", help="only this account (needs the server)")
    parser.add_argument(
        "--cancel",
        action="store_true",
        help="also cancel what rests at a remote venue, from this process: for a deck that is stuck",
    )
    parser.add_argument(
        "--reason", default="no reason given", metavar="TEXT", help="why, for the record"
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.stop)


def _add_rearm(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "rearm",
        does="show what would resume, and open trading again once that is confirmed",
        example="quarterdeck rearm --epoch 1 --reason 'checked the books' --confirm 0f3c5a7b9d1e",
    )
    parser.add_argument(
        "--epoch",
        type=int,
        required=True,
        metavar="N",
        help="the epoch that 'quarterdeck status' shows",
    )
    parser.add_argument("--agent", metavar="ID", help="only this agent")
    parser.add_argument("--instrument", metavar="SYMBOL", help="only this instrument")
    parser.add_argument("--account", metavar="ID", help="only this account")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    parser.add_argument(
        "--confirm",
        metavar="CODE",
        help="what the list of all that resumes ends with; without it the list is shown",
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.rearm)


def _add_limits(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "limits",
        does="show and change the gate's limits, level by level",
        example="quarterdeck limits set max_order_notional 5000 --level agent:trend --reason 'new'",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("list", help="every limit that is set, and changes that wait")
    shown.add_argument("--agent", metavar="ID", help="what holds for this agent instead")
    names = actions.add_parser("names", help="every limit that can be set")
    history = actions.add_parser("history", help="changes with who, why and when")
    change = actions.add_parser(
        "set", help="set a limit; tightening holds at once, loosening must be confirmed"
    )
    remove = actions.add_parser("remove", help="remove a limit from a level; must be confirmed")
    confirm = actions.add_parser("confirm", help="put a change that loosens in force")
    confirm.add_argument("change", type=int, help="its number, as 'limits list' shows it")
    for action in (change, remove):
        action.add_argument("limit", help="its name, as 'limits names' shows it")
    change.add_argument("value", help="in the limit's unit")
    for action in (change, remove):
        action.add_argument(
            "--level",
            type=commands.level,
            metavar="SCOPE[:NAME]",
            help="deck (when left out), account:NAME, agent:NAME, instrument:SYMBOL or cluster:NAME",
        )
    for action in (change, remove, confirm):
        action.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    for action in (shown, names, history, change, remove, confirm):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.limits)


def _add_breakers(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "breakers",
        does="show circuit breakers and close one",
        example="quarterdeck breakers reset loop --subject reckless --reason 'mended'",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    shown = actions.add_parser("list", help="every breaker that has opened, with its evidence")
    history = actions.add_parser("history", help="every change with who, why and when")
    reset = actions.add_parser("reset", help="close a breaker that is not closed")
    reset.add_argument("kind", help="its kind, as 'breakers list' shows it")
    reset.add_argument("--scope", default="agent", metavar="WORD", help="agent, instrument or deck")
    reset.add_argument("--subject", default="", metavar="NAME", help="which agent or instrument")
    reset.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    for action in (shown, history, reset):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.breakers)


def _add_drill(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "drill",
        does="prove the stop: its real path, against a shadow account beside trading",
        example="quarterdeck drill",
    )
    parser.add_argument("--last", action="store_true", help="only show what the last one proved")
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.drill)


def _add_keys(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "keys",
        does="create, list and revoke agents' keys",
        example="quarterdeck keys create my-agent --capabilities trade:mine",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    create = actions.add_parser("create", help="register an agent, or issue it a further key")
    create.add_argument("agent", help="its name: small letters, digits and dashes")
    create.add_argument(
        "--scopes",
        default="read,work,signal,order:paper",
        metavar="A,B",
        help="what the key may do (default %(default)s)",
    )
    create.add_argument("--capabilities", default="", metavar="A,B", help="what work it takes")
    create.add_argument("--capital", metavar="AMOUNT", help="its paper capital")
    shown = actions.add_parser("list", help="all keys, without their secrets")
    revoke = actions.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("prefix", help="the key's prefix, as 'keys list' shows it")
    revoke.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    for action in (create, shown, revoke):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=commands.keys)


def _add_simulate(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "simulate",
        does="run whole decks from seeds, with faults, and check every invariant after every step",
        example="quarterdeck simulate --seeds 20 --jobs 2",
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="how many seeds (default 20; with --for no end)"
    )
    parser.add_argument(
        "--for",
        type=float,
        dest="minutes",
        metavar="MINUTES",
        help="begin no more seeds after so many minutes",
    )
    parser.add_argument("--first", type=int, metavar="S", help="the first of them (default 0)")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="J", help="processes (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="only this seed")
    parser.add_argument("--trace", action="store_true", help="print every step and fault")
    parser.add_argument(
        "--counters",
        type=Path,
        metavar="FILE.json",
        help="go on with the seeds after those counted there, and add every batch",
    )
    parser.set_defaults(command=commands.simulate)


def _add_audit(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "audit",
        does="verify the audit chain of the data folder, or export it",
        example="quarterdeck audit verify",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    verify = actions.add_parser("verify", help="check every hash and every signed head")
    verify.add_argument(
        "--key", metavar="HEX", help="the public key that must have signed every head"
    )
    export = actions.add_parser("export", help="print every record as a line of JSON")
    json_option(verify)
    for action in (verify, export):
        data_dir(action)
        action.set_defaults(command=commands.audit)


def _add_verify(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "verify",
        does="fold the books in the data folder anew from the first row and compare",
        example="quarterdeck verify",
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.verify)


def _add_backup(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "backup",
        does="copy the run in the data folder, also while the deck runs",
        example="quarterdeck backup /var/backups/deck-monday",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="a new folder for the copy")
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.backup)


def _add_restore(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "restore",
        does="verify a backup and put it in place in a data folder",
        example="quarterdeck restore /var/backups/deck-monday --data-dir new-deck",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="the backup's folder")
    parser.add_argument(
        "--fresh", action="store_true", help="move the run in the data folder aside"
    )
    data_dir(parser)
    json_option(parser)
    parser.set_defaults(command=commands.restore)


def _add_agent(subparsers: Commands) -> None:
    parser = add_command(
        subparsers,
        "agent",
        does="run a built-in agent as a client of a running deck",
        example="quarterdeck agent run trend --url http://127.0.0.1:8000 --key-file trend.key",
    )
    parser.add_argument("action", choices=("run",))
    parser.add_argument("member", help="trend, mean-reversion, breakout or reckless")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the deck's address")
    parser.add_argument(
        "--key-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="a file that holds the agent's key and nothing else",
    )
    parser.add_argument(
        "--turns", type=int, metavar="N", help="end after so many turns (default: never)"
    )
    parser.set_defaults(command=commands.agent)


def _add_order(subparsers: Commands) -> None:
    fill(
        add_command(
            subparsers,
            "order",
            does="preview, submit, replace and cancel orders with an agent's key; see conflicts",
            example="quarterdeck order preview AAPL buy 10 --limit 99.50 --key-file my.key",
        )
    )
