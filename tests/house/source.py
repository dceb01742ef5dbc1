"""What the house tests read: the project's own files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "quarterdeck"
WEB = ROOT / "web" / "src"
BUNDLE = PACKAGE / "server" / "ui"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file of the package."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def written_files() -> tuple[Path, ...]:
    """Every source file a person writes, in the package and in the dashboard."""
    found = [
        path
        for folder in (PACKAGE, WEB)
        for kind in ("*.py", "*.sql", "*.ts", "*.tsx", "*.css", "*.html")
        for path in folder.rglob(kind)
        if BUNDLE not in path.parents
    ]
    return tuple(sorted(found))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path, line: int | None = None) -> str:
    """The path as a person would click it."""
    place = path.relative_to(ROOT).as_posix()
    return place if line is None else f"{place}:{line}"


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef):
            yield node


def is_kernel(function: Function) -> bool:
    """True for a numba-compiled function, which takes its arguments by position."""
    return any("njit" in ast.unparse(decorator) for decorator in function.decorator_list)


def told(advice: str, found: list[str]) -> str:
    """What a failing test says: the mend, then every place that needs it."""
    return "\n".join([advice, *found])
