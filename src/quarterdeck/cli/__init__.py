"""The command line: ``quarterdeck <command>``.

Results go to stdout, progress to stderr. Exit 0 is success, 1 a refusal or failed check, 2 wrong
usage; a refusal is exactly one line on stderr. Heavy modules are imported by the command that needs
them, so that ``--help`` is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from quarterdeck import __version__
from quarterdeck.kernel.errors import DomainError, InvalidInput

DATA_DIR = ".quarterdeck"
DEMO_SPEED = 4.0
"""Daily bars a second: about nine minutes for the embedded history."""

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except DomainError as refusal:
        print(f"quarterdeck: {_one_line(refusal.message)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Parser(argparse.ArgumentParser):
    """argparse with one line for wrong usage."""

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and what to do, and exit with 2."""
        self.exit(2, f"{self.prog}: {_one_line(message)}; see '{self.prog} --help'\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="quarterdeck",
        description="The self-hosted operations deck for AI trading agents.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"quarterdeck {__version__}")
    commands = parser.add_subparsers(dest="name", metavar="command", required=True)
    for add in (
        _add_demo,
        _add_serve,
        _add_init,
        _add_status,
        _add_doctor,
        _add_stop,
        _add_rearm,
        _add_keys,
        _add_audit,
        _add_agent,
    ):
        add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"  # noqa: SLF001


def _add(commands: Commands, name: str, *, does: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=does, description=does, epilog=f"example: {example}", allow_abbrev=False
    )


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
    parser.add_argument("--seed", type=int, metavar="N", help="the run's only randomness")
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew: the run in the data folder is moved aside"
    )
    parser.add_argument("--start", metavar="TS", help="first instant replayed")
    parser.add_argument("--end", metavar="TS", help="last instant replayed")
    parser.add_argument("--exit-when-done", action="store_true", help="end with the replay")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write the run's figures there at the end"
    )
    _data_dir(parser)
    parser.add_argument("--host", metavar="HOST", help="where to listen (default 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="PORT", help="where to listen (default 8000)")
    parser.add_argument(
        "--agents",
        default="builtin",
        metavar="builtin|none|NAME,NAME",
        help="which built-in agents trade",
    )


def _data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("QUARTERDECK_DATA_DIR", DATA_DIR)),
        metavar="DIR",
        help=f"the deck's files (default $QUARTERDECK_DATA_DIR or {DATA_DIR})",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_demo(commands: Commands) -> None:
    parser = _add(
        commands,
        "demo",
        does="replay embedded real history on paper with the built-in agents",
        example="quarterdeck demo --speed 8",
    )
    _run_options(parser, speed=f"{DEMO_SPEED:g}")
    parser.set_defaults(command=_demo, config=None)


