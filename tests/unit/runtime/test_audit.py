"""The audit chain: any byte that is changed, and any record that is missing, is found and named."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.runtime.audit import GENESIS, HEAD_EVERY, AuditChain, Record, canonical, chained
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.examination import Examination, examine, exported
from tests.house.source import ROOT
from tests.unit.runtime.signed import SQL, Chained, chained_folder

RECORDS = 6


def published() -> ModuleType:
    """The verifier as people download it."""
    spec = importlib.util.spec_from_file_location("verify_audit", ROOT / "docs" / "verify_audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def examined(chain: Chained, *, key: str | None = None) -> Examination:
    with closing(chain.open()) as connection:
        connection.execute("BEGIN")
        return examine(ConnectionReader(connection, SQL), chain.heads, key=key)


@pytest.fixture
def chain(tmp_path: Path) -> Chained:
    """A folder with six records and three heads: one after every two records."""
    return chained_folder(tmp_path, records=RECORDS, every=2)


def flips(value: object, *, bits: tuple[int, ...] = (0x01, 0x80)) -> Iterator[bytes | int]:
    """Every value that differs from ``value`` in one byte: in its lowest bit, or its highest."""
    number = isinstance(value, int)
    if isinstance(value, int):
        content = value.to_bytes(8, "big", signed=True)
    else:
        assert isinstance(value, str | bytes)
        content = value.encode() if isinstance(value, str) else value
    for place in range(len(content)):
        for bit in bits:
            flipped = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            yield int.from_bytes(flipped, "big", signed=True) if number else flipped


def test_an_untouched_chain_holds_and_is_covered(chain: Chained) -> None:
    found = examined(chain)
    assert found.findings == ()
    assert found.records == {"paper": RECORDS}
    assert found.covered == {"paper": RECORDS}
    assert found.heads == 3
    assert len(found.keys) == 1


def test_a_flipped_byte_of_any_column_of_any_record_is_found_and_the_record_named(
    chain: Chained,
) -> None:
    tried = 0
    with closing(chain.open()) as connection:
        reader = ConnectionReader(connection, SQL)
        for sequence in range(1, RECORDS + 1):
            for column in ("partition", "sequence", "at", "kind", "actor", "record", "hash"):
                (value,) = connection.execute(
                    f"SELECT {column} FROM audit WHERE sequence = ?", (sequence,)
                ).fetchone()
                cast = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
                for flipped in flips(value):
                    connection.execute("BEGIN")
                    try:
                        connection.execute(
                            f"UPDATE audit SET {column} = {cast} WHERE sequence = ?",
                            (flipped, sequence),
                        )
                        named = {
                            (one.partition, one.record)
                            for one in examine(reader, chain.heads).findings
                        }
                    except sqlite3.IntegrityError:
                        # The sequence of another record: the database itself refuses two of one.
                        assert column == "sequence"
                        named = {("paper", sequence)}
                    finally:
                        connection.execute("ROLLBACK")
                    # A record moved before the first is where the order breaks first.
                    first = 1 if isinstance(flipped, int) and flipped < 1 else sequence
                    first = first if column == "sequence" else sequence
                    assert ("paper", first) in named, (column, flipped)
                    tried += 1
    assert tried > 2_000


def test_a_flipped_byte_of_any_head_in_the_database_is_found(chain: Chained) -> None:
    with closing(chain.open()) as connection:
        reader = ConnectionReader(connection, SQL)
        for number in (1, 2, 3):
            for column in ("number", "line"):
                (value,) = connection.execute(
                    f"SELECT {column} FROM signed_heads WHERE number = ?", (number,)
                ).fetchone()
                for flipped in flips(value):
                    connection.execute("BEGIN")
                    try:
                        connection.execute(
                            f"UPDATE signed_heads SET {column} = ? WHERE number = ?",
                            (flipped, number),
                        )
                        found = examine(reader, chain.heads).findings
                    except sqlite3.IntegrityError:
                        assert column == "number"
                    else:
                        assert any(one.head is not None for one in found), (column, flipped)
                    finally:
                        connection.execute("ROLLBACK")


def test_a_flipped_byte_of_the_file_of_heads_is_found_also_by_the_published_verifier(
    chain: Chained, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = published()
    whole = chain.heads.read_bytes()
    assert verify.main(str(chain.core), str(chain.heads)) == 0
    with closing(chain.open()) as connection:
        reader = ConnectionReader(connection, SQL)
        for flipped in flips(whole, bits=(0x01,)):
            assert isinstance(flipped, bytes)
            chain.heads.write_bytes(flipped)
            assert examine(reader, chain.heads).findings, flipped
            # Without the table, a last line that is not ended cannot be told from one cut short.
            if flipped[:-1] != whole[:-1]:
                assert verify.verify_heads(chain.heads, None)[1], flipped
    capsys.readouterr()


@pytest.mark.parametrize("kept", range(RECORDS))
def test_a_shortened_chain_is_found_and_its_first_missing_record_named(
    chain: Chained, kept: int
) -> None:
    with closing(chain.open()) as connection:
        connection.execute("DELETE FROM audit WHERE sequence > ?", (kept,))
    [finding] = examined(chain).findings
    assert (finding.partition, finding.record) == ("paper", kept + 1)


def test_a_chain_rewritten_with_right_hashes_is_found_by_its_heads(
    chain: Chained, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(chain.open()) as connection:
        head = GENESIS
        for sequence, text in connection.execute(
            "SELECT sequence, record FROM audit ORDER BY sequence"
        ).fetchall():
            forged = bytes(text).replace(b'"n":4', b'"n":9')
            head = chained(head, forged)
            connection.execute(
                "UPDATE audit SET record = ?, hash = ? WHERE sequence = ?", (forged, head, sequence)
            )
    [finding] = examined(chain).findings
    assert (finding.partition, finding.record) == ("paper", 4)
    assert published().main(str(chain.core)) == 0
    assert published().main(str(chain.core), str(chain.heads)) == 1
    assert "record 4 is not what was signed" in capsys.readouterr().out


def test_heads_of_another_key_are_told_from_those_of_the_key_asked_for(chain: Chained) -> None:
    [key] = examined(chain).keys
    assert examined(chain, key=key).findings == ()
    other = examined(chain, key="0" * 64)
    assert [one.head for one in other.findings] == [1, 2, 3]


def test_an_exported_chain_is_verified_as_the_database_is(
    chain: Chained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "audit.jsonl"
    with closing(chain.open()) as connection:
        lines = list(exported(ConnectionReader(connection, SQL)))
    export.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    verify = published().main
    assert verify(str(export), str(chain.heads)) == 0
    export.write_text(export.read_text("utf-8").replace('n\\":3', 'n\\":7'), encoding="utf-8")
    assert verify(str(export), str(chain.heads)) == 1
    assert "paper: record 3 does not follow" in capsys.readouterr().out


def test_the_published_verifier_is_short_and_needs_nothing_but_python(
    chain: Chained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "verify_audit.py").read_text("utf-8")
    assert len(text.splitlines()) < 100
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert published().main(str(chain.core), str(chain.heads)) == 0
    assert "signatures NOT checked" in capsys.readouterr().out


@given(st.integers(1, 3 * HEAD_EVERY))
def test_every_thousandth_record_is_due_for_signing_once(records: int) -> None:
    chain = AuditChain()
    chain.load({"paper": (records, GENESIS)})
    for _ in range(HEAD_EVERY):
        chain.append("paper", step=1, at=0, kind="k", actor="a", body={})
    [(partition, sequence, digest)] = chain.take_due()
    assert (partition, sequence % HEAD_EVERY) == ("paper", 0)
    assert records < sequence <= records + HEAD_EVERY
    assert len(digest) == 32
    assert chain.take_due() == []


def test_a_record_has_one_text() -> None:
    record = Record(
        partition="p", sequence=1, step=1, at=0, kind="k", actor="a", body={"b": 1, "a": "é"}
    )
    assert (
        canonical(record)
        == (
            '{"actor":"a","at":0,"body":{"a":"é","b":1},"kind":"k","partition":"p",'
            '"sequence":1,"step":1}'
        ).encode()
    )
