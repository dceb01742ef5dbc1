"""Which row lies at a place of a database file, read from the file itself.

Only for naming what is damaged: the file format of SQLite (https://sqlite.org/fileformat.html), as far
as it takes to find a page's table and a cell's key. Nothing here trusts what it reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.runtime.database import connect

TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x05, 0x0A, 0x02
FILE_HEADER = 100
"""Bytes before the first page's own header."""
_INTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass(frozen=True, slots=True)
class Tree:
    """A table or an index; ``keys`` is how many leading columns name a row, 0 for a row number."""

    name: str
    root: int
    keys: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One row on a page: where it begins and ends and its key.

    ``spilled`` is how much of it does not lie there but on a chain of pages from ``overflow`` on.
    """

    start: int
    end: int
    key: str
    overflow: int
    spilled: int


class Pages:
    """The pages of one file, by their numbers from 1 on."""

    def __init__(self, content: bytes, page_size: int) -> None:
        self._content = content
        self._size = page_size
        self._usable = page_size - content[20]
        self.last = len(content) // page_size

    def children(self, page: int) -> list[int]:
        """Return the pages that an inner page leads to."""
        at, kind = self._header(page)
        if kind not in (TABLE_INTERIOR, INDEX_INTERIOR):
            return []
        base = (page - 1) * self._size
        found = [self._int(base + start, 4) for start in self._starts(at, inner=True)]
        return [*found, self._int(at + 8, 4)]

    def cells(self, page: int, *, keys: int) -> list[Cell]:
        """Return the rows of a page in the order in which they lie; none of an inner table page."""
        at, kind = self._header(page)
        if kind not in (TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR):
            return []
        inner = kind == INDEX_INTERIOR
        starts = self._starts(at, inner=inner)
        return [
            self._cell(page, s, table=kind == TABLE_LEAF, inner=inner, keys=keys) for s in starts
        ]

    def chain(self, cell: Cell) -> Iterator[tuple[int, int]]:
        """Yield the pages of a row's overflow chain, each with the offset where its content ends."""
        page, left = cell.overflow, cell.spilled
        while left > 0 and 1 <= page <= self.last:
            held = min(left, self._usable - 4)
            yield page, 4 + held
            left -= held
            page = self._int((page - 1) * self._size, 4)

    def _header(self, page: int) -> tuple[int, int]:
        at = (page - 1) * self._size + (FILE_HEADER if page == 1 else 0)
        return at, self._content[at]

    def _starts(self, at: int, *, inner: bool) -> list[int]:
        pointers, cells = at + (12 if inner else 8), self._int(at + 3, 2)
        most = (self._size - 12) // 2
        found = (self._int(pointers + 2 * i, 2) for i in range(min(cells, most)))
        return sorted(start for start in found if start < self._size)

    def _cell(self, page: int, start: int, *, table: bool, inner: bool, keys: int) -> Cell:
        at = (page - 1) * self._size + start + (4 if inner else 0)
        payload, at = self._varint(at)
        key = ""
        if table:
            number, at = self._varint(at)
            key = str(number)
        local = self._local(payload, table=table)
        overflow = self._int(at + local, 4) if local < payload else 0
        end = at + local + (4 if overflow else 0) - (page - 1) * self._size
        named = key or self._record(at, keys=keys)
        return Cell(start, end, named, overflow, max(0, payload - local))

    def _local(self, payload: int, *, table: bool) -> int:
        """Return how much of a row lies on its own page."""
        usable = self._usable
        most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
        if payload <= most:
            return payload
        least = (usable - 12) * 32 // 255 - 23
        kept = least + (payload - least) % (usable - 4)
        return kept if kept <= most else least

    def _record(self, at: int, *, keys: int) -> str:
        header, next_type = self._varint(at)
        value, parts = at + header, []
        for _ in range(keys):
            kind, next_type = self._varint(next_type)
            size = _INTS.get(kind, 0) if kind < 12 else (kind - 12) // 2
            raw = self._content[value : value + size]
            if kind in (8, 9):
                parts.append(str(kind - 8))
            elif kind < 12:
                parts.append(str(int.from_bytes(raw, "big", signed=True)))
            else:
                parts.append(repr(raw[:80].decode(errors="backslashreplace")))
            value += size
        return ", ".join(parts)

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for i in range(9):
            byte = self._int(at + i, 1)
            if i == 8:
                return value << 8 | byte, at + 9
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + i + 1
        raise AssertionError("a loop of nine returns")

    def _int(self, at: int, size: int) -> int:
        return int.from_bytes(self._content[at : at + size], "big")


def row_at(path: Path, content: bytes, *, page_size: int, page: int, offset: int | None) -> str:
    """Return which row of ``path`` lies on ``page``, at ``offset`` of it if that is known."""
    try:
        trees = _trees(path)
    except sqlite3.DatabaseError:
        return f"page {page} (its tables cannot be listed)"
    pages = Pages(content, page_size)
    for tree in trees:
        for found in _walk(pages, tree.root):
            if found == page:
                return _told(tree, pages.cells(page, keys=tree.keys), offset=offset)
    for tree in trees:
        for found in _walk(pages, tree.root):
            for cell in pages.cells(found, keys=tree.keys):
                end = dict(pages.chain(cell)).get(page)
                if end is not None:
                    held = offset is None or offset < end
                    return f"{tree.name}: row {cell.key}" if held else f"{tree.name}: unused space"
    return f"page {page}, which no row uses"


def _told(tree: Tree, cells: list[Cell], *, offset: int | None) -> str:
    if not cells:
        return f"{tree.name}: a page that leads to its rows"
    before = [cell for cell in cells if offset is not None and cell.start <= offset]
    if before:
        held = offset is not None and offset < before[-1].end
        return f"{tree.name}: row {before[-1].key}" if held else f"{tree.name}: unused space"
    keys = {cell.key: None for cell in cells}
    return f"{tree.name}: one of {len(keys)} rows, among them {next(iter(keys))}"


def _trees(path: Path) -> list[Tree]:
    with closing(connect(path, read_only=True)) as connection:
        rows = connection.execute(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE rootpage > 0"
            " ORDER BY type DESC, name"
        ).fetchall()
        trees = [Tree("sqlite_schema", 1, 0)]
        for row in rows:
            table, keys = row["tbl_name"], 1
            if row["type"] == "table":
                columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
                whole = "WITHOUT ROWID" in row["sql"].upper()
                keys = sum(bool(column["pk"]) for column in columns) if whole else 0
            name = table if row["type"] == "table" else f"{table} (index {row['name']})"
            trees.append(Tree(name, row["rootpage"], keys))
    return trees


def _walk(pages: Pages, root: int) -> Iterator[int]:
    ahead, seen = [root], set[int]()
    while ahead:
        page = ahead.pop()
        if page in seen or not 1 <= page <= pages.last:
            continue
        seen.add(page)
        yield page
        ahead.extend(pages.children(page))
