"""Whoever changes a table also says how the tables of older runs become it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources

from quarterdeck.runtime.database import SCHEMA_VERSION, load_sql
from quarterdeck.runtime.upgrade import statements, unlike
from tests.house.source import ROOT

VERSION_1 = ROOT / "tests" / "unit" / "app" / "version_1.sql"


def test_every_schema_there_was_leads_to_the_tables_of_today() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.executescript(VERSION_1.read_text("utf-8"))
        for version in range(2, SCHEMA_VERSION + 1):
            for statement in statements(version):
                connection.execute(statement)
        other = unlike(connection, load_sql())
    assert other is None, (
        f"{other} of a store.sql is not what runtime/upgrades/ leads to: a change of tables is also a "
        f"statement in {SCHEMA_VERSION:04}.sql while that version is unreleased, then in a file of its own"
    )


def test_there_is_one_file_for_each_version_after_the_first() -> None:
    folder = resources.files("quarterdeck").joinpath("runtime", "upgrades")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    assert names == [f"{version:04}.sql" for version in range(2, SCHEMA_VERSION + 1)]
