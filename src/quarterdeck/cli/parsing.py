"""What every part of the command line is made with."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn, TypeAlias

from quarterdeck.kernel.errors import one_line

DATA_DIR = ".quarterdeck"


class Parser(argparse.ArgumentParser):
    """argparse with one line for wrong usage."""

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and what to do, and exit with 2."""
        self.exit(2, f"{self.prog}: {one_line(message)}; see '{self.prog} --help'\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001


def add_command(
    subparsers: Commands, name: str, *, does: str, example: str
) -> argparse.ArgumentParser:
    """Add a command with its one line of help and its example."""
    return subparsers.add_parser(
        name, help=does, description=does, epilog=f"example: {example}", allow_abbrev=False
    )


def data_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-dir``."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("QUARTERDECK_DATA_DIR", DATA_DIR)),
        metavar="DIR",
        help=f"the deck's files (default $QUARTERDECK_DATA_DIR or {DATA_DIR})",
    )


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
