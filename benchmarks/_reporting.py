"""How a benchmark says what it found: lines for people, or one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Figures = dict[str, float | int | str | bool | None]


def main(name: str, measure: Callable[[], Figures], *, claims: dict[str, str]) -> int:
    """Run ``measure`` and print its figures; ``claims`` says what was asked of each."""
    parser = argparse.ArgumentParser(prog=f"scripts/bench {name}")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()
    figures = measure()
    for figure, value in figures.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        print(f"{figure:<40}{shown:>14}   {claims.get(figure, '')}", file=sys.stderr)
    if options.json:
        print(json.dumps({"name": name, "figures": figures, "environment": environment()}))
    return 0


def environment() -> dict[str, str | int | None]:
    """Return what a figure depends on besides the code."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "clean": not _git("status", "--porcelain", "--untracked-files=no"),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),  # type: ignore[dict-item]
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str:
    found = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def progress(text: str) -> None:
    """Say on standard error what is being done."""
    print(text, file=sys.stderr, flush=True)
