"""Which programs have run a run: the one it was born under, and each that went on with it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from quarterdeck.runtime.manifest import Manifest, refuse_other
from quarterdeck.runtime.state import Reader

OF_THE_PROGRAM = frozenset({"code_digest", "kernel_digest", "config_digest"})
"""Entries of the manifest that an upgrade may change; all others decide the run itself."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What ran a run; ``config`` is all of its configuration that bears on decisions, as JSON.

    ``config`` is ``None`` for a run of schema version 1, which kept only the digest.
    """

    version: str
    schema_version: int
    code_digest: str
    kernel_digest: str
    config_digest: str
    config: str | None

    def entries(self) -> dict[str, object]:
        """Return the program as it is stored."""
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def same_code(self, other: Program) -> bool:
        """Return whether the other computes what this one does."""
        ours, theirs = (
            (self.code_digest, self.kernel_digest),
            (other.code_digest, other.kernel_digest),
        )
        return ours == theirs


def programs(reader: Reader) -> Sequence[tuple[int, Program]]:
    """Return every program that ran the run, with the first step it took."""
    return [
        (int(row["step"]), msgspec.convert(row, Program)) for row in reader.rows("runtime.programs")
    ]


def predecessor(
    reader: Reader, found: Mapping[str, str], *, wanted: Manifest, present: Program
) -> Program | None:
    """Return the program that ran the recorded run last, ``None`` if it is the present one.

    Raises
    ------
    Conflict
        If the ``wanted`` run is not the one ``found``, or the present program ran it last with another
        configuration; another program may have other settings.
    """
    refuse_other(found, wanted, unless=OF_THE_PROGRAM)
    _, last = programs(reader)[-1]
    if last.same_code(present):
        was = {**found, "config_digest": last.config_digest}
        refuse_other(was, wanted, unless=OF_THE_PROGRAM - {"config_digest"})
        return None
    return last


def other_settings(before: str | None, now: str | None) -> dict[str, tuple[str | None, str | None]]:
    """Return every key of two configurations whose value differs, with both values as JSON.

    ``None`` is the value of a key that one of them does not know.
    """
    if before is None or now is None:
        return {}
    old, new = _flat(before), _flat(now)
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }


def _flat(config: str) -> dict[str, str]:
    """Return every value of a configuration by its dotted key, as JSON."""
    found: dict[str, str] = {}

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{key}.{name}" if key else name)
        else:
            found[key] = msgspec.json.encode(value).decode()

    walk(msgspec.json.decode(config), "")
    return found
