"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.house.source import ROOT, shown

DOCUMENTS = tuple(
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
)
SCRIPTS = tuple(
    path for path in sorted((ROOT / "scripts").iterdir()) if not path.name.startswith("_")
)
ANCHORED = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "scripts/run" in readme
    assert "scripts/test" in readme


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_runs_and_is_explained(script: Path) -> None:
    assert os.access(script, os.X_OK), f"chmod +x {shown(script)}"
    documents = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
    )
    assert shown(script) in documents


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_script_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"\bscripts/\w+", document.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_link_into_a_page_leads_to_a_heading(document: Path) -> None:
    lost = [
        f"{page}#{anchor}"
        for page, anchor in ANCHORED.findall(document.read_text(encoding="utf-8"))
        if anchor not in _anchors(document.parent / page if page else document)
    ]
    assert lost == []


def test_no_file_tells_where_it_was_written() -> None:
    here = str(ROOT)
    telling = [
        shown(path)
        for path in (*DOCUMENTS, *SCRIPTS, ROOT / "pyproject.toml", ROOT / ".ci" / "run")
        if here in path.read_text(encoding="utf-8")
    ]
    assert telling == []
