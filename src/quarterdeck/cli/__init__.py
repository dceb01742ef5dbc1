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

from quarterdeck.kernel.errors import DomainError, one_line

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    from quarterdeck.cli.parser import parser

    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except DomainError as refusal:
        print(f"quarterdeck: {one_line(refusal.message)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
