"""Checks of this machine and the data folder: each passes, or says what mends it."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from quarterdeck import __version__

FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome; ``mend`` says what to do when it failed."""

    name: str
    passed: bool
    found: str
    mend: str = ""


def run(data_dir: Path, *, as_json: bool) -> int:
    """Print every check; exit 1 if one failed."""
    checks = [check(data_dir) for check in CHECKS]
    if as_json:
        print(json.dumps({"version": __version__, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        for check in checks:
            print(f"{'PASS' if check.passed else 'FAIL'}  {check.name:<16}{check.found}")
            if not check.passed:
                print(f"      mend: {check.mend}")
    return 0 if all(check.passed for check in checks) else 1


def _python(data_dir: Path) -> Check:
    return Check(
        "python", sys.version_info >= (3, 11), platform.python_version(), "use Python 3.11 or later"
    )


def _packages(data_dir: Path) -> Check:
    from importlib.metadata import PackageNotFoundError, requires, version

    missing = []
    for requirement in requires("quarterdeck") or []:
        if "extra ==" in requirement or "win32" in requirement:
            continue
        name = requirement.split(";")[0].split("<")[0].split(">")[0].split("=")[0].strip(" ~!")
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return Check(
        "packages",
        not missing,
        "all there" if not missing else f"missing: {', '.join(missing)}",
        "run scripts/run again; it installs what is missing",
    )


def _kernels(data_dir: Path) -> Check:
    from quarterdeck.runtime import kernels

    digest = kernels.prepare()
    folder = kernels.cache_folder()
    compiled = folder is not None and any(folder.rglob("*.nbc"))
    return Check(
        "kernels",
        compiled,
        f"{digest} in {folder}",
        "run: python -m quarterdeck.runtime.kernels --compile",
    )


def _data(data_dir: Path) -> Check:
    from quarterdeck.data import DAILY_US, digest_of, instruments_of

    found = instruments_of(DAILY_US)
    return Check("embedded data", True, f"{len(found)} instruments, {digest_of(DAILY_US)[:12]}")


def _folder(data_dir: Path) -> Check:
    if not data_dir.exists():
        return Check("data folder", True, f"{data_dir} does not exist yet")
    probe = data_dir / ".doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Check("data folder", False, f"{data_dir}: {error.strerror}", "make it writable")
    return Check("data folder", True, f"{data_dir} is writable")


def _disk(data_dir: Path) -> Check:
    place = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Check(
        "disk",
        free >= FREE_BYTES,
        f"{free / 1e9:.1f} GB free",
        f"free at least {FREE_BYTES // 10**6} MB; the deck refuses orders it cannot record",
    )


def _flag(data_dir: Path) -> Check:
    if not (data_dir / "core.db").exists():
        return Check("stop flag", True, "no run yet")
    path = data_dir / "stop.flag"
    whole = path.exists() and path.stat().st_size == 4_096
    return Check(
        "stop flag",
        whole,
        f"{path.name} is {'whole' if whole else 'missing or short'}",
        "trading stays stopped; begin anew with --fresh once you know why it is gone",
    )


CHECKS: tuple[Callable[[Path], Check], ...] = (
    _python,
    _packages,
    _kernels,
    _data,
    _folder,
    _disk,
    _flag,
)
