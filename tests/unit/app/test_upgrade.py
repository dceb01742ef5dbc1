"""A run of an earlier version goes on with this one, or stays exactly as it was."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec
import pytest

from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.app.deck import Deck
from quarterdeck.app.invariants.folding import folded
from quarterdeck.app.plan import EMBEDDED, Plan
from quarterdeck.cli import main
from quarterdeck.execution.model import SubmitOrder
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.kernel.vocabulary import OrderType, Side
from quarterdeck.runtime import backup, database
from quarterdeck.runtime.audit import verified
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.config_file import shipped_config
from quarterdeck.runtime.database import SCHEMA_VERSION, ConnectionReader, load_sql
from quarterdeck.runtime.folder import BEFORE_UPGRADE, DataFolder
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.manifest import recorded, run_of
from quarterdeck.runtime.pacer import MIN_SPEED
from quarterdeck.runtime.program import Program, programs
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.runtime.upgrade import unlike
from tests.crash.disk import Disk, PowerLoss
from tests.crash.faults import Fault, silenced
from tests.crash.files import our_files
from tests.unit.app.decks import admitted
from tests.unit.execution.deck import agent_caller

VERSION_1 = Path(__file__).with_name("version_1.sql")
"""A run as schema version 1 left it: 33 slices, an agent with a fill and a resting order, a stop."""
SQL = load_sql()
KEPT = ("execution_orders", "execution_fills", "execution_ledger", "execution_accounts", "answer")
SAMPLES = 25


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data folder as version 1 left it."""
    return old_folder(tmp_path / "deck")


def old_folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    with closing(sqlite3.connect(path / "core.db", isolation_level=None)) as connection:
        connection.executescript(VERSION_1.read_text("utf-8"))
        connection.execute("PRAGMA user_version=1")
        digest = feed().digest
        connection.execute("UPDATE manifest SET value = ? WHERE key = 'feed_digest'", (digest,))
        heads = connection.execute("SELECT line FROM signed_heads ORDER BY number").fetchall()
    (path / "audit.heads").write_bytes(b"".join(bytes(line) + b"\n" for (line,) in heads))
    flag = StopFlag(path / "stop.flag")
    flag.open(new_run=True)
    flag.raise_()
    flag.close()
    return path


def feed():  # type: ignore[no-untyped-def]
    start, end = (parse_rfc3339(f"2005-{day}T00:00:00Z") for day in ("01-03", "03-15"))
    return open_replay(None, symbols=("AAPL", "MSFT"), start=start, end=end)


def plan_in(folder: DataFolder, **changed: object) -> Plan:
    shipped = shipped_config()
    config = msgspec.structs.replace(
        shipped,
        server=msgspec.structs.replace(shipped.server, port=0),
        run=msgspec.structs.replace(shipped.run, warm_up_bars=20, **changed),
    )
    return Plan(
        config=config, folder=folder, feed=feed(), source=EMBEDDED, speed=MIN_SPEED,
        members=("breakout",), any_port=True,
    )  # fmt: skip


def lived(path: Path, look: Callable[[Deck], object] = lambda _: None, **changed: object) -> Deck:
    with DataFolder(path) as folder:
        deck = Deck(plan_in(folder, **changed), kernel_digest="of this version")

        async def talk() -> None:
            deck.engine.pacer.pause()
            found = look(deck)
            if asyncio.iscoroutine(found):
                await found
            deck.quit()

        asyncio.run(deck.run(talk))
        return deck


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what version 1 knew."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(VERSION_1.read_text("utf-8"))
        columns = {
            table: ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            for table in KEPT
        }
    return {
        table: rows(path, f"SELECT {columns[table]} FROM {table} ORDER BY 1, 2") for table in KEPT
    }


def version_of(core: Path) -> object:
    return rows(core, "PRAGMA user_version")[0][0]


