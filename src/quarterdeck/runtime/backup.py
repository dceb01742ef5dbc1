"""Backups of a data folder: taken while the deck runs, restored only if every byte is as it was.

The database is copied through a read connection, which in WAL mode never holds up the writer; what
is copied is the state after one whole step. The heads are taken from that copy, so they never tell
of records it lacks, and so is the remote paper venue, less what that copy does not know of; the
stop flag is copied last, so a stop is at most newer than its record.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec

from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime import database
from quarterdeck.runtime.database import SCHEMA_VERSION, ConnectionReader, Sql, state_digest
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.signing import read_lines, stored_lines, sync_folder
from quarterdeck.runtime.state import Reader

MANIFEST = "backup.json"
FILES = ("stop.flag", "venue.json", "venue.requests", "audit.heads", "core.db")
"""What a backup holds, in the order in which it is put in place: a folder with ``core.db`` is whole."""
BESIDE = frozenset({"lock", "ballast"})
"""Files that an empty data folder may hold."""

Known = Callable[[bytes, Reader], bytes]
"""Of the requests of a remote paper venue, those that the copied database knows of."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a backup."""

    sha256: str
    bytes: int


class Backup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup's manifest; ``digest`` is the SHA-256 of the manifest itself without it."""

    taken_at: str
    version: str
    schema_version: int
    step: int
    slice: int
    state_digest: str
    files: Mapping[str, Part]
    digest: str = ""

    def own_digest(self) -> str:
        """Return what ``digest`` must be."""
        blank = msgspec.structs.replace(self, digest="")
        return sha256(msgspec.json.encode(blank, order="sorted")).hexdigest()


