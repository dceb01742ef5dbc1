"""The audit chain: every decision, stop and change, each record bound to the one before it.

``hash = SHA-256(previous hash || canonical JSON of the record)``. The record is written in the
transaction of the effect it tells of, so neither exists without the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quarterdeck.runtime.state import Reader

GENESIS = bytes(32)
PAGE = 10_000
"""Records that are verified at a time."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One audit record as it is hashed and stored."""

    partition: str
    sequence: int
    step: int
    at: int
    kind: str
    actor: str
    body: Mapping[str, Any]


def canonical(record: Record) -> bytes:
    """Return the one JSON text of ``record``: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(record, order="sorted")


def chained(previous: bytes, text: bytes) -> bytes:
    """Return the hash that binds ``text`` to everything before it."""
    return hashlib.sha256(previous + text).digest()


class AuditChain:
    """The head of each partition's chain; records are made inside a step."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, bytes]] = {}

    def load(self, heads: Mapping[str, tuple[int, bytes]]) -> None:
        """Take up the chains where the database left them."""
        self._heads = dict(heads)

    def sequence(self, partition: str) -> int:
        """Return the number of records in ``partition``."""
        return self._heads.get(partition, (0, GENESIS))[0]

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
    partitions = [str(row["partition"]) for row in reader.rows("runtime.audit_partitions")]
    return {name: _verified(reader, partition=name) for name in partitions}


def _verified(reader: Reader, *, partition: str) -> tuple[int, int | None]:
    head, last = GENESIS, 0
    while True:
        rows = [
            (int(row["sequence"]), bytes(row["record"]), bytes(row["hash"]))
            for row in reader.rows(
                "runtime.audit_chain", partition=partition, after=last, limit=PAGE
            )
        ]
        if not rows:
            return last, None
        broken = first_broken(rows, previous=head, first=last + 1)
        if broken is not None:
            return broken - 1, broken
        last, _, head = rows[-1]
