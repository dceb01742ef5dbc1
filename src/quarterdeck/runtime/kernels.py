"""Numeric kernels: one numeric environment everywhere, and a compiler cache that cannot go stale.

numba keys its cache by the file a kernel stands in, so a kernel that calls another keeps the old
code of a changed callee. Here the cache folder is named by a digest of *all* kernel sources: a change
in any of them starts a fresh folder. Every entry point calls ``prepare`` before it imports numpy or numba;
this module itself imports neither.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

KERNEL_MODULES = (
    "quarterdeck.agents.core.lanes",
    "quarterdeck.agents.core.matching",
    "quarterdeck.agents.core.rounds",
    "quarterdeck.market.core.indicators",
    "quarterdeck.market.core.sub_bars",
    "quarterdeck.regime.core.detector",
    "quarterdeck.risk.core.bank",
    "quarterdeck.risk.core.clusters",
    "quarterdeck.risk.core.fitted",
    "quarterdeck.risk.core.joint",
    "quarterdeck.risk.core.judgement",
    "quarterdeck.risk.core.learning",
    "quarterdeck.risk.core.validation",
    "quarterdeck.risk.core.watch",
    "quarterdeck.performance.core.measures",
    "quarterdeck.performance.core.returns",
    "quarterdeck.portfolio.core.boxed",
    "quarterdeck.portfolio.core.held_factor",
    "quarterdeck.portfolio.core.hierarchy",
    "quarterdeck.portfolio.core.no_trade",
    "quarterdeck.portfolio.core.nonnegative",
    "quarterdeck.portfolio.core.parity",
    "quarterdeck.portfolio.core.pivoting",
    "quarterdeck.portfolio.core.rolling",
)
"""Modules that expose ``warm_up()``, which calls each of their kernels once on tiny input."""

PACKAGE = Path(__file__).resolve().parent.parent
MAX_AGE_DAYS = 30
MAX_FOLDERS = 32
"""Folders of other digests are removed when unused for so long, or when so many are younger."""

_ENVIRONMENT = {
    # One instruction set on every machine: results and cached code move with the data.
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    # More threads change the order of reductions, and we run one kernel per thread ourselves.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_SECONDS_PER_DAY = 86_400

_IMPORTS = re.compile(r"^\s*from (quarterdeck[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_NAME = re.compile(r"\w+")

Progress = Callable[[int, str], None]
"""Called with how many modules are compiled and which comes next (empty after the last)."""


def prepare(cache_root: Path | None = None) -> str:
    """Set the numeric environment and return the kernel digest; calling again changes nothing.

    The first writable of ``cache_root``, ``$QUARTERDECK_CACHE_DIR/kernels``, the user's cache and a
    temporary folder is used. Once numba is imported it is too late: it has read its settings.
    """
    # Assigned, not suggested: a variable someone else's program needs must not change our numbers.
    os.environ.update(_ENVIRONMENT)
    digest = kernel_digest()
    folder = _writable_folder(cache_root, digest)
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return digest


def cache_folder() -> Path | None:
    """Where compiled kernels are kept, or ``None`` before ``prepare`` or where nothing is writable."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return Path(folder) if folder else None


def kernel_digest() -> str:
    """Return 16 hex digits that name the kernel sources, numba and Python together.

    A checkpoint written under another digest is not continued: its numbers may differ in the last bit.
    """
    digest = hashlib.sha256()
    for path in kernel_sources():
        source = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} {len(source)}\n".encode())
        digest.update(source)
    digest.update(f"numba {_numba_version()} python {platform.python_version()}".encode())
    return digest.hexdigest()[:16]


def compile_all(progress: Progress) -> None:
    """Compile every kernel, or load it from the cache; ``prepare`` must have been called."""
    for done, name in enumerate(KERNEL_MODULES):
        progress(done, name)
        import_module(name).warm_up()
    progress(len(KERNEL_MODULES), "")


