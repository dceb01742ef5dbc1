"""The lock files hold every requirement, with hashes, and can be installed from any registry."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.source import ROOT, told

LOCKS = ("uv", "run", "test", "bench")
WEB_LOCK = ROOT / "web" / "package-lock.json"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>[^ ;\\]+)")


@cache
def pins(lock: str) -> dict[str, set[Version]]:
    """Every pinned version by name; a fork by Python version or platform has several."""
    found: dict[str, set[Version]] = {}
    for line in lock_path(lock).read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            name = canonicalize_name(match["name"])
            found.setdefault(name, set()).add(Version(match["version"]))
    return found


def lock_path(lock: str) -> Path:
    return ROOT / "requirements" / f"{lock}.txt"


@cache
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(lock: str) -> list[Requirement]:
    if lock == "uv":
        lines = (ROOT / "requirements" / "uv.in").read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if line and not line.startswith("#")]
    declared = project()
    wanted = list(declared["project"]["dependencies"])  # type: ignore[index]
    if lock != "run":
        wanted += declared["dependency-groups"][lock]  # type: ignore[index]
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_met_by_a_pin(lock: str) -> None:
    unmet = [
        str(requirement)
        for requirement in requirements(lock)
        if not (versions := pins(lock).get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version) for version in versions)
    ]
    assert not unmet, told("run scripts/lock and commit the result", unmet)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry_and_carries_no_option(lock: str) -> None:
    lines = lock_path(lock).read_text(encoding="utf-8").splitlines()
    foreign = [line for line in lines if "://" in line or re.match(r"-|.* @ ", line)]
    assert foreign == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    text = lock_path(lock).read_text(encoding="utf-8").replace("\\\n", " ")
    bare = [line for line in text.splitlines() if PIN.match(line) and "--hash=sha256:" not in line]
    assert bare == []


@pytest.mark.parametrize("lock", ["test", "bench"])
def test_tests_and_benchmarks_run_what_users_run(lock: str) -> None:
    other = {name: pins(lock).get(name) for name in pins("run")}
    assert other == pins("run")


def test_the_build_backend_is_the_one_that_is_pinned() -> None:
    build = project()["build-system"]["requires"]  # type: ignore[index]
    assert [Requirement(line) for line in build] == [
        requirement for requirement in requirements("uv") if requirement.name == "hatchling"
    ]


def test_the_server_runs_without_rich() -> None:
    # With it installed, a crashing tool call costs hundreds of milliseconds of traceback drawing.
    assert "rich" not in pins("run")


@pytest.mark.skipif(not WEB_LOCK.exists(), reason="there is no web/package-lock.json")
def test_the_dashboards_lock_is_whole_and_names_no_registry() -> None:
    packages = json.loads(WEB_LOCK.read_text(encoding="utf-8"))["packages"]
    wrong = []
    for place, entry in packages.items():
        if "resolved" in entry:
            wrong.append(f"{place}: names an address")
        if place and not (entry.get("inBundle") or entry.get("link") or entry.get("integrity")):
            wrong.append(f"{place}: has no integrity")
        for kind in ("dependencies", "optionalDependencies"):
            for name in entry.get(kind, {}):
                if not _resolvable(name, place=place, packages=packages):
                    wrong.append(f"{place}: {name} has no entry, so npm ci fails elsewhere")
    assert wrong == []


def _resolvable(name: str, *, place: str, packages: dict[str, object]) -> bool:
    """Whether node would find ``name`` from ``place``: there or in a folder above it."""
    while True:
        if f"{place}/node_modules/{name}".removeprefix("/") in packages:
            return True
        if not place:
            return False
        place = place.rpartition("node_modules/")[0].rstrip("/")
