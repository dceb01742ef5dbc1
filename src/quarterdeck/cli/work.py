"""Work from the command line."""

from __future__ import annotations

import argparse
import json

from quarterdeck.cli.console import Answer, ask


def run(options: argparse.Namespace) -> int:
    """Carry out one action."""
    answer = ask(options.data_dir, "GET", "/task-types")
    lines = _types(answer)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines))
    return 0


def _types(answer: Answer) -> list[str]:
    lines: list[str] = []
    for one in answer["types"]:
        lines.append(f"{one['type']}: judged by {one['judged_by']}")
        for part in ("input", "result"):
            lines.append(f"  {part:<8}{', '.join(one[part]['properties'])}")
    return lines
