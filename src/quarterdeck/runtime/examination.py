"""Examining the audit chain from outside: every hash, every signature, and the file of heads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.runtime.audit import pages, verified
from quarterdeck.runtime.signing import (
    FIRST,
    Head,
    chain_hash,
    name_of,
    parsed,
    read_lines,
    stored_lines,
)
from quarterdeck.runtime.state import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: ``record`` of ``partition``, or head ``head`` of the file."""

    text: str
    partition: str | None = None
    record: int | None = None
    head: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the chain says of itself: ``records`` that hold and ``covered`` by a head, by partition.

    ``keys`` are the public keys in the order in which they signed.
    """

    records: Mapping[str, int]
    covered: Mapping[str, int]
    heads: int
    keys: tuple[str, ...]
    findings: tuple[Finding, ...]


def examine(reader: Reader, heads_file: Path, *, key: str | None = None) -> Examination:
    """Examine chain, heads and file; with ``key`` every head must be signed by it.

    ``reader`` must see one state of the database from its first read to its last.
    """
    # The file is read first: what it names then is in any later state of the database.
    lines, _ = read_lines(heads_file)
    stored = stored_lines(reader)
    if len(stored) > len(lines):
        lines, _ = read_lines(heads_file)
    chains = verified(reader)
    findings = [
        Finding(
            text=f"{name}: record {at} does not follow from those before it",
            partition=name,
            record=at,
        )
        for name, (_, at) in chains.items()
        if at is not None
    ]
    findings.extend(_file_against_table(lines, stored))
    heads: list[Head] = []
    previous = FIRST
    for number, line in enumerate(lines, start=1):
        head = parsed(line, number=number, previous=previous)
        if head is None:
            findings.append(
                Finding(
                    text=f"audit.heads: head {number} is not whole, not in its place or not signed",
                    head=number,
                )
            )
            break
        heads.append(head)
        previous = name_of(line)
        if key is not None and head.key != key:
            findings.append(
                Finding(text=f"head {number} is signed by another key: {head.key}", head=number)
            )
    records = {name: count for name, (count, _) in chains.items()}
    findings.extend(_heads_against_chain(reader, heads, records))
    return Examination(
        records=records,
        covered={head.partition: head.sequence for head in heads},
        heads=len(heads),
        keys=tuple(dict.fromkeys(head.key for head in heads)),
        findings=tuple(findings),
    )


def _file_against_table(lines: list[bytes], stored: list[tuple[int, bytes]]) -> Iterator[Finding]:
    for number, (found, line) in enumerate(stored, start=1):
        if found != number or number > len(lines) or lines[number - 1] != line:
            what = "is missing from" if number > len(lines) else "differs from"
            yield Finding(text=f"head {number} of the database {what} audit.heads", head=number)
            return


def _heads_against_chain(
    reader: Reader, heads: list[Head], records: Mapping[str, int]
) -> Iterator[Finding]:
    before: dict[str, int] = {}
    for head in heads:
        digest = chain_hash(reader, head)
        if digest is None or digest.hex() != head.hash:
            if digest is None:
                first = records.get(head.partition, 0) + 1
                text = f"record {first} is missing: head {head.number} was signed over record"
            else:
                first = before.get(head.partition, 0) + 1
                text = f"records from {first} on were rewritten: head {head.number} is over another"
            yield Finding(
                text=f"{head.partition}: {text} {head.sequence}",
                partition=head.partition,
                record=first if digest is None else head.sequence,
                head=head.number,
            )
            return
        before[head.partition] = head.sequence


def exported(reader: Reader) -> Iterator[str]:
    """Yield every record as one JSON line: partition, sequence, its text as hashed, its hash."""
    for row in reader.rows("runtime.audit_partitions"):
        for page in pages(reader, bytes(row["partition"])):
            for record in page:
                line = {
                    "partition": bytes(record["partition"]).decode(),
                    "sequence": record["sequence"],
                    "record": bytes(record["record"]).decode(),
                    "hash": bytes(record["hash"]).hex(),
                }
                yield json.dumps(line, ensure_ascii=False, separators=(",", ":"))