def main(arguments: list[str] | None = None) -> int:
    """Compile what is not compiled yet; the set-up step runs this with ``--compile``."""
    if (sys.argv[1:] if arguments is None else arguments) != ["--compile"]:
        print("usage: python -m quarterdeck.runtime.kernels --compile", file=sys.stderr)
        return 2
    prepare()
    folder = cache_folder()
    if folder is None:
        print(
            "no folder for compiled kernels can be written; set QUARTERDECK_CACHE_DIR",
            file=sys.stderr,
        )
        return 1
    mark = _mark(folder)
    if mark.exists():
        # In use: keeps the folder young. Without write access it only ages, which is harmless.
        if os.access(mark, os.W_OK):
            os.utime(folder)
        return 0
    compile_all(_print_progress)
    mark.touch()
    return 0


def _print_progress(done: int, name: str) -> None:
    total = len(KERNEL_MODULES)
    said = f"compiling kernels {done + 1}/{total} {name}" if name else "kernels compiled"
    print(f"quarterdeck: {said}", file=sys.stderr)


def kernel_sources() -> list[Path]:
    """The kernel modules and what they import, of ``core/``, ``core.py``, ``core_*.py`` and ``maths/``.

    No kernel stands or is called elsewhere, so what else changes leaves the compiled code as it is.
    """
    found: set[Path] = set()
    waiting = [*KERNEL_MODULES]
    while waiting:
        path = PACKAGE.joinpath(*waiting.pop().split(".")[1:]).with_suffix(".py")
        if path in found or not path.is_file():
            continue
        place = path.relative_to(PACKAGE)
        if place.parts[0] != "maths" and not any(part.startswith("core") for part in place.parts):
            continue
        found.add(path)
        for package, names in _IMPORTS.findall(path.read_text("utf-8")):
            waiting.append(package)
            # What is imported from a package may be a module of it.
            waiting += [f"{package}.{name}" for name in _NAME.findall(names)]
    return sorted(found)


def _numba_version() -> str:
    """The installed numba's version from its metadata folder, without the cost of importing it."""
    for entry in sys.path:
        for found in sorted(Path(entry or ".").glob("numba-*.dist-info")):
            return found.name.removeprefix("numba-").removesuffix(".dist-info")
    return "absent"


def _writable_folder(cache_root: Path | None, digest: str) -> Path | None:
    for root in _cache_roots(cache_root):
        folder = root / digest
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                remove_old(root, keep=digest)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def _cache_roots(cache_root: Path | None) -> Iterator[Path]:
    if cache_root is not None:
        yield cache_root
    if chosen := os.environ.get("QUARTERDECK_CACHE_DIR"):
        yield Path(chosen) / "kernels"
    if (users := _user_cache()) is not None:
        yield users / "quarterdeck" / "kernels"
    yield _temporary_root()


def _user_cache() -> Path | None:
    if chosen := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(chosen)
    try:
        home = Path.home()
    except RuntimeError:
        # No HOME and no entry for this user: a container started under an arbitrary uid.
        return None
    return home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"


def _temporary_root() -> Path:
    """A folder of our own under the temporary one: cached code is executed, so nobody else's."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    root = Path(tempfile.gettempdir()) / f"quarterdeck-kernels-{user}"
    try:
        root.mkdir(mode=0o700)
    except FileExistsError:
        found = root.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
        if not ours:
            return Path(tempfile.mkdtemp(prefix="quarterdeck-kernels-"))
    return root


def _mark(folder: Path) -> Path:
    """The file that says all is compiled; numba keys code by where its source stands, so do we."""
    place = hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:16]
    return folder / f"compiled-{place}-{len(KERNEL_MODULES)}"


def remove_old(root: Path, *, keep: str) -> None:
    """Remove what no run used lately from the cache below ``root``; never the folder ``keep``."""
    used = {path: path.stat().st_mtime for path in root.iterdir() if path.is_dir()}
    youngest_first = sorted(used, key=lambda path: (-used[path], path.name))
    # Ages are counted from the youngest folder, so no clock is read.
    oldest_kept = max(used.values(), default=0.0) - MAX_AGE_DAYS * _SECONDS_PER_DAY
    for place, path in enumerate(youngest_first):
        if path.name != keep and (place >= MAX_FOLDERS or used[path] < oldest_kept):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
