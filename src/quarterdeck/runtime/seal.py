"""The seal on a closed database: what every page of it was when the deck ended in order.

At the next start every page must be what it was, or the start is refused and the row is named. The
seal is broken before anything is written, so after a crash there is none: then the sums that were kept
while the deck ran (``sums.py``) say what every page must be.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from zlib import adler32, crc32

import msgspec

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime import sums
from quarterdeck.runtime.folder import write_whole
from quarterdeck.runtime.pages import row_at

PAGES_AT_ONCE = 256
ADLER = 65_521
"""The prime of the Adler sum."""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """Of every page a CRC-32, which no change of up to 32 adjacent bits passes, and an Adler sum.

    The two halves of an Adler sum change by ``d`` and by ``d`` times the distance from the page's end
    when one byte changes by ``d``: together they say which byte it was.
    """

    step: int
    page_size: int
    crcs: bytes
    adlers: bytes


class Seal:
    """Verifies and breaks the seal of ``core`` when entered, and seals it anew when left in order.

    ``whole`` says whether all that was decided is on disk; ``step`` which step was the last.
    """

    def __init__(
        self, core: Path, *, seal: Path, whole: Callable[[], bool], step: Callable[[], int]
    ) -> None:
        self._core = core
        self._seal = seal
        self._whole = whole
        self._step = step
        self.verified: int | None = None
        self._new = False
        self._compared = self._logged = 0

    async def __aenter__(self) -> Seal:
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A start that was refused has written nothing: the seal it broke is still true.
        untouched = self.verified is not None and self._step() in (0, self.verified)
        if untouched or (kind is None and self._whole()):
            await asyncio.to_thread(self._close)

    def detail(self) -> str:
        """Return what an operator sees."""
        if self.verified is not None:
            return f"every page is what step {self.verified} left"
        if self._new:
            return "a new database; it is sealed at an orderly end"
        if self._compared or self._logged:
            return (
                f"no orderly end before this start: {self._compared:,} pages are what was written, "
                f"{self._logged:,} came from the log"
            )
        return "no orderly end before this start: the invariants were held instead"

    def _open(self) -> None:
        if not self._core.exists():
            self._new = True
            # What they told of is gone, and a new database is judged by its own.
            self._seal.unlink(missing_ok=True)
            sums.path_of(self._core).unlink(missing_ok=True)
            return
        sealed = read_seal(self._seal)
        if sealed is None:
            self._compared, self._logged, damage = sums.judged(self._core)
            if damage is not None:
                raise self._refusal(
                    "while no deck ran",
                    f"{damage}; restore a backup, or start with --fresh. If another program opened "
                    f"it for writing, remove {sums.path_of(self._core).name}: then only the "
                    "invariants judge the file",
                )
            return
        log = self._core.with_name(f"{self._core.name}-wal")
        written = log.exists() and log.stat().st_size > 0
        damage = f"{log.name} holds writes" if written else first_damage(self._core, sealed)
        if damage is not None:
            raise self._refusal(
                f"after the deck had ended at step {sealed.step}",
                f"{damage}; restore a backup, or start with --fresh",
            )
        self.verified = sealed.step
        sums.write_sums(
            sums.path_of(self._core), array("I", sealed.crcs), page_size=sealed.page_size
        )
        self._seal.unlink()

    def _refusal(self, when: str, damage: str) -> InvalidInput:
        return InvalidInput(
            f"core.db was changed {when}: {damage}",
            code="STATE_DAMAGED",
            field="data-dir",
            value=self._core.name,
            accepted="the file as the deck left it",
        )

    def _close(self) -> None:
        # A log that is left means that somebody still reads: not all is in the one file.
        if not self._core.exists() or self._core.with_name(f"{self._core.name}-wal").exists():
            return
        try:
            content = msgspec.msgpack.encode(
                checks_of(self._core, step=self._step() or self.verified or 0)
            )
            write_whole(self._seal, content)
        except OSError:
            # All steps are on disk: without a seal the next start is one like after a crash.
            self._seal.unlink(missing_ok=True)
        else:
            sums.path_of(self._core).unlink(missing_ok=True)


def checks_of(core: Path, *, step: int) -> Checks:
    """Return the checks of every page of ``core``."""
    with core.open("rb") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        # The format writes its largest page size as 1.
        size = 65_536 if size == 1 else size
        file.seek(0)
        crcs, adlers = array("I"), array("I")
        while some := file.read(size * PAGES_AT_ONCE):
            for at in range(0, len(some), size):
                page = some[at : at + size]
                crcs.append(crc32(page))
                adlers.append(adler32(page))
    return Checks(step=step, page_size=size, crcs=crcs.tobytes(), adlers=adlers.tobytes())


def read_seal(path: Path) -> Checks | None:
    """Return the seal; ``None`` if there is none, or none that can be read."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Checks)
    except (OSError, msgspec.DecodeError):
        return None


def first_damage(core: Path, sealed: Checks) -> str | None:
    """Return what differs first from the ``sealed`` pages, by table and row; ``None`` if nothing."""
    found = checks_of(core, step=sealed.step)
    if found == sealed:
        return None
    if len(found.crcs) != len(sealed.crcs):
        return f"it has {len(found.crcs) // 4:,} pages, not {len(sealed.crcs) // 4:,}"
    if found.page_size != sealed.page_size:
        return "its header"
    here, there = (array("I", each.crcs) for each in (found, sealed))
    page = next((i for i, crc in enumerate(there) if crc != here[i]), None)
    if page is None:
        return "nothing of it, but the seal itself is damaged"
    sums = (array("I", each.adlers)[page] for each in (sealed, found))
    offset = changed_byte(*sums, size=sealed.page_size)
    content = core.read_bytes()
    return row_at(core, content, page_size=sealed.page_size, page=page + 1, offset=offset)


def changed_byte(before: int, after: int, *, size: int) -> int | None:
    """Return the offset of the one byte of a page that changed; ``None`` if it was not one.

    >>> page = bytearray(b"the quick brown fox")
    >>> before = adler32(page)
    >>> page[6] ^= 0x10
    >>> changed_byte(before, adler32(page), size=len(page))
    6
    """
    by = ((after & 0xFFFF) - (before & 0xFFFF)) % ADLER
    weighed = ((after >> 16) - (before >> 16)) % ADLER
    if by == 0:
        return None
    from_end = weighed * pow(by, -1, ADLER) % ADLER
    return size - from_end if 1 <= from_end <= size else None