def back_up(
    folder: Path, target: Path, *, sql: Sql, at: Nanos, version: str, known: Known
) -> Backup:
    """Copy the run in ``folder`` into the new folder ``target``, running or stopped.

    Raises
    ------
    NotFound
        If there is no run.
    InvalidInput
        If ``target`` holds anything or cannot be written.
    Conflict
        If the file of signed heads is not the one the database tells of.
    Unavailable
        If the database cannot be read whole.
    """
    if not (folder / "core.db").exists():
        raise NotFound(f"{folder} holds no run; name its folder with --data-dir", field="data-dir")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput.of("DIR", target, "a folder that is new or empty")
    staging = target.with_name(f"{target.name}.partial")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700, parents=True)
        try:
            made = _copied(folder, staging, sql=sql, at=at, version=version, known=known)
            staging.rename(target)
            sync_folder(target.absolute().parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise InvalidInput.of("DIR", target, f"a writable folder ({error.strerror})") from None
    except sqlite3.Error as error:
        raise Unavailable(f"{folder / 'core.db'} cannot be copied: {error}") from None
    return made


def _copied(
    folder: Path, staging: Path, *, sql: Sql, at: Nanos, version: str, known: Known
) -> Backup:
    core = staging / "core.db"
    with (
        closing(database.connect(folder / "core.db", read_only=True)) as source,
        closing(sqlite3.connect(core, isolation_level=None)) as copy,
    ):
        copy.row_factory = sqlite3.Row
        # All pages in one read transaction: the writer goes on, the copy does not see it.
        database.refuse_other_schema(source, folder / "core.db")
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        problem = str(copy.execute("PRAGMA quick_check(1)").fetchone()[0])
        if problem != "ok":
            raise Unavailable(f"{folder / 'core.db'} is damaged: {problem}")
        reader = ConnectionReader(copy, sql)
        heads = [line for _, line in stored_lines(reader)]
        last = reader.rows("runtime.last_step")
        digest = state_digest(copy, sql).hex()
        if (folder / "venue.requests").exists():
            requests = known((folder / "venue.requests").read_bytes(), reader)
            (staging / "venue.requests").write_bytes(requests)
            shutil.copyfile(folder / "venue.json", staging / "venue.json")
    lines, _ = read_lines(folder / "audit.heads")
    if any(one != other for one, other in zip(heads, lines, strict=False)):
        raise Conflict(
            "audit.heads is not what the database tells of; see 'quarterdeck audit verify'",
            code="AUDIT_HEADS_DIFFER",
        )
    (staging / "audit.heads").write_bytes(b"".join(line + b"\n" for line in heads))
    if (folder / "stop.flag").exists():
        shutil.copyfile(folder / "stop.flag", staging / "stop.flag")
    files = {name: _part(staging / name) for name in FILES if (staging / name).exists()}
    made = Backup(
        taken_at=rfc3339(at),
        version=version,
        schema_version=SCHEMA_VERSION,
        step=int(last[0]["number"]) if last else 0,
        slice=int(last[0]["slice"]) if last else -1,
        state_digest=digest,
        files=files,
    )
    made = msgspec.structs.replace(made, digest=made.own_digest())
    (staging / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    for name in (*files, MANIFEST):
        _sync(staging / name)
    sync_folder(staging)
    return made


def restore(source: Path, data_dir: Path, *, sql: Sql, fresh: bool) -> Backup:
    """Put the backup in ``source`` in place in ``data_dir``, once all of it has been verified.

    Raises
    ------
    InvalidInput
        If any hash or the state digest differs, or ``data_dir`` cannot be written.
    Conflict
        If ``data_dir`` holds anything and not ``fresh``, or a deck runs on it.
    """
    made = _manifest_of(source)
    with DataFolder(data_dir) as folder:
        held = sorted({entry.name for entry in data_dir.iterdir()} - BESIDE)
        if held and not fresh:
            raise Conflict(
                f"{data_dir} holds {held[0]}; restore into a new folder, or with --fresh to move "
                "the run there aside",
                code="FOLDER_NOT_EMPTY",
                field="data-dir",
            )
        staging = data_dir / ".restoring"
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(mode=0o700)
            try:
                _verified_copy(source, staging, made, sql=sql)
                folder.move_aside()
                for name in FILES:
                    if name in made.files:
                        (staging / name).rename(data_dir / name)
                        sync_folder(data_dir)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise InvalidInput.of(
                "data-dir", data_dir, f"a writable folder ({error.strerror})"
            ) from None
    return made


def _manifest_of(source: Path) -> Backup:
    try:
        made = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Backup)
    except OSError as error:
        raise NotFound(f"{source} holds no backup ({error.strerror})", field="DIR") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput.of("DIR", source, f"a backup; {MANIFEST} is damaged ({error})") from None
    if made.digest != made.own_digest() or not {"core.db"} <= set(made.files) <= set(FILES):
        raise InvalidInput.of("DIR", source, f"a backup whose {MANIFEST} is as it was written")
    if not 1 <= made.schema_version <= SCHEMA_VERSION:
        raise InvalidInput.of(
            "DIR",
            source,
            f"a backup of schema version 1 to {SCHEMA_VERSION}, not {made.schema_version}",
        )
    return made


def _verified_copy(source: Path, staging: Path, made: Backup, *, sql: Sql) -> None:
    for name, part in made.files.items():
        try:
            shutil.copyfile(source / name, staging / name)
        except FileNotFoundError:
            raise InvalidInput.of("DIR", source, f"a whole backup; {name} is missing") from None
        (staging / name).chmod(0o600)
        # What is verified is the copy that will be used, not the file it was made from.
        if _part(staging / name) != part:
            raise InvalidInput.of("DIR", source, f"an unchanged backup; {name} differs")
        _sync(staging / name)
    if made.schema_version < SCHEMA_VERSION:
        # What its state digest is made of only the program knows that took it; every byte is as it was.
        return
    uri = f"{(staging / 'core.db').resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as copy:
            copy.row_factory = sqlite3.Row
            found = state_digest(copy, sql).hex()
    except sqlite3.Error as error:
        raise InvalidInput.of("DIR", source, f"a readable database ({error})") from None
    if found != made.state_digest:
        raise InvalidInput.of("DIR", source, "a backup of this program; the state digest differs")


def _part(path: Path) -> Part:
    with path.open("rb") as file:
        return Part(sha256=file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
