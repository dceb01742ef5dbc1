"""Importing the package costs nothing that was not asked for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.house.source import modules, shown, told

IMPORT_LIMIT_S = 0.3
HEAVY = ("numpy", "scipy", "numba", "duckdb", "mcp", "starlette", "uvicorn", "talib", "piqp")

needs_cli = pytest.mark.skipif(
    importlib.util.find_spec("quarterdeck.cli") is None, reason="there is no command line"
)


def fresh(program: str) -> str:
    """What ``program`` prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def heavy_modules_after(statement: str) -> str:
    return fresh(f"import sys\n{statement}\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))")


def test_importing_the_package_takes_under_a_third_of_a_second() -> None:
    measure = (
        "import time; t = time.process_time(); import quarterdeck; print(time.process_time() - t)"
    )
    assert min(float(fresh(measure)) for _ in range(5)) < IMPORT_LIMIT_S


@pytest.mark.parametrize("module", ["quarterdeck", "quarterdeck.runtime.kernels"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert heavy_modules_after(f"import {module}") == "[]"


@needs_cli
def test_asking_for_help_loads_nothing_heavy() -> None:
    ask = (
        "import contextlib, io\n"
        "from quarterdeck.cli import main\n"
        "sys.argv = ['quarterdeck', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()"
    )
    assert heavy_modules_after(ask) == "[]"


def test_every_folder_with_code_is_a_package() -> None:
    # Where `__init__.py` is missing, the import contracts do not look.
    bare = sorted(
        {shown(path.parent) for path in modules() if not (path.parent / "__init__.py").exists()}
    )
    assert not bare, told("add __init__.py with what the folder is", bare)
