"""What the program offers is in the documents, and what the documents name is in the program."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.model import Code
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import Message, Number
from quarterdeck.runtime.config import Config
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.database import CAPABILITIES
from quarterdeck.runtime.policy import Operation, Permission, Topic
from quarterdeck.server.tools import TELLINGS
from tests.house.source import PACKAGE, ROOT, classes, functions, modules, parsed, shown, told

import docs.generate as generated  # isort: skip

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
PEOPLE_READ = (
    ROOT / "README.md",
    ARCHITECTURE,
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
# Python's and the database's words, which no file of ours defines.
BORROWED = {"None", "Decimal", "EPOCH_CHANGED", "STOP"}


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _reference() -> str:
    return "\n".join(_text(path) for path in sorted(REFERENCE.glob("*.md")))


def _absent(names: list[str], text: str) -> list[str]:
    return [name for name in names if f"`{name}`" not in text]


def _page(name: str) -> str:
    path = REFERENCE / name
    assert path.exists(), f"write {shown(path)}"
    return _text(path)


@cache
def _models() -> tuple[object, ...]:
    return tuple(
        importlib.import_module(f"quarterdeck.{name}.model")
        for name in CAPABILITIES
        if _is_there(name, "model")
    )


@cache
def _messages() -> tuple[type[Message], ...]:
    _models()
    ours = (one for one in Message.__subclasses__() if one.__module__.startswith("quarterdeck."))
    return tuple(sorted(ours, key=lambda one: one.__name__))


@cache
def _operations() -> tuple[Operation, ...]:
    apis = [f"quarterdeck.{name}.api" for name in CAPABILITIES if _is_there(name, "api")]
    found: list[Operation] = []
    for name in (*apis, "quarterdeck.server.desk.api"):
        found += importlib.import_module(name).OPERATIONS
    return tuple(found)


def _is_there(capability: str, part: str) -> bool:
    return any(
        (PACKAGE / capability / name).exists() for name in (f"{part}.py", f"{part}/__init__.py")
    )


def _numbers() -> list[str]:
    found: list[Number] = []
    for model in _models():
        found += getattr(model, "PUBLISHED", ())
    return [number.name for number in found]


@pytest.mark.parametrize("name", generated.pages())
def test_a_generated_page_says_what_the_program_says(name: str) -> None:
    made = generated.pages()[name]()
    assert _text(DOCS / name) == made, f"docs/{name}: run .venv/bin/python docs/generate.py"


def test_every_argument_of_a_command_is_explained() -> None:
    rows = re.findall(r"^\| `(?:[^`])+` \| (.*) \|$", generated.commands(), re.MULTILINE)
    unexplained = [row for row in rows if not row.strip() or row.lstrip().startswith("(")]
    assert len(rows) > 300
    assert unexplained == []


def test_every_configuration_key_has_a_meaning_and_every_meaning_a_key() -> None:
    assert {name for name, _, _ in generated.every_key()} == set(generated.MEANINGS)


@pytest.mark.parametrize(
    "key", ["paper.capital", "limits.max_order_notional", "limits.max_position_notional"]
)
def test_an_amount_is_bounded_as_the_reference_says(key: str) -> None:
    section, _, name = key.partition(".")
    assert generated.DECIMAL_BOUNDS == "above 0, at most 1e9"
    config = parse_config({section: {name: "1e9"}})
    assert getattr(getattr(config, section), name) == Decimal(10**9)
    for beyond in ("0", "-1", "1000000000.01", "NaN"):
        with pytest.raises(InvalidInput, match=name):
            parse_config({section: {name: beyond}})


def _dotted(table: dict[str, object], at: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, at=f"{at}{key}.")
        else:
            yield f"{at}{key}"


def test_the_shipped_configuration_shows_every_key_with_its_default() -> None:
    shipped = (PACKAGE / "data" / "quarterdeck.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(shipped)
    assert raw["agents"].pop("schedule")
    assert raw.pop("alerts")["rules"]
    assert raw["limits"].pop("levels")
    assert parse_config(raw) == Config()
    shown_keys = set(_dotted(raw))
    lists = {
        "risk.scenarios", "agents.schedule", "alerts.rules", "limits.levels", "limits.clusters", "portfolio.benchmark",
        "portfolio.sectors", "portfolio.mandates", "portfolio.allocation", "paper.models",
    }  # fmt: skip
    assert shown_keys == {name for name in generated.MEANINGS if "[]" not in name} - lists


def test_every_published_number_is_in_the_reference() -> None:
    assert _absent(_numbers(), _page("alerts.md")) == []


def test_every_refusal_code_of_the_gate_is_in_the_reference() -> None:
    assert _absent([code.value for code in Code], _page("gate.md")) == []


def test_the_readme_counts_the_controls() -> None:
    assert f"{len(CONTROLS)} controls judge every order" in _text(ROOT / "README.md")


def test_every_permission_is_in_the_reference() -> None:
    assert _absent([permission.value for permission in Permission], _reference()) == []


def test_every_route_is_in_the_reference() -> None:
    page = _page("http.md")
    # By name, or as people type it; the version's prefix may be said once for all.
    missing = [
        f"{one.name}: {one.method} {one.path}"
        for one in _operations()
        if not re.search(rf"{one.method}\W+(?:/api/v1)?{re.escape(one.path)}(?![\w/{{])", page)
    ]
    assert missing == []


def test_every_tool_stands_beside_its_route_and_in_the_page_for_agents() -> None:
    rows = re.findall(
        r"^\| `([A-Z]+ /[^`]*)` \| [^|]+ \| ([^|]*) \|", _page("http.md"), re.MULTILINE
    )
    told_of = {route: tool.strip() for route, tool in rows}
    for one in _operations():
        beside = f"`{one.tool}`" if one.tool else ""
        assert told_of[f"{one.method} {one.path}"] == beside, one.name
    assert _absent(sorted(TELLINGS), _text(DOCS / "how-to" / "connect-an-agent.md")) == []


def test_the_tools_that_can_tell_all_are_in_the_reference() -> None:
    told_of = re.search(r'`detail: "full"` on (.+?) gives', _page("http.md"), re.DOTALL)
    assert told_of is not None
    full = {name for name, telling in TELLINGS.items() if telling.detail}
    assert set(CODE_SPAN.findall(told_of.group(1))) == full


def test_every_live_topic_is_in_the_reference() -> None:
    streams = importlib.import_module("quarterdeck.server.live.streams")
    topics: tuple[Topic, ...] = streams.TOPICS
    assert _absent([topic.name for topic in topics], _page("http.md")) == []


def _table_of_messages() -> dict[str, tuple[str, str]]:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", _text(ARCHITECTURE), re.MULTILINE
    )
    return {name: (said_by, heard_by) for name, said_by, heard_by in rows}


def _routes() -> dict[str, str]:
    """Who hears what, as the composition root writes it: read, not run."""
    table = next(
        node.value
        for path in sorted((PACKAGE / "app").glob("*.py"))
        for function in functions(path)
        if function.name == "routes_of_a_step"
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
    )
    routes = {}
    for said, hearers in zip(table.keys, table.values, strict=True):
        assert isinstance(said, ast.Name)
        assert isinstance(hearers, ast.Tuple)
        names = [ast.unparse(hear).split(".")[-2] for hear in hearers.elts]
        routes[said.id] = ", ".join(names)
    return routes


def test_every_message_is_in_the_table_with_who_says_it() -> None:
    table = _table_of_messages()
    assert sorted(table) == [message.__name__ for message in _messages()]
    # The feed speaks the market's language, and numbers are everybody's.
    others = {"SliceArrived": "the feed", "NumbersPublished": "every capability"}
    for message in _messages():
        said_by = others.get(message.__name__, message.__module__.split(".")[1])
        assert table[message.__name__][0].startswith(said_by), message.__name__


def test_the_table_of_messages_is_the_order_of_a_step() -> None:
    routes = _routes()
    for message, (_, heard_by) in _table_of_messages().items():
        assert heard_by == routes.get(message, "nobody"), message


@cache
def _defined() -> dict[str, set[str]]:
    """Every class of the package, with the names it defines."""
    found: dict[str, set[str]] = {}
    for path in modules():
        for node in classes(path):
            names = found.setdefault(node.name, set())
            for part in ast.walk(node):
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    names.add(part.name)
                elif isinstance(part, ast.AnnAssign):
                    names.add(ast.unparse(part.target).removeprefix("self."))
                elif isinstance(part, ast.Assign):
                    names |= {ast.unparse(one).removeprefix("self.") for one in part.targets}
    return found


@cache
def _top_level() -> frozenset[str]:
    found: set[str] = set()
    for path in modules():
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Assign):
                found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(found)


def _names_in(path: Path) -> Iterator[str]:
    for span in CODE_SPAN.findall(_text(path)):
        name = re.match(r"[A-Za-z_][\w.]*", span)
        if name is not None and name.group() in (span, span.split("(")[0]):
            yield name.group()


def test_the_architecture_names_what_exists() -> None:
    unknown = []
    for name in _names_in(ARCHITECTURE):
        owner, _, part = name.partition(".")
        if not owner[:1].isupper() or owner in BORROWED:
            continue
        exists = part in _defined().get(owner, set()) if part else owner in _top_level()
        is_message_or_word = owner in _defined() and not part
        if not exists and not is_message_or_word and owner not in Code.__members__:
            unknown.append(name)
    # J, K and V are the letters of the state, and StepKind's words are lower case.
    assert not set(unknown) - {"J", "K", "V"}, told("ARCHITECTURE.md names", sorted(set(unknown)))


@pytest.mark.parametrize("document", PEOPLE_READ, ids=shown)
def test_every_source_file_that_a_document_names_exists(document: Path) -> None:
    named = {
        span
        for span in CODE_SPAN.findall(_text(document))
        if re.fullmatch(r"[\w./-]+/[\w.-]+\.(?:py|sql|toml|md|parquet)", span)
    }
    places = (PACKAGE, ROOT, DOCS, document.parent, ROOT / "web")
    assert [name for name in sorted(named) if not any((at / name).exists() for at in places)] == []


def _code_in(text: str) -> Iterator[str]:
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line
        else:
            yield from CODE_SPAN.findall(line)


@pytest.mark.parametrize("document", PEOPLE_READ, ids=shown)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    page = generated.commands()
    known = set(re.findall(r"^## `quarterdeck ([a-z ]+)`$", page, re.MULTILINE))
    unknown = []
    for line in _code_in(_text(document)):
        for name in re.findall(r"(?:^|\s|/)quarterdeck ([a-z]+)(?=\s|$)", line):
            # A folder is called so as well.
            if name not in known and not re.search(
                rf"(?:clone|http|cd|import) .*quarterdeck {name}", line
            ):
                unknown.append(line.strip())
        options = re.findall(r"\s(--[a-z-]+)", line) if "scripts/run" in line else []
        demo = page.split("## `quarterdeck demo`")[1].split("## `quarterdeck serve`")[0]
        unknown += [f"scripts/run {option}" for option in options if f"`{option}" not in demo]
    assert unknown == []


def test_the_measurement_of_decision_4_is_what_its_page_says() -> None:
    page = _text(DOCS / "why" / "0004-checkpoints-never-warm-from-a-ring.md")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    measured: dict[str, object] = {}
    exec(code.group(1), measured)
    differing, ends = measured["differing"], measured["ends"]
    assert isinstance(differing, dict)
    assert isinstance(ends, range)
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) of ([\d,]+) \|$", page, re.MULTILINE)
    assert len(rows) == 5
    for name, count, of in rows:
        assert (count, of) == (f"{differing[name]:,}", f"{len(ends):,}"), name


def test_every_tool_that_an_operation_names_is_told_to_agents() -> None:
    named = {one.tool for one in _operations() if one.tool is not None}
    assert sorted(named - set(TELLINGS)) == []