def test_a_run_of_version_1_goes_on_with_all_it_held(old: Path) -> None:
    core = old / "core.db"
    before = contents(core)

    def look(deck: Deck) -> None:
        assert deck.engine.journal.upgraded
        assert deck.guard.found == ()
        assert deck.recovery.before is not None
        assert deck.recovery.before.kernel_digest == "of version 1"
        assert deck.stop_state().stopped

    deck = lived(old, look)
    assert version_of(core) == SCHEMA_VERSION
    after = contents(core)
    assert all(set(before[table]) <= set(after[table]) for table in KEPT)
    with closing(database.connect(core, read_only=True)) as connection:
        reader = ConnectionReader(connection, SQL)
        assert unlike(connection, SQL) is None
        assert deck.engine.sequencer.run == run_of(recorded(reader))
        assert [(step, one.version) for step, one in programs(reader)] == [
            (1, "0.1.0"),
            (40, deck.engine.program.version),
        ]
        assert folded(reader) == ()
        assert verified(reader)["paper"][1] is None
        record = json.loads(
            connection.execute(
                "SELECT record FROM audit WHERE kind = 'program_changed'"
            ).fetchone()[0]
        )
    assert record["body"]["before"]["code_digest"].startswith("e073668a")
    assert record["body"]["now"]["schema_version"] == SCHEMA_VERSION
    kept = old / BEFORE_UPGRADE
    assert version_of(kept / "core.db") == 1
    assert contents(kept / "core.db") == before
    assert (kept / "audit.heads").exists()
    assert (kept / "stop.flag").exists()
    # The same program again is nobody new.
    assert lived(old).recovery.before is None
    assert len(rows(core, "SELECT * FROM program")) == 2


def test_the_copy_is_a_data_folder_of_its_own(old: Path) -> None:
    lived(old)
    again = lived(old / BEFORE_UPGRADE)
    assert again.engine.journal.upgraded
    assert contents(old / BEFORE_UPGRADE / "core.db") == contents(old / "core.db")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE execution_ledger SET amount_units = amount_units + 1 WHERE number = 3",
            "double entry",
        ),
        ("DELETE FROM step WHERE number = 7", "step"),
        ("UPDATE audit SET record = X'7B7D' WHERE sequence = 2", "audit"),
        ("ALTER TABLE step ADD COLUMN more TEXT", "step is not what schema version"),
        ("UPDATE manifest SET value = '7' WHERE key = 'seed'", "holds another run: seed"),
        ("PRAGMA user_version=99", "a later version of this program"),
    ],
)
def test_what_is_not_whole_or_another_run_is_refused_and_stays_as_it_was(
    old: Path, damage: str, told: str
) -> None:
    core = old / "core.db"
    with closing(sqlite3.connect(core)) as connection:
        connection.execute(damage)
        connection.commit()
        before = list(connection.iterdump())
    with pytest.raises(DomainError, match=told):
        lived(old)
    with closing(sqlite3.connect(core)) as connection:
        assert list(connection.iterdump()) == before
    assert version_of(core) == (99 if "99" in damage else 1)
    assert not (old / BEFORE_UPGRADE).exists()


