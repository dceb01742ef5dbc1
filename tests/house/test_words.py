"""Names say what a thing is; nothing shipped is unfinished or swallows what went wrong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.source import (
    PACKAGE,
    classes,
    functions,
    modules,
    parsed,
    shown,
    told,
    written_files,
)

UNFINISHED = re.compile(
    r"\b(TODO|FIXME|XXX|NotImplementedError|mocks?|mocked|hard-?coded|for now|in production this|placeholder)\b",
    re.IGNORECASE,
)
# An input's hint is called so by HTML, CSS and the component that passes it on.
HTML_HINT = re.compile(r"\bplaceholder(?=\??[=:]|-\w)|::placeholder\b")

EMPTY_NAMES = {"manager", "helper", "helpers", "util", "utils", "handler", "enhanced", "misc"}
# Names that another library dictates: "path: name".
DICTATED_NAMES: frozenset[str] = frozenset()

BROAD_EXCEPT_FILES = {"runtime/supervisor.py"}
# Where one broad `except` per file turns a crash into one safe answer or one more try.
BROAD_EXCEPT_ONCE = ("server/", "adapters/notifiers/")


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return set(spaced.lower().split("_"))


def _names(path: Path) -> list[tuple[int, str]]:
    named = [(function.lineno, function.name) for function in functions(path)]
    named += [(node.lineno, node.name) for node in classes(path)]
    named += [(1, part) for part in path.relative_to(PACKAGE).with_suffix("").parts]
    return named


def test_nothing_shipped_is_unfinished() -> None:
    unfinished = [
        f"{shown(path, number)} {line.strip()[:100]}"
        for path in written_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNFINISHED.search(HTML_HINT.sub("", line))
    ]
    assert not unfinished, told(
        "finish it, or leave it out and say so where users read", unfinished
    )


def test_a_name_says_what_the_thing_is() -> None:
    empty = sorted(
        {
            f"{shown(path, line)} {name}"
            for path in modules()
            for line, name in _names(path)
            if _words(name) & EMPTY_NAMES
            and f"{path.relative_to(PACKAGE).as_posix()}: {name}" not in DICTATED_NAMES
        }
    )
    assert not empty, told("name it by what it is or does", empty)


def test_only_the_supervisor_and_the_outer_edge_catch_everything() -> None:
    broad = []
    for path in modules():
        place = path.relative_to(PACKAGE).as_posix()
        if place in BROAD_EXCEPT_FILES:
            continue
        found = [
            node.lineno
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ExceptHandler)
            and _catches_everything(node.type)
            and not _raises_again(node)
        ]
        allowed = 1 if place.startswith(BROAD_EXCEPT_ONCE) else 0
        if len(found) > allowed:
            broad += [shown(path, line) for line in found]
    assert not broad, told("catch what you understand; let the rest crash", broad)


def _catches_everything(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    types = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in types
    )


def _raises_again(caught: ast.ExceptHandler) -> bool:
    """True when the block only notes what happened and lets it go on crashing."""
    last = caught.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
