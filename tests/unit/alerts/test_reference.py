"""The reference page names every field of a rule and every published number, as they are.

Run this file as a program to write the page's two tables anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from quarterdeck.agents.model import PUBLISHED as AGENTS
from quarterdeck.alerts.core.rules import MAX_FOR_BARS, MAX_NOTE, MAX_SUBJECT, MAX_TEXT
from quarterdeck.alerts.model import Comparison, Rule
from quarterdeck.alerts.service import MAX_OPEN, MAX_RULES, RESERVED_OPEN
from quarterdeck.execution.model import PUBLISHED as EXECUTION
from quarterdeck.kernel.vocabulary import AlertCategory, Severity
from quarterdeck.market.model import PUBLISHED as MARKET
from quarterdeck.performance.model import PUBLISHED as PERFORMANCE
from quarterdeck.portfolio.model import PUBLISHED as PORTFOLIO
from quarterdeck.regime.model import PUBLISHED as REGIME
from quarterdeck.risk.model import PUBLISHED as RISK
from quarterdeck.runtime.config import AlertRuleEntry
from quarterdeck.server.desk.condition import PUBLISHED as SYSTEM

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "alerts.md"
NUMBERS = (*MARKET, *REGIME, *RISK, *PORTFOLIO, *AGENTS, *EXECUTION, *PERFORMANCE, *SYSTEM)
MEANING = {
    "rule_id": "its name: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, the first a letter or digit",
    "category": f"one of {', '.join(f'`{one.value}`' for one in AlertCategory)}",
    "severity": f"one of {', '.join(f'`{one.value}`' for one in Severity)}",
    "number": "a published number, from the catalogue below",
    "comparison": f"{' or '.join(f'`{one.value}`' for one in Comparison)}: the side of the"
    " threshold that is bad; a value equal to the threshold is not beyond it",
    "threshold": "where the bad side begins, in the number's unit; finite",
    "clear": "where the number counts as back: at or below it for `above`, at or above it for"
    " `below`; not on the bad side of the threshold; omitted means the threshold",
    "for_bars": f"how many values in a row must be beyond, 1 to {MAX_FOR_BARS:,}",
    "subject": f"the one instrument or agent it watches, at most {MAX_SUBJECT} characters;"
    " omitted means each on its own",
    "text": f"what the episode says, at most {MAX_TEXT} characters on one line; empty means what"
    " was seen",
}


def fields_table() -> str:
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    for field in msgspec.structs.fields(Rule):
        default = (
            "required" if field.required else f"`{msgspec.json.encode(field.default).decode()}`"
        )
        lines.append(f"| `{field.name}` | {default} | {MEANING[field.name]} |")
    return "\n".join(lines)


def numbers_table() -> str:
    lines = ["| number | unit | one value for each | meaning |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{number.name}` | {number.unit} | {number.subject} | {number.meaning} |"
        for number in sorted(NUMBERS, key=lambda one: one.name)
    ]
    return "\n".join(lines)


TABLES = {"fields": fields_table, "numbers": numbers_table}


def block(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<=<!-- {name}: written by tests/unit/alerts/test_reference.py -->\n)"
        rf".*?(?=\n<!-- end of {name} -->)",
        re.DOTALL,
    )


@pytest.mark.parametrize("name", TABLES)
def test_the_page_says_what_the_code_says(name: str) -> None:
    found = block(name).search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found.group() == TABLES[name](), f"run python {Path(__file__).name} in its folder"


def test_the_page_names_the_bounds() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for bound in (MAX_RULES, MAX_OPEN, RESERVED_OPEN, MAX_NOTE):
        assert f"{bound:,}" in page


def test_every_number_has_its_own_name_and_says_whose_it_is() -> None:
    names = [number.name for number in NUMBERS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9_]+", name) for name in names)
    assert {number.subject for number in NUMBERS} <= {
        "instrument",
        "agent",
        "invariant",
        "mandate",
        "deck",
    }


def test_the_configuration_knows_the_same_fields() -> None:
    rule = [(field.name, field.default) for field in msgspec.structs.fields(Rule)]
    entry = [(field.name, field.default) for field in msgspec.structs.fields(AlertRuleEntry)]
    assert entry == rule


if __name__ == "__main__":
    written = PAGE.read_text(encoding="utf-8")
    for table, render in TABLES.items():
        found = block(table).search(written)
        assert found is not None, table
        written = written[: found.start()] + render() + written[found.end() :]
    PAGE.write_text(written, encoding="utf-8")
