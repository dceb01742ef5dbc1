"""Signed heads of the audit chain: in the database, and in a file beside it.

A hash chain shows a changed record, but whoever owns the file can rewrite it from there to its end.
So the deck signs heads with Ed25519. Each head names a record, its hash, the public key and the head
before it; the lines of ``audit.heads`` are what a person copies to where the deck cannot reach.

The file comes first: a head is in ``audit.heads``, fsynced, before it is in the table, so a crash
leaves the file ahead and never behind. Signing takes no step: no decision rests on it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quarterdeck.kernel.errors import Conflict, InvalidInput, Unavailable
from quarterdeck.runtime.audit import AuditChain, Place, canonical
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.database import ConnectionReader, Sql
from quarterdeck.runtime.state import Reader

KEY_BYTES = 32
HEAD_AGE_S = 60.0
"""How old a record may get before a head covers it."""
POLL_S = 0.25
FIRST = "0" * 64
"""What the first head names as the head before it."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed head: record ``sequence`` of ``partition`` had ``hash``; hexadecimal throughout.

    ``previous`` is the SHA-256 of the line before; ``at`` is the machine's time.
    """

    number: int
    partition: str
    sequence: int
    hash: str
    at: int
    key: str
    previous: str
    signature: str = ""

    def to_sign(self) -> bytes:
        """Return the text that is signed: the head without its signature."""
        return canonical(msgspec.structs.replace(self, signature=""))


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return the signing key; it is made, readable by its owner alone, if absent.

    Raises
    ------
    InvalidInput
        If the file is not a key of ours or others may read it.
    """
    if not path.exists():
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw())
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_folder(path.parent)
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise InvalidInput.of(
            "audit key", path.name, f"{KEY_BYTES} bytes; remove the file to have one made"
        )
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InvalidInput.of("audit key", path.name, "a file of mode 0600 (chmod 600)")
    return Ed25519PrivateKey.from_private_bytes(secret)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_lines(path: Path) -> tuple[list[bytes], bytes]:
    """Return the whole lines of ``audit.heads`` and what follows the last of them."""
    content = path.read_bytes() if path.exists() else b""
    *lines, rest = content.split(b"\n")
    return lines, rest


def append_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Append whole lines; they are on disk before this returns."""
    born = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    if born:
        sync_folder(path.parent)


def parsed(line: bytes, *, number: int, previous: str) -> Head | None:
    """Return the head in ``line`` if it is whole, in its place and signed by the key it names."""
    try:
        head = msgspec.json.decode(line, type=Head)
        signature, key = bytes.fromhex(head.signature), bytes.fromhex(head.key)
        if canonical(head) != line or head.signature != signature.hex():
            return None
        Ed25519PublicKey.from_public_bytes(key).verify(signature, head.to_sign())
    except (ValueError, InvalidSignature):
        return None
    return head if (head.number, head.previous) == (number, previous) else None


def name_of(line: bytes) -> str:
    """Return what the next head calls this one."""
    return sha256(line).hexdigest()


def stored_lines(reader: Reader) -> list[tuple[int, bytes]]:
    """Return the heads in the database with their numbers."""
    return [(int(row["number"]), bytes(row["line"])) for row in reader.rows("runtime.signed_heads")]


def chain_hash(reader: Reader, head: Head) -> bytes | None:
    """Return the hash of the record that ``head`` is over, ``None`` if there is no such record."""
    found = reader.rows("runtime.audit_hash", partition=head.partition, sequence=head.sequence)
    return bytes(found[0]["hash"]) if found else None


class Writer(Protocol):
    """What signing needs of the journal."""

    async def committed(self, number: int) -> None:
        """Return once step ``number`` is on disk."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run ``work`` on the writer's connection between batches."""
        ...


class Progress(Protocol):
    """The newest step."""

    number: int