def _add_serve(commands: Commands) -> None:
    parser = _add(
        commands,
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
    parser.set_defaults(command=_demo)


def _add_init(commands: Commands) -> None:
    parser = _add(
        commands,
        "init",
        does="write a commented configuration with tight defaults",
        example="quarterdeck init quarterdeck.toml",
    )
    parser.add_argument("file", type=Path, nargs="?", default=Path("quarterdeck.toml"))
    parser.set_defaults(command=_init)


def _add_status(commands: Commands) -> None:
    parser = _add(
        commands,
        "status",
        does="what runs, in which state, and why",
        example="quarterdeck status --json",
    )
    _data_dir(parser)
    _json(parser)
    parser.set_defaults(command=_status)


def _add_doctor(commands: Commands) -> None:
    parser = _add(
        commands,
        "doctor",
        does="check this machine and the data folder, with the mend",
        example="quarterdeck doctor",
    )
    _data_dir(parser)
    _json(parser)
    parser.set_defaults(command=_doctor)


def _add_stop(commands: Commands) -> None:
    parser = _add(
        commands,
        "stop",
        does="stop trading at once, even when the server is stuck",
        example="quarterdeck stop --reason 'odd fills'",
    )
    parser.add_argument("--agent", metavar="ID", help="only this agent (needs the server)")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    _data_dir(parser)
    _json(parser)
    parser.set_defaults(command=_stop)


def _add_rearm(commands: Commands) -> None:
    parser = _add(
        commands,
        "rearm",
        does="open trading again, for exactly the stop you name",
        example="quarterdeck rearm --epoch 1 --reason 'checked the books'",
    )
    parser.add_argument(
        "--epoch",
        type=int,
        required=True,
        metavar="N",
        help="the epoch that 'quarterdeck status' shows",
    )
    parser.add_argument("--agent", metavar="ID", help="only this agent")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
    _data_dir(parser)
    _json(parser)
    parser.set_defaults(command=_rearm)


def _add_keys(commands: Commands) -> None:
    parser = _add(
        commands,
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
        _data_dir(action)
        _json(action)
        action.set_defaults(command=_keys)


def _add_audit(commands: Commands) -> None:
    parser = _add(
        commands,
        "audit",
        does="verify the audit chain of the data folder",
        example="quarterdeck audit verify",
    )
    parser.add_argument("action", choices=("verify",))
    _data_dir(parser)
    _json(parser)
    parser.set_defaults(command=_audit)


def _add_agent(commands: Commands) -> None:
    parser = _add(
        commands,
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
    parser.add_argument("--turns", type=int, metavar="N", help="end after so many turns")
    parser.set_defaults(command=_agent)


def _demo(options: argparse.Namespace) -> int:
    from quarterdeck.runtime import kernels

    # Before anything imports numpy or numba: they read the environment once.
    digest = kernels.prepare()
    from quarterdeck.cli import run
    from quarterdeck.kernel.time import parse_rfc3339

    if options.report is not None and not options.exit_when_done:
        raise InvalidInput.of("--report", options.report, "use with --exit-when-done")
    return run.run(
        run.Options(
            config=options.config,
            feed=options.feed,
            symbols=_names(options.symbols),
            speed=_speed(options.speed),
            seed=options.seed,
            fresh=options.fresh,
            start=None if options.start is None else parse_rfc3339(options.start, field="--start"),
            end=None if options.end is None else parse_rfc3339(options.end, field="--end"),
            exit_when_done=options.exit_when_done,
            report=options.report,
            data_dir=options.data_dir,
            host=options.host,
            port=options.port,
            agents=options.agents,
        ),
        kernel_digest=digest,
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _speed(text: str) -> float | None:
    from quarterdeck.runtime.pacer import MAX_SPEED, MIN_SPEED

    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = float("nan")
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise InvalidInput.of("--speed", text, f"{MIN_SPEED:g} to {MAX_SPEED:g}, or max")
    return speed


def _init(options: argparse.Namespace) -> int:
    from quarterdeck.runtime.config import shipped_text

    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(shipped_text())
    except OSError as error:
        raise InvalidInput.of("file", options.file, f"a new file ({error.strerror})") from None
    print(f"wrote {options.file}; start with: quarterdeck serve --config {options.file}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from quarterdeck.cli import console

    return console.status(options.data_dir, as_json=options.json)


def _doctor(options: argparse.Namespace) -> int:
    from quarterdeck.cli import doctor

    return doctor.run(options.data_dir, as_json=options.json)


def _stop(options: argparse.Namespace) -> int:
    from quarterdeck.cli import console

    return console.stop(
        options.data_dir, agent=options.agent, reason=options.reason, as_json=options.json
    )


def _rearm(options: argparse.Namespace) -> int:
    from quarterdeck.cli import console

    return console.rearm(
        options.data_dir,
        epoch=options.epoch,
        agent=options.agent,
        reason=options.reason,
        as_json=options.json,
    )


def _keys(options: argparse.Namespace) -> int:
    from quarterdeck.cli import console

    match options.action:
        case "create":
            return console.create_key(
                options.data_dir,
                agent=options.agent,
                scopes=_names(options.scopes),
                capabilities=_names(options.capabilities),
                capital=options.capital,
                as_json=options.json,
            )
        case "list":
            return console.list_keys(options.data_dir, as_json=options.json)
        case _:
            return console.revoke_key(
                options.data_dir,
                prefix=options.prefix,
                reason=options.reason,
                as_json=options.json,
            )


def _audit(options: argparse.Namespace) -> int:
    from quarterdeck.cli import audit

    return audit.verify(options.data_dir, as_json=options.json)


def _agent(options: argparse.Namespace) -> int:
    from quarterdeck.cli import console

    return console.run_agent(
        options.member, url=options.url, key_file=options.key_file, turns=options.turns
    )
