"""What can be typed about work."""

from __future__ import annotations

from quarterdeck.cli import work
from quarterdeck.cli.parsing import Commands, add_command, data_dir, json_option


def add_work(subparsers: Commands) -> None:
    """Add ``quarterdeck work``."""
    parser = add_command(
        subparsers,
        "work",
        does="what tasks are given and give back",
        example="quarterdeck work types",
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    types = actions.add_parser("types", help="the fields of every type's input and result")
    for action in (types,):
        data_dir(action)
        json_option(action)
        action.set_defaults(command=work.run)
