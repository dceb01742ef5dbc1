"""Space on the disk: what still passes when it is low, and the ballast that makes room."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import Unavailable
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller
from quarterdeck.runtime.sequencer import Receipt
from quarterdeck.runtime.space import (
    BALLAST_BYTES,
    LOW_BYTES,
    RELEASE_BYTES,
    SpaceAdmission,
    SpaceWatch,
    unwritable,
)


class Buy(Command, frozen=True):
    """Something new."""


class Sell(Command, frozen=True):
    """Something that only reduces."""


class Halt(Command, frozen=True):
    """Something that ends."""


@dataclass
class Disk:
    """A disk of any size; the ballast counts as used."""

    folder: Path
    total: int
    others_free: int
    fails: bool = False

    @property
    def free(self) -> int:
        ballast = self.folder / "ballast"
        return self.others_free - (ballast.stat().st_size if ballast.exists() else 0)

    def usage(self, folder: Path) -> Disk:
        if self.fails:
            raise OSError(5, "Input/output error")
        return self


@dataclass
class Carrier:
    """Carries out everything."""

    carried: list[Command] = field(default_factory=list)

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        self.carried.append(command)
        answer: Answer = Answer()
        return Receipt(answer=answer, step=1)


def watched(folder: Path, *, free: int, total: int = 8 * LOW_BYTES) -> tuple[Disk, SpaceWatch]:
    disk = Disk(folder, total=total, others_free=free)
    watch = SpaceWatch(folder, usage=disk.usage)
    watch.look()
    return disk, watch


@pytest.mark.parametrize(
    ("free", "total", "low"),
    [
        (LOW_BYTES, 8 * LOW_BYTES, False),
        (LOW_BYTES - 1, 8 * LOW_BYTES, True),
        (5 * LOW_BYTES, 100 * LOW_BYTES, False),
        (5 * LOW_BYTES - 1, 100 * LOW_BYTES, True),
    ],
)
def test_a_disk_is_low_below_five_percent_or_500_megabytes(
    tmp_path: Path, free: int, total: int, low: bool
) -> None:
    _, watch = watched(tmp_path, free=free, total=total)
    assert watch.low is low
    assert watch.full is False
    assert ("only reduce, stop, cancel and acknowledge" in watch.detail()) is low
    assert (watch.reason() is None) is not low


def test_a_disk_that_cannot_be_asked_is_low(tmp_path: Path) -> None:
    disk, watch = watched(tmp_path, free=4 * LOW_BYTES)
    assert not watch.low
    disk.fails = True
    watch.look()
    assert watch.low


def test_the_ballast_is_let_go_when_hardly_anything_is_left_and_made_again(tmp_path: Path) -> None:
    ballast = tmp_path / "ballast"
    disk, watch = watched(tmp_path, free=4 * LOW_BYTES)
    assert ballast.stat().st_size == BALLAST_BYTES
    assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES, "the ballast takes no room"
    disk.others_free = LOW_BYTES
    watch.look()
    assert watch.low
    assert ballast.exists(), "others would fill the room before it is needed"
    disk.others_free = RELEASE_BYTES + BALLAST_BYTES - 1
    watch.look()
    assert not ballast.exists()
    assert disk.free == RELEASE_BYTES + BALLAST_BYTES - 1, "no room was made"
    watch.look()
    assert not ballast.exists()
    disk.others_free = 4 * LOW_BYTES
    watch.look()
    assert ballast.stat().st_size == BALLAST_BYTES
    assert not watch.low


def test_a_ballast_that_cannot_be_made_is_no_reason_not_to_trade(tmp_path: Path) -> None:
    disk = Disk(tmp_path, total=8 * LOW_BYTES, others_free=4 * LOW_BYTES)
    watch = SpaceWatch(tmp_path / "missing", usage=disk.usage)
    watch.look()
    assert not watch.low
    assert "no ballast" in watch.detail()


def test_while_the_disk_is_low_what_reduces_passes_and_while_it_is_full_only_the_way_out(
    tmp_path: Path,
) -> None:
    disk, watch = watched(tmp_path, free=4 * LOW_BYTES)
    carrier = Carrier()
    door = SpaceAdmission(
        carrier,
        space=watch,
        spared=frozenset({Halt}),
        reduces=lambda command, caller: isinstance(command, Sell),
    )

    def refused(*commands: Command) -> None:
        for command in commands:
            with pytest.raises(Unavailable) as refusal:
                asyncio.run(submitted(command))
            assert refusal.value.code == "DISK_LOW"

    async def submitted(*commands: Command) -> None:
        for command in commands:
            await door.submit(command, OPERATOR_CALLER)

    asyncio.run(submitted(Buy()))
    disk.others_free = LOW_BYTES - 1
    watch.look()
    asyncio.run(submitted(Halt(), Sell()))
    refused(Buy())
    disk.others_free = RELEASE_BYTES - 1
    watch.look()
    assert watch.full
    asyncio.run(submitted(Halt()))
    refused(Buy(), Sell())
    disk.others_free = 4 * LOW_BYTES
    watch.look()
    asyncio.run(submitted(Buy()))
    assert carrier.carried == [Buy(), Halt(), Sell(), Halt(), Buy()]


def test_a_failing_disk_is_told_from_a_bug() -> None:
    def failed(code: int) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("what SQLite says")
        error.sqlite_errorcode = code
        return error

    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_BUSY_SNAPSHOT):
        refusal = unwritable(failed(code), durable=41)
        assert refusal is not None
        assert "up to step 41 is on disk" in refusal.message
        assert "\n" not in refusal.message
    assert unwritable(failed(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY), durable=41) is None
    assert unwritable(sqlite3.ProgrammingError("ours"), durable=41) is None
