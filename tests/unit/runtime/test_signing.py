"""Signed heads: made beside the steps, kept in two places, and taken up again after any crash."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import Conflict, InvalidInput, Unavailable
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.audit import HEAD_EVERY, AuditChain
from quarterdeck.runtime.clock import VirtualClock
from quarterdeck.runtime.database import ConnectionReader, connect, create, state_digest
from quarterdeck.runtime.examination import examine
from quarterdeck.runtime.signing import HEAD_AGE_S, read_key, read_lines, stored_lines
from tests.unit.runtime.signed import SQL, Chained, add_records, chained_folder, signer_of


def taken_up(chain: Chained) -> int:
    """Start and end a signer on the folder, as a restart does, and return how many heads it has."""

    async def start() -> int:
        with closing(chain.open()) as connection:
            async with signer_of(chain.folder, connection, AuditChain()) as signer:
                return signer.count

    return asyncio.run(start())


def in_both(chain: Chained) -> tuple[list[bytes], list[bytes]]:
    with closing(chain.open()) as connection:
        stored = [line for _, line in stored_lines(ConnectionReader(connection, SQL))]
    return read_lines(chain.heads)[0], stored


@pytest.fixture
def chain(tmp_path: Path) -> Chained:
    return chained_folder(tmp_path, records=6, every=2)


def test_a_head_is_signed_every_thousand_records_and_once_a_minute(tmp_path: Path) -> None:
    async def live() -> list[int]:
        clock = VirtualClock(start=Nanos(0))
        counts = []
        with closing(connect(tmp_path / "core.db")) as connection:
            create(connection, SQL)
            audit = AuditChain()
            async with signer_of(tmp_path, connection, audit, clock) as signer:
                for records in (HEAD_EVERY - 1, 1, 2 * HEAD_EVERY, 3):
                    add_records(connection, audit, records)
                    await signer.sign(all_now=False)
                    counts.append(signer.count)
                clock.at_slice(int(HEAD_AGE_S * 4) - 2)
                await signer.sign(all_now=False)
                counts.append(signer.count)
                clock.at_slice(int(HEAD_AGE_S * 4) - 1)
                await signer.sign(all_now=False)
                counts.append(signer.count)
                await signer.drain()
                counts.append(signer.count)
        return counts

    assert asyncio.run(live()) == [0, 1, 3, 3, 3, 4, 4]


def test_signing_does_not_change_the_state(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "core.db")) as connection:
        create(connection, SQL)
        unsigned = state_digest(connection, SQL)
    (tmp_path / "signed").mkdir()
    with closing(chained_folder(tmp_path / "signed", records=4, every=2).open()) as connection:
        assert state_digest(connection, SQL) == unsigned


def test_the_key_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    first = read_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).private_bytes_raw() == first.private_bytes_raw()
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="mode 0600"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(InvalidInput, match="32 bytes"):
        read_key(path)


def test_a_head_that_reached_only_the_file_before_a_crash_is_taken_up(chain: Chained) -> None:
    with closing(chain.open()) as connection:
        connection.execute("DELETE FROM signed_heads WHERE number = 3")
    assert taken_up(chain) == 3
    lines, stored = in_both(chain)
    assert lines == stored


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_a_last_line_that_a_crash_cut_short_is_written_again(chain: Chained, cut: int) -> None:
    whole = chain.heads.read_bytes()
    os.truncate(chain.heads, len(whole) - cut)
    assert taken_up(chain) == 3
    assert chain.heads.read_bytes() == whole


def test_half_a_line_that_is_in_no_table_is_dropped(chain: Chained) -> None:
    whole = chain.heads.read_bytes()
    with chain.heads.open("ab") as file:
        file.write(whole[:50])
    assert taken_up(chain) == 3
    assert chain.heads.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"{}\n", b"\xff" * 40 + b"\n\n" + b"\0" * 9])
def test_damaged_lines_that_are_in_no_table_are_dropped(chain: Chained, damage: bytes) -> None:
    whole = chain.heads.read_bytes()
    with chain.heads.open("ab") as file:
        file.write(damage)
    assert taken_up(chain) == 3
    assert chain.heads.read_bytes() == whole


def test_a_shortened_chain_does_not_start(chain: Chained) -> None:
    with closing(chain.open()) as connection:
        connection.execute("DELETE FROM audit WHERE sequence > 4")
        connection.execute("DELETE FROM signed_heads WHERE number > 2")
    with pytest.raises(Conflict, match="record 6 of paper") as refusal:
        taken_up(chain)
    assert refusal.value.code == "AUDIT_HEADS_DIFFER"


def test_a_changed_head_does_not_start(chain: Chained) -> None:
    chain.heads.write_bytes(chain.heads.read_bytes().replace(b'"number":2', b'"number":7'))
    with pytest.raises(Conflict, match="head 2 differs"):
        taken_up(chain)


def test_a_head_that_cannot_be_written_ends_the_deck_in_words(chain: Chained) -> None:
    async def live() -> None:
        with closing(chain.open()) as connection:
            audit = AuditChain()
            async with signer_of(chain.folder, connection, audit) as signer:
                chain.heads.unlink()
                chain.heads.mkdir()
                audit.load({"paper": (6, bytes(32))})
                add_records(connection, audit, 1)
                with pytest.raises(Unavailable, match=r"audit\.heads cannot be written"):
                    await signer.drain()

    asyncio.run(live())


def test_a_lost_key_gives_a_second_one_and_the_examination_says_so(chain: Chained) -> None:
    (chain.folder / "audit.key").unlink()

    async def live() -> None:
        with closing(chain.open()) as connection:
            audit = AuditChain()
            reader = ConnectionReader(connection, SQL)
            audit.load(
                {
                    row["partition"]: (row["sequence"], row["hash"])
                    for row in reader.rows("runtime.audit_heads")
                }
            )
            async with signer_of(chain.folder, connection, audit) as signer:
                add_records(connection, audit, 1)
                await signer.drain()
            found = examine(reader, chain.heads)
            assert found.findings == ()
            assert len(found.keys) == 2
            assert examine(reader, chain.heads, key=found.keys[0]).findings[0].head == 4

    asyncio.run(live())
