"""Kernels are compiled in the set-up step, into a cache that no change can make stale."""

from __future__ import annotations

import ast
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from quarterdeck.runtime import kernels
from tests.house.source import PACKAGE, functions, is_kernel, modules, parsed, shown, told


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def with_kernels() -> set[str]:
    return {dotted(path) for path in modules() if any(map(is_kernel, functions(path)))}


def test_every_module_that_warms_up_is_registered_and_exists() -> None:
    defined = {
        dotted(path)
        for path in modules()
        if any(
            function.name == "warm_up" for function in parsed(path).body if _is_function(function)
        )
    }
    assert set(kernels.KERNEL_MODULES) == defined
    assert len(set(kernels.KERNEL_MODULES)) == len(kernels.KERNEL_MODULES)
    assert all(find_spec(name) for name in kernels.KERNEL_MODULES)


def test_every_kernel_is_reached_by_the_warm_up() -> None:
    reached = set(kernels.KERNEL_MODULES)
    sources = {dotted(path): path for path in modules()}
    frontier = set(reached)
    while frontier:
        named = set().union(*(imports_of(sources[name]) for name in frontier))
        frontier = (named & sources.keys()) - reached
        reached |= frontier
    assert with_kernels() - reached == set()


def test_every_kernel_stands_where_the_digest_looks() -> None:
    seen = {path.resolve() for path in kernels.kernel_sources()}
    unseen = [
        shown(path)
        for path in modules()
        if any(map(is_kernel, functions(path))) and path.resolve() not in seen
    ]
    assert not unseen, told("kernels belong in core.py, core/ or maths/", unseen)


def test_every_kernel_keeps_nan_and_lets_other_threads_run() -> None:
    wanted = {"cache=True", "nogil=True", "error_model='numpy'"}
    wrong = []
    for path in modules():
        for function in functions(path):
            if not is_kernel(function):
                continue
            options = {
                ast.unparse(keyword)
                for decorator in function.decorator_list
                if isinstance(decorator, ast.Call)
                for keyword in decorator.keywords
            }
            if not wanted <= options or any(
                option.startswith(("fastmath", "parallel")) for option in options
            ):
                wrong.append(f"{shown(path, function.lineno)} {function.name}: {sorted(options)}")
    assert not wrong, told(
        f"decorate with njit({', '.join(sorted(wanted))}) and nothing that reorders", wrong
    )


def test_the_digest_changes_with_whatever_kernels_are_made_of_and_with_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    core = tmp_path / "risk" / "core"
    core.mkdir(parents=True)
    kernel, called, other = core / "tail.py", core / "head.py", core / "prose.py"
    kernel.write_text("from quarterdeck.risk.core import (\n    head,\n)\n")
    called.write_text("A = 1\n")
    monkeypatch.setattr(kernels, "PACKAGE", tmp_path)
    monkeypatch.setattr(kernels, "KERNEL_MODULES", ("quarterdeck.risk.core.tail",))
    before = kernels.kernel_digest()
    other.write_text("B = 1\n")
    assert kernels.kernel_digest() == before
    called.write_text("A = 2\n")
    changed = kernels.kernel_digest()
    called.rename(other)
    assert len({before, changed, kernels.kernel_digest()}) == 3
    assert len(before) == 16


def test_preparing_points_the_compiler_at_the_digests_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NUMBA_CACHE_DIR", "NUMBA_CPU_NAME", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "before")
    digest = kernels.prepare(tmp_path)
    assert kernels.prepare(tmp_path) == digest
    assert kernels.cache_folder() == tmp_path / digest
    assert (tmp_path / digest).is_dir()
    assert os.environ["NUMBA_CPU_NAME"] == "generic"
    assert os.environ["OMP_NUM_THREADS"] == "1", "no variable of the user's changes results"


def test_a_cache_that_cannot_be_written_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "before")
    monkeypatch.setenv("QUARTERDECK_CACHE_DIR", str(tmp_path / "chosen"))
    digest = kernels.prepare(blocked / "below")
    assert kernels.cache_folder() == tmp_path / "chosen" / "kernels" / digest


def test_old_folders_go_and_young_ones_stay(tmp_path: Path) -> None:
    day = 86_400
    for name, age in (("now", 0), ("week", 7), ("month", 40)):
        folder = tmp_path / name
        folder.mkdir()
        os.utime(folder, (1_700_000_000 - age * day,) * 2)
    kernels.remove_old(tmp_path, keep="now")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now", "week"]


def test_only_the_youngest_folders_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MAX_FOLDERS", 2)
    for age, name in enumerate(["a", "b", "c", "kept"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_700_000_000 - age,) * 2)
    kernels.remove_old(tmp_path, keep="kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "kept"]


def test_what_is_compiled_is_not_compiled_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []
    module = ModuleType("kernels_of_this_test")
    module.warm_up = lambda: calls.append("warm")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(kernels, "KERNEL_MODULES", (module.__name__,))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "before")
    monkeypatch.setenv("QUARTERDECK_CACHE_DIR", str(tmp_path))
    assert kernels.main(["--compile"]) == 0
    assert "1/1 kernels_of_this_test" in capsys.readouterr().err
    assert kernels.main(["--compile"]) == 0
    assert capsys.readouterr() == ("", "")
    assert calls == ["warm"]


def test_another_argument_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert kernels.main(["--wrong"]) == 2
    assert "--compile" in capsys.readouterr().err


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
