"""Another program goes on with a run: the same run only, only if it is whole, and it says so."""

from __future__ import annotations

import sqlite3

from quarterdeck.app.invariants.folding import folded
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.database import SCHEMA_VERSION, Sql
from quarterdeck.runtime.manifest import Manifest, recorded
from quarterdeck.runtime.program import Program, other_settings, predecessor
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader
from quarterdeck.runtime.upgrade import unlike


def insist_same_tables(connection: sqlite3.Connection, sql: Sql) -> None:
    """Raise unless the tables are those of ``store.sql``: between two versions they change unnumbered."""
    other = unlike(connection, sql)
    if other is not None:
        raise InvalidInput(
            f"core.db has schema version {SCHEMA_VERSION}, but {other} is of an unreleased state of it; "
            "start the program that made it, or begin anew with --fresh",
            code="OTHER_SCHEMA",
            field="data-dir",
            value=other,
            accepted="the tables of this version",
        )


def insist_whole(reader: Reader) -> None:
    """Raise unless every rule holds, folded from the first row: another program trusts nothing."""
    for violation in folded(reader):
        raise InvalidInput(
            "another version of the program made this run, and it goes on only with one that is whole: "
            f"{violation.rule}: {violation.text}; restore a backup, or start with --fresh",
            code="STATE_DAMAGED",
            field="data-dir",
            value=violation.rule,
            accepted="a run in which every rule holds",
        )


def accept(reader: Reader, *, wanted: Manifest, present: Program) -> None:
    """Raise unless the run in a database of an earlier schema is the ``wanted`` one and whole."""
    found = recorded(reader)
    if found:
        predecessor(reader, found, wanted=wanted, present=present)
    insist_whole(reader)


def succeed(step: Step, before: Program, present: Program) -> None:
    """Write down who goes on from here, and record what is another than before."""
    step.write("runtime.program_saved", step=step.number, **present.entries())
    step.record(
        "paper",
        "program_changed",
        before=_told(before),
        now=_told(present),
        settings=other_settings(before.config, present.config),
    )


def _told(program: Program) -> dict[str, object]:
    return {name: value for name, value in program.entries().items() if name != "config"}