def test_wherever_power_is_lost_the_old_database_is_there_or_the_new_one(tmp_path: Path) -> None:
    old, disk = old_folder(tmp_path / "deck"), Disk()
    core = old / "core.db"
    before, at_first = contents(core), core.read_bytes()
    upgraded(old, disk=disk)
    # The copy has files of its own, and a name of its own while it is made.
    events = [each for each in disk.events if each.file.startswith("core.db")]
    power, chance, seen = PowerLoss(events), random.Random(3), set()
    power.holds("core.db", at_first)
    for point in range(len(events) + 1):
        power.advance(point)
        image = tmp_path / "image"
        power.image(image, chance)
        with closing(database.connect(image / "core.db", synchronous="OFF")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            version = database.schema_version(connection)
            there = unlike(connection, SQL) is None
        assert (version, there) in ((1, False), (SCHEMA_VERSION, True)), f"after event {point}"
        assert contents(image / "core.db") == before
        seen.add(version)
        shutil.rmtree(image)
    assert seen == {1, SCHEMA_VERSION}


def upgraded(old: Path, *, disk: Disk | None = None, fault: Fault | None = None) -> None:
    """Open and close the journal on a watched disk."""
    fault = fault or Fault()
    disk = disk or Disk(before=fault.before, before_ours=fault.before_ours)

    async def opened() -> None:
        journal = Journal(
            old / "core.db",
            sql=SQL,
            clock=SystemClock(),
            on_commit=lambda *_: None,
            connect=disk.connect,
        )
        async with journal:
            assert journal.upgraded or fault.nth == 0

    with our_files(old, disk):
        asyncio.run(opened())


def test_whichever_call_fails_the_next_start_goes_on_with_everything(tmp_path: Path) -> None:
    undisturbed = Fault()
    upgraded(old_folder(tmp_path / "counted"), fault=undisturbed)
    chosen = random.Random(5).sample(range(1, undisturbed.calls + 1), SAMPLES)
    seen = set()
    for nth in sorted(chosen):
        old, fault = old_folder(tmp_path / f"deck-{nth}"), Fault(nth)
        before = contents(old / "core.db")
        # SQLite may go on after a failure that matters to nobody.
        with silenced(), suppress(DomainError, OSError, apsw.Error):
            upgraded(old, fault=fault)
        seen.add(fault.failed.split()[0])
        upgraded(old)
        assert version_of(old / "core.db") == SCHEMA_VERSION
        assert contents(old / "core.db") == before
        assert not (old / f"{BEFORE_UPGRADE}.partial").exists()
        shutil.rmtree(old)
    assert {"open", "write"} <= seen


def test_another_program_with_the_same_tables_goes_on_and_is_recorded(old: Path) -> None:
    lived(old)
    as_if_by_another(old, version="0.0.9")
    deck = lived(old)
    assert deck.recovery.before is not None
    assert deck.recovery.before.version == "0.0.9"
    assert not deck.engine.journal.upgraded
    assert len(rows(old / "core.db", "SELECT * FROM program")) == 3


def as_if_by_another(old: Path, **entries: str) -> None:
    """Let the last program have been another, on a database that ended in order."""
    (old / "core.seal").unlink(missing_ok=True)
    with closing(sqlite3.connect(old / "core.db")) as connection:
        for name, value in {"code_digest": "another", **entries}.items():
            connection.execute(
                f"UPDATE program SET {name} = ? WHERE step = (SELECT max(step) FROM program)",
                (value,),
            )
        connection.commit()


def test_what_an_upgrade_sets_otherwise_is_on_record_with_both_values(old: Path) -> None:
    lived(old)
    with pytest.raises(Conflict, match="holds another run: config_digest"):
        lived(old, checkpoint_slices=9)
    known = json.loads(shipped_of(old))
    known["run"].pop("warm_up_bars")
    known["gone"] = 1
    as_if_by_another(old, config=json.dumps(known))
    lived(old, checkpoint_slices=9)
    (record,) = rows(
        old / "core.db",
        "SELECT CAST(record AS TEXT) FROM audit WHERE kind = 'program_changed'"
        " ORDER BY sequence DESC LIMIT 1",
    )
    assert json.loads(str(record[0]))["body"]["settings"] == {
        "gone": ["1", None],
        "run.checkpoint_slices": ["250", "9"],
        "run.warm_up_bars": [None, "20"],
    }


def test_events_of_risk_say_afterwards_whom_they_concern(old: Path) -> None:
    events = (("drawdown", "breakout"), ("coverage", "AAPL 99 %"), ("concentration", "deck"))
    with closing(sqlite3.connect(old / "core.db")) as connection:
        for number, (kind, subject) in enumerate(events, start=1):
            connection.execute(
                "INSERT INTO risk_events VALUES (?, ?, 1, 2, ?, 'error', ?, 0.5, 0.25, 'text')",
                (number, f"rsk-{number}", kind, subject),
            )
        connection.commit()
    upgraded(old)
    assert rows(old / "core.db", "SELECT scope, concerns, observed, response FROM risk_events") == [
        ("agent", "breakout", 0.5, "notify"),
        ("instrument", "AAPL", 0.5, "notify"),
        ("deck", "", 0.5, "notify"),
    ]


def shipped_of(old: Path) -> str:
    return str(rows(old / "core.db", "SELECT config FROM program ORDER BY step DESC LIMIT 1")[0][0])


def test_tables_of_an_unreleased_state_are_named_and_left_alone(old: Path) -> None:
    lived(old)
    as_if_by_another(old)
    with closing(sqlite3.connect(old / "core.db")) as connection:
        connection.execute("ALTER TABLE risk_marks ADD COLUMN draft TEXT")
    with pytest.raises(InvalidInput, match="risk_marks is of an unreleased state"):
        lived(old)


def test_another_program_does_not_go_on_with_damage(old: Path) -> None:
    lived(old)
    as_if_by_another(old)
    with closing(sqlite3.connect(old / "core.db")) as connection:
        connection.execute("UPDATE execution_accounts SET cash_units = cash_units + 1")
        connection.commit()
    with pytest.raises(InvalidInput, match="goes on only with one that is whole: cash is the ledg"):
        lived(old)


def test_an_answer_in_a_form_of_long_ago_is_said_to_be_so(old: Path) -> None:
    order = SubmitOrder(
        idempotency_key="first", symbol="AAPL", side=Side.BUY, quantity=Decimal(3),
        type=OrderType.MARKET,
    )  # fmt: skip

    async def again(deck: Deck) -> None:
        key = ("breakout", "first")
        kept = deck.engine.sequencer._answers[key]
        given = await admitted(
            lambda: deck.engine.sequencer.submit(order, agent_caller("breakout"))
        )
        assert given.repeated
        deck.engine.sequencer._answers[key] = (kept[0], b'{"order": 1}', *kept[2:])
        with pytest.raises(Conflict, match="by an earlier version"):
            await deck.engine.sequencer.submit(order, agent_caller("breakout"))
        deck.engine.sequencer._answers[key] = kept

    lived(old, again)


def test_commands_tell_an_earlier_schema_from_a_damaged_file(
    old: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["audit", "verify", "--data-dir", str(old)]) == 0
    assert main(["verify", "--data-dir", str(old)]) == 1
    assert "start the deck on it once" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "b"), "--data-dir", str(old)]) == 1
    assert "schema version 1" in capsys.readouterr().err
    lived(old)
    assert main(["verify", "--data-dir", str(old)]) == 0
    said = capsys.readouterr().out
    assert "from step 1 on: version 0.1.0, code e073668abab5" in said
    assert "from step 40 on" in said


def test_a_backup_of_an_earlier_schema_is_restored_and_then_upgraded(
    old: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    files = {}
    for name in ("core.db", "stop.flag", "audit.heads"):
        shutil.copyfile(old / name, taken / name)
        files[name] = backup._part(taken / name)
    made = backup.Backup(
        taken_at="2026-11-29T00:00:00Z", version="0.1.0", schema_version=1, step=39, slice=33,
        state_digest="of version 1", files=files,
    )  # fmt: skip
    made = msgspec.structs.replace(made, digest=made.own_digest())
    (taken / backup.MANIFEST).write_bytes(msgspec.json.encode(made))
    backup.restore(taken, tmp_path / "new", sql=SQL, fresh=False)
    assert lived(tmp_path / "new").engine.journal.upgraded


def test_a_program_is_the_same_only_with_the_same_code_and_kernels() -> None:
    one = Program(
        version="1", schema_version=2, code_digest="a", kernel_digest="b", config_digest="c",
        config=None,
    )  # fmt: skip
    assert one.same_code(msgspec.structs.replace(one, version="2", config_digest="d"))
    assert not one.same_code(msgspec.structs.replace(one, kernel_digest="d"))
