"""The audit chain: every decision, stop and change, each record bound to the one before it.

``hash = SHA-256(previous hash || canonical JSON of the record)``. The record is written in the
transaction of the effect it tells of, so neither exists without the other.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from quarterdeck.runtime.state import Reader

GENESIS = bytes(32)
PAGE = 10_000
"""Records that are verified at a time."""
HEAD_EVERY = 1_000
"""Every so many records of a partition the head of its chain is due for signing."""
MAX_DUE = 1_024
"""Most heads kept for signing; the oldest are forgotten first, since a later head covers them."""

Place = tuple[str, int, bytes]
"""A record's place in its chain: partition, sequence and hash."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One audit record as it is hashed and stored."""

    partition: str
    sequence: int
    step: int
    at: int
    kind: str
    actor: str
    body: Mapping[str, Any]


class _Columns(msgspec.Struct):
    """What a record says that its row's columns say as well."""

    partition: str
    sequence: int
    at: int
    kind: str
    actor: str


def canonical(record: msgspec.Struct) -> bytes:
    """Return the one JSON text of ``record``: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(record, order="sorted")


def chained(previous: bytes, text: bytes) -> bytes:
    """Return the hash that binds ``text`` to everything before it."""
    return hashlib.sha256(previous + text).digest()


class AuditChain:
    """The head of each partition's chain; records are made inside a step."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._due: deque[Place] = deque(maxlen=MAX_DUE)

    def load(self, heads: Mapping[str, tuple[int, bytes]]) -> None:
        """Take up the chains where the database left them."""
        self._heads = dict(heads)

    def sequence(self, partition: str) -> int:
        """Return the number of records in ``partition``."""
        return self._heads.get(partition, (0, GENESIS))[0]

    def heads(self) -> list[Place]:
        """Return the newest record of every partition; it may not be on disk yet."""
        return [(name, sequence, head) for name, (sequence, head) in sorted(self._heads.items())]

    def take_due(self) -> list[Place]:
        """Return every :data:`HEAD_EVERY`-th record since the last call, oldest first."""
        due = list(self._due)
        self._due.clear()
        return due

    def append(
        self, partition: str, *, step: int, at: int, kind: str, actor: str, body: Mapping[str, Any]
    ) -> dict[str, object]:
        """Chain one record and return its row."""
        sequence, previous = self._heads.get(partition, (0, GENESIS))
        record = Record(
            partition=partition,
            sequence=sequence + 1,
            step=step,
            at=at,
            kind=kind,
            actor=actor,
            body=body,
        )
        text = canonical(record)
        head = chained(previous, text)
        self._heads[partition] = (sequence + 1, head)
        if (sequence + 1) % HEAD_EVERY == 0:
            self._due.append((partition, sequence + 1, head))
        return {
            "partition": partition,
            "sequence": sequence + 1,
            "at": at,
            "kind": kind,
            "actor": actor,
            "record": text,
            "hash": head,
        }


def first_broken(
    rows: Sequence[tuple[int, bytes, bytes]], *, previous: bytes = GENESIS, first: int = 1
) -> int | None:
    """Return the sequence of the first record that does not follow from those before it.

    ``rows`` are ``(sequence, record, hash)`` in ascending order, the first of them numbered
    ``first`` and bound to ``previous``; ``None`` means the chain holds.
    """
    expected = first
    for sequence, text, head in rows:
        if sequence != expected or chained(previous, text) != head:
            return expected
        previous, expected = head, expected + 1
    return None


def verified(reader: Reader) -> dict[str, tuple[int, int | None]]:
    """Recompute every hash of the database, partition by partition.

    Returns how many records hold and the sequence of the first that does not, ``None`` if all do.
    """
    names = [bytes(row["partition"]) for row in reader.rows("runtime.audit_partitions")]
    # A changed byte may leave no text at all: such a name is shown, not decoded.
    return {name.decode(errors="backslashreplace"): _verified(reader, name) for name in names}


def pages(reader: Reader, partition: bytes) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield the rows of one partition in order; texts are bytes, since any may be damaged."""
    last = -(2**63)
    while rows := reader.rows("runtime.audit_chain", partition=partition, after=last, limit=PAGE):
        yield rows
        last = int(rows[-1]["sequence"])


def _verified(reader: Reader, partition: bytes) -> tuple[int, int | None]:
    head, last = GENESIS, 0
    for rows in pages(reader, partition):
        for row in rows:
            text, found = bytes(row["record"]), bytes(row["hash"])
            follows = int(row["sequence"]) == last + 1 and chained(head, text) == found
            if not follows or not _says_the_same(row, text):
                return last, last + 1
            head, last = found, last + 1
    return last, None


def _says_the_same(row: Mapping[str, Any], text: bytes) -> bool:
    try:
        said = _COLUMNS.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return (said.sequence, said.at) == (row["sequence"], row["at"]) and (
        said.partition.encode(),
        said.kind.encode(),
        said.actor.encode(),
    ) == (row["partition"], row["kind"], row["actor"])


_COLUMNS = msgspec.json.Decoder(_Columns)