class Signer:
    """Signs the heads of every partition while the deck runs, beside the steps.

    :meth:`run` signs every 1,000th record, and within 60 s whatever is not covered;
    :meth:`drain` signs what is left at an orderly end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sql: Sql,
        chain: AuditChain,
        progress: Progress,
        journal: Writer,
        clock: Clock,
    ) -> None:
        self._key_path = folder / "audit.key"
        self._path = folder / "audit.heads"
        self._sql = sql
        self._chain = chain
        self._progress = progress
        self._journal = journal
        self._clock = clock
        self._key: Ed25519PrivateKey | None = None
        self._public = ""
        self._lock = asyncio.Lock()
        self._previous = FIRST
        self._covered: dict[str, int] = {}
        self._swept_s = 0.0
        self.count = 0
        self.newest: str | None = None

    async def __aenter__(self) -> Signer:
        self._key = read_key(self._key_path)
        self._public = self._key.public_key().public_bytes_raw().hex()
        self._swept_s = self._clock.monotonic_s()
        await self._journal.read(self._take_up)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def run(self) -> None:
        """Sign what is due, again and again."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.sign(all_now=False)

    async def drain(self) -> None:
        """Cover everything that is recorded."""
        await self.sign(all_now=True)

    async def sign(self, *, all_now: bool) -> None:
        """Sign every head that is due, or cover all records now."""
        async with self._lock:
            due = self._chain.take_due()
            now_s = self._clock.monotonic_s()
            if all_now or now_s - self._swept_s >= HEAD_AGE_S:
                self._swept_s = now_s
                due.extend(place for place in self._chain.heads() if place not in due)
            due = [place for place in due if place[1] > self._covered.get(place[0], 0)]
            if not due:
                return
            # Only what is on disk may be signed: a crash must never leave a head without its record.
            await self._journal.committed(self._progress.number)
            lines = [self._signed(place) for place in due]
            first = self.count - len(lines) + 1
            try:
                await asyncio.to_thread(append_lines, self._path, lines)
            except OSError as error:
                raise Unavailable(
                    f"{self._path.name} cannot be written ({error.strerror}): the deck ends rather "
                    "than go on unsigned; start it again when the disk is well",
                    code="AUDIT_HEADS_FAILED",
                ) from error
            await self._journal.read(lambda connection: self._save(connection, lines, first))
            self._show(lines[-1])

    def _signed(self, place: Place) -> bytes:
        if self._key is None:
            raise RuntimeError("the signer is not open")
        partition, sequence, digest = place
        head = Head(
            number=self.count + 1,
            partition=partition,
            sequence=sequence,
            hash=digest.hex(),
            at=self._clock.now(),
            key=self._public,
            previous=self._previous,
        )
        signature = self._key.sign(head.to_sign()).hex()
        line = canonical(msgspec.structs.replace(head, signature=signature))
        self.count, self._previous = head.number, name_of(line)
        self._covered[partition] = sequence
        return line

    def _show(self, line: bytes) -> None:
        self.newest = line.decode()

    def _save(self, connection: sqlite3.Connection, lines: Sequence[bytes], first: int) -> None:
        statement = self._sql.statements["runtime.head_saved"]
        values = [{"number": first + i, "line": line} for i, line in enumerate(lines)]
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(statement, values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise Unavailable(
                f"the signed heads cannot be recorded ({error}); start the deck again",
                code="AUDIT_HEADS_FAILED",
            ) from error

    def _take_up(self, connection: sqlite3.Connection) -> None:
        """Make file and table agree, and refuse a chain that is not the one that was signed."""
        reader = ConnectionReader(connection, self._sql)
        stored = [line for _, line in stored_lines(reader)]
        lines, rest = read_lines(self._path)
        for number, (one, other) in enumerate(zip(lines, stored, strict=False), start=1):
            if one != other:
                raise _refusal(f"head {number} differs between {self._path.name} and the database")
        if rest:
            # A crash cut the last line short; nothing rests on it.
            os.truncate(self._path, sum(len(line) + 1 for line in lines))
        if len(stored) > len(lines):
            append_lines(self._path, stored[len(lines) :])
        newest: dict[str, Head] = {}
        for number, line in enumerate([*lines, *stored[len(lines) :]], start=1):
            head = parsed(line, number=number, previous=self._previous)
            if head is None and number > len(stored):
                # Power was lost while it was appended: it was never in the table, nor shown.
                del lines[number - 1 :]
                os.truncate(self._path, sum(len(line) + 1 for line in lines))
                break
            if head is None:
                raise _refusal(f"head {number} is not whole, not in its place or not signed")
            newest[head.partition] = head
            self.count, self._previous = number, name_of(line)
            self._covered[head.partition] = head.sequence
            self._show(line)
        for head in newest.values():
            if (chain_hash(reader, head) or b"").hex() != head.hash:
                raise _refusal(
                    f"record {head.sequence} of {head.partition} is not the one that head "
                    f"{head.number} was signed over"
                )
        if len(lines) > len(stored):
            self._save(connection, lines[len(stored) :], len(stored) + 1)


def _refusal(what: str) -> Conflict:
    return Conflict(
        f"the audit chain is not the one that was signed: {what}; see 'quarterdeck audit verify', "
        "then restore a backup or begin anew with --fresh",
        code="AUDIT_HEADS_DIFFER",
        field="data-dir",
    )
