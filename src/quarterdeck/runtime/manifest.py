"""What a run is: the first thing in its journal, and what a later start must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from quarterdeck.kernel.errors import Conflict
from quarterdeck.kernel.ids import RunId
from quarterdeck.runtime.state import Reader


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run; two runs with equal manifests and no outside input are equal."""

    feed: str
    feed_digest: str
    symbols: str
    span: str
    agents: str
    seed: str
    config_digest: str
    code_digest: str
    kernel_digest: str

    def entries(self) -> dict[str, str]:
        """Return the manifest as it is stored."""
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def run_id(self) -> RunId:
        """Return the run's identity: a short digest of everything that decides it."""
        return run_of(self.entries())


def run_of(entries: Mapping[str, str]) -> RunId:
    """Return the identity of the run that was born with these ``entries``."""
    return RunId(sha256(msgspec.json.encode(entries, order="sorted")).hexdigest()[:8])


def recorded(reader: Reader) -> Mapping[str, str]:
    """Return the manifest in the database; empty in a new one."""
    return {str(row["key"]): str(row["value"]) for row in reader.rows("runtime.manifest")}


def refuse_other(
    found: Mapping[str, str], wanted: Manifest, *, unless: frozenset[str] = frozenset()
) -> None:
    """Raise unless the recorded manifest is the wanted one; the first differing key is named.

    What differs in the keys ``unless`` is let pass.
    """
    for name, value in wanted.entries().items():
        if name not in unless and found.get(name) != value:
            raise Conflict(
                f"the data folder holds another run: {name} is {found.get(name)!r} there and "
                f"{value!r} here; start with --fresh to replace it, or with another --data-dir",
                code="OTHER_RUN",
                field=name,
                value=value,
                accepted=found.get(name),
            )


def code_digest() -> str:
    """Return the SHA-256 over the program's own sources, SQL, shipped configuration and trained heads."""
    digest = sha256()
    for name, file in sorted(_sources(resources.files("quarterdeck"), "")):
        digest.update(f"{name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            if entry.name not in ("__pycache__", "ui"):
                found.extend(_sources(entry, f"{name}/"))
        elif entry.name.endswith((".py", ".sql", ".toml", ".json")):
            found.append((name, entry))
    return found
