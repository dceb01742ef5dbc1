"""Nothing grows beyond what can be read in one go."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

from tests.house.source import Function, classes, functions, modules, shown, told

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500
MAX_METHODS = 20

_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@cache
def code_lines(path: Path) -> frozenset[int]:
    """The numbers of the lines that hold code: no blank, no comment."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return frozenset(lines)


def docstring_lines(node: Function) -> set[int]:
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return set()


def size_of(function: Function, path: Path) -> int:
    own = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    return len((own & code_lines(path)) - docstring_lines(function))


def test_a_function_fits_on_one_screen() -> None:
    long = [
        f"{shown(path, function.lineno)} {function.name}: {size} code lines"
        for path in modules()
        for function in functions(path)
        if (size := size_of(function, path)) > MAX_FUNCTION_LINES
    ]
    assert not long, told(f"at most {MAX_FUNCTION_LINES} code lines; split by what it does", long)


def test_a_file_holds_one_idea() -> None:
    long = [
        f"{shown(path)}: {size} lines"
        for path in modules()
        if (size := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    ]
    assert not long, told(
        f"at most {MAX_FILE_LINES} lines; make a folder with one idea per file", long
    )


def test_a_class_has_few_methods() -> None:
    large = [
        f"{shown(path, node.lineno)} {node.name}: {count} methods"
        for path in modules()
        for node in classes(path)
        if (count := sum(isinstance(item, Function) for item in node.body)) > MAX_METHODS
    ]
    assert not large, told(f"at most {MAX_METHODS} methods; a class that does more is two", large)
