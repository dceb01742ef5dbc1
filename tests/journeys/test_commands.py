"""Every command as people type it, with a deck and without: results, one-line refusals, exits."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.decks import (
    PATIENCE_S,
    RUN_S,
    STILL,
    RunningDeck,
    launch,
    opened,
    ran,
    stand_at,
    wait_for,
)

pytestmark = pytest.mark.journey

TRADED = 300
"""The slice by which the agents have traded."""
COMMANDS = (
    "demo", "serve", "init", "status", "doctor", "stop", "rearm", "keys", "audit", "agent",
)  # fmt: skip
MANY = """
import contextlib, io, json, signal, sys, traceback
from quarterdeck.cli import main

def too_long(number, frame):
    raise TimeoutError("it was not refused but ran")

signal.signal(signal.SIGALRM, too_long)
for name, arguments in json.load(sys.stdin).items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        signal.alarm(120)
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = None
            traceback.print_exc()
        signal.alarm(0)
    result = {"status": status, "out": out.getvalue(), "err": err.getvalue()}
    print(json.dumps({name: result}), flush=True)
"""
"""Many command lines in one process, because to start Python for each would take a minute."""

USAGE = {
    "no command": [],
    "an unknown command": ["fly"],
    "an unknown option": ["status", "--colour"],
    "an abbreviated option": ["status", "--js"],
    "serve without a file": ["serve"],
    "a re-arm without a reason": ["rearm", "--epoch", "1"],
    "a re-arming without an epoch": ["rearm", "--reason", "x"],
    "an epoch that is no number": ["rearm", "--epoch", "one", "--reason", "x"],
    "a port that is no number": ["demo", "--port", "http"],
    "a seed that is no whole number": ["demo", "--seed", "1.5"],
    "keys without an action": ["keys"],
    "a key for nobody": ["keys", "create"],
    "an unknown audit": ["audit", "forge"],
    "an agent without a key file": ["agent", "run", "trend"],
    "turns that are no number": ["agent", "run", "trend", "--key-file", "k", "--turns", "many"],
}
TOML = {
    "an unknown key": ("[limits]\nmax_order_notionl = '1'", ("limits.max_order_notionl", "max_order_notional")),
    "an unknown section": ("[limit]\nx = 1", ("limit",)),
    "an unknown unit": ("[limits]\nmax_daily_loss_percent = 3", ("limits.max_daily_loss_percent",)),
    "an unknown key of an entry": ("[[alerts.rules]]\nrule_id = 'a'\nsound = 'bell'", ("sound",)),
    "text for a number": ("[limits]\nmax_orders_per_bar = 'six'", ("limits.max_orders_per_bar",)),
    "a fraction above one": ("[limits]\nmax_daily_loss_fraction = 3.0", ("limits.max_daily_loss_fraction",)),
    "a limit below zero": ("[limits]\nmax_order_notional = '-5'", ("limits.max_order_notional",)),
    "an infinite limit": ("[limits]\nmax_position_notional = 'Infinity'", ("limits.max_position_notional",)),
    "capital that is no number": ("[paper]\ncapital = 'NaN'", ("paper.capital",)),
    "a spread that is no number": ("[paper]\nhalf_spread_bps = nan", ("paper.half_spread_bps",)),
    "a fraction that is no number": ("[limits]\nprice_collar_fraction = nan", ("limits.price_collar_fraction",)),
    "an infinite penalty": ("[regime]\njump_penalty = inf", ("regime.jump_penalty",)),
    "a port beyond all ports": ("[server]\nport = 70000", ("server.port",)),
    "no TOML": ("limits: max", ("TOML",)),
}  # fmt: skip
"""What a configuration must not hold, and what the refusal must name."""


def demo(folder: Path, *more: str) -> list[str]:
    return ["demo", "--data-dir", str(folder / "never"), "--port", "0", *more]


def refused(folder: Path) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """What is refused with exit 1, and what the one line must name."""
    empty, file = folder / "empty", folder / "file"
    nowhere = ["--data-dir", str(empty)]
    cases: dict[str, tuple[list[str], tuple[str, ...]]] = {
        "a live feed": (demo(folder, "--feed", "ccxt:binance"), ("ccxt:binance", "not in this version")),
        "another live feed": (demo(folder, "--feed", "alpaca:iex"), ("not in this version",)),
        "an unknown feed": (demo(folder, "--feed", "crystal-ball"), ("--feed", "replay:FILE")),
        "a feed without a file": (demo(folder, "--feed", "replay:"), ("--feed", "replay:FILE")),
        "a file that is not there": (demo(folder, "--feed", f"replay:{folder}/none.csv"), ("none.csv",)),
        "a file that is no bars": (demo(folder, "--feed", f"replay:{folder}/bad.csv"), ("bad.csv",)),
        "a file with an impossible bar": (demo(folder, "--feed", f"replay:{folder}/low.csv"), ("high",)),
        "a folder as a file": (demo(folder, "--feed", f"replay:{folder}"), (str(folder),)),
        "no speed": (demo(folder, "--speed", "0"), ("--speed", "max")),
        "a backward speed": (demo(folder, "--speed=-1"), ("--speed", "max")),
        "a speed that is no number": (demo(folder, "--speed", "nan"), ("--speed", "max")),
        "a speed in words": (demo(folder, "--speed", "fast"), ("--speed", "'fast'")),
        "an infinite speed": (demo(folder, "--speed", "inf"), ("--speed", "max")),
        "a start in words": (demo(folder, "--start", "yesterday"), ("--start", "yesterday")),
        "a start after the end": (
            demo(folder, "--start", "2010-01-01T00:00:00Z", "--end", "2009-01-01T00:00:00Z"),
            ("start",),
        ),
        "a start after the history": (demo(folder, "--start", "2030-01-01T00:00:00Z"), ("span",)),
        "an unknown symbol": (demo(folder, "--symbols", "AAPL,NOPE"), ("NOPE",)),
        "no symbol": (demo(folder, "--symbols", ","), ("--symbols",)),
        "an unknown agent": (demo(folder, "--agents", "trend,oracle"), ("--agents", "oracle")),
        "no agent's name": (demo(folder, "--agents", ","), ("--agents", "builtin")),
        "a port below all ports": (demo(folder, "--port", "-1"), ("--port", "65535")),
        "a port above all ports": (demo(folder, "--port", "70000"), ("--port", "65535")),
        "a seed below zero": (demo(folder, "--seed", "-1"), ("--seed",)),
        "a report that is never written": (
            demo(folder, "--report", "r.json"), ("--report", "--exit-when-done"),
        ),
        "a report in no folder": (
            demo(folder, "--exit-when-done", "--report", str(folder / "no" / "r.json")), ("--report",),
        ),
        "a data folder that is a file": (["demo", "--port", "0", "--data-dir", str(file)], ("data-dir",)),
        "a data folder below a file": (
            ["demo", "--port", "0", "--data-dir", str(file / "deck")], ("data-dir",),
        ),
        "a host that is not here": (
            ["demo", "--data-dir", str(folder / "abroad"), "--host", "192.0.2.1", "--port", "8000"],
            ("192.0.2.1",),
        ),
        "no configuration": (
            ["serve", "--config", str(folder / "none.toml"), *nowhere], ("none.toml", "readable"),
        ),
        "a folder as configuration": (["serve", "--config", str(folder), *nowhere], ("config",)),
        "a configuration that is there": (["init", str(file)], ("a new file",)),
        "a configuration in no folder": (["init", str(folder / "no" / "c.toml")], ("a new file",)),
        "status of nothing": (["status", *nowhere], ("no deck runs", "quarterdeck demo")),
        "status of a deck that was killed": (
            ["status", "--data-dir", str(folder / "killed")], ("does not answer",),
        ),
        "status of a spoilt address": (["status", "--data-dir", str(folder / "spoilt")], ("deck.json",)),
        "a stop of nothing": (["stop", "--reason", "x", *nowhere], ("nothing to stop", "--data-dir")),
        "a stop by a spoilt flag": (
            ["stop", "--reason", "x", "--data-dir", str(folder / "spoilt")], ("stop.flag",),
        ),
        "a stop of an agent of nothing": (
            ["stop", "--agent", "a", "--reason", "x", *nowhere], ("no deck runs",),
        ),
        "a re-arming of nothing": (["rearm", "--epoch", "1", "--reason", "x", *nowhere], ("no deck runs",)),
        "a key of nothing": (["keys", "create", "a", *nowhere], ("no deck runs",)),
        "the keys of nothing": (["keys", "list", *nowhere], ("no deck runs",)),
        "a revocation of nothing": (["keys", "revoke", "p", "--reason", "x", *nowhere], ("no deck runs",)),
        "an audit of nothing": (["audit", "verify", *nowhere], ("holds no run",)),
        "an audit of a spoilt run": (["audit", "verify", "--data-dir", str(folder / "spoilt")], ("core.db",)),
        "a deck on a spoilt run": (
            ["demo", "--port", "0", "--data-dir", str(folder / "spoilt")], ("core.db",),
        ),
        "an unknown member": (
            ["agent", "run", "oracle", "--key-file", str(folder / "key")], ("oracle", "trend"),
        ),
        "no key file": (["agent", "run", "trend", "--key-file", str(folder / "none")], ("--key-file",)),
        "a key file that is no text": (
            ["agent", "run", "trend", "--key-file", str(folder / "noise"), "--turns", "1"], ("--key-file",),
        ),
        "an address that is none": (
            ["agent", "run", "trend", "--url", "deck", "--key-file", str(folder / "key"), "--turns", "1"],
            ("deck",),
        ),
        "an address that cannot be": (
            ["agent", "run", "trend", "--url", "http://[", "--key-file", str(folder / "key"), "--turns", "1"],
            ("http://[",),
        ),
        "an address where nobody is": (
            ["agent", "run", "trend", "--url", "http://127.0.0.1:9", "--key-file", str(folder / "key"),
             "--turns", "1"],
            ("127.0.0.1:9",),
        ),
        "a port that cannot be": (
            ["agent", "run", "trend", "--url", "http://127.0.0.1:99999", "--key-file",
             str(folder / "key"), "--turns", "1"],
            ("127.0.0.1:99999",),
        ),
        "turns below one": (
            ["agent", "run", "trend", "--key-file", str(folder / "key"), "--turns", "0"], ("--turns",),
        ),
    }  # fmt: skip
    for name, (_, named) in TOML.items():
        path = folder / f"{name.replace(' ', '-')}.toml"
        cases[f"a configuration with {name}"] = (["serve", "--config", str(path), *nowhere], named)
    return cases


NAMES = tuple(refused(Path("/")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the refusals stumble over."""
    made: Path = tmp_path_factory.mktemp("commands")
    for name in ("empty", "killed", "spoilt"):
        (made / name).mkdir()
    (made / "file").write_text("a file")
    (made / "key").write_text("qd_nobody_knows\n")
    (made / "noise").write_bytes(b"\xff\xfe\x00" * 9)
    (made / "bad.csv").write_text("what,is,this\n1,2,3\n")
    (made / "low.csv").write_text(
        "ts,symbol,open,high,low,close,volume\n2020-01-01T00:00:00Z,A,10,9,8,10,1\n"
    )
    for name, (text, _) in TOML.items():
        (made / f"{name.replace(' ', '-')}.toml").write_text(text)
    (made / "killed" / "deck.json").write_text('{"url": "http://127.0.0.1:9", "key": "x"}')
    (made / "spoilt" / "deck.json").write_text('{"url": "http')
    (made / "spoilt" / "stop.flag").write_bytes(b"abc")
    (made / "spoilt" / "core.db").write_bytes(b"this was a database once" * 400)
    return made


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Any]:
    """What became of each command line that must be refused."""
    lines = {name: arguments for name, (arguments, _) in refused(folder).items()}
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        input=json.dumps({**USAGE, **lines}),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        cwd=folder,
        check=True,
    )
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        found.update(json.loads(line))
    return found


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_one_line_and_exit_2(outcomes: dict[str, Any], name: str) -> None:
    result = outcomes[name]
    assert result["status"] == 2, result
    assert result["out"] == ""
    assert result["err"].count("\n") == 1, result["err"]
    assert "--help'" in result["err"]


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_one_line_that_names_what_is_wrong_and_exit_1(
    outcomes: dict[str, Any], folder: Path, name: str
) -> None:
    result = outcomes[name]
    assert result["status"] == 1, result["err"]
    assert result["out"] == ""
    lines = result["err"].strip().splitlines()
    if name in ("a host that is not here", "a deck on a spoilt run"):
        # By then the deck has said what it is about to run.
        lines = lines[-1:]
    assert len(lines) == 1, result["err"]
    assert lines[0].startswith("quarterdeck: ")
    for word in refused(folder)[name][1]:
        assert word in lines[0], lines[0]


def test_refusals_leave_nothing_behind(outcomes: dict[str, Any], folder: Path) -> None:
    assert list((folder / "empty").iterdir()) == []
    assert not (folder / "never" / "core.db").exists()
    assert (folder / "file").read_text() == "a file"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    """A deck as `serve` runs it on the file that `init` writes; paused, so that it stands still."""
    made: Path = tmp_path_factory.mktemp("served")
    written = ran("init", str(made / "deck.toml"))
    assert (written.returncode, written.stderr) == (0, "")
    assert "quarterdeck serve --config" in written.stdout
    data_dir = made / "deck"
    command = (
        "-m", "quarterdeck", "serve", "--config", str(made / "deck.toml"),
        "--data-dir", str(data_dir), "--port", "0", *STILL,
    )  # fmt: skip
    with opened(launch(data_dir, *command)) as running:
        # The same market on every machine, however fast.
        stand_at(running, TRADED)
        assert running.get("/overview")["fills"] > 0
        yield running


def said(deck: RunningDeck, *arguments: str, status: int = 0) -> str:
    """What a command says of the deck: on stdout alone when it succeeds, else one line on stderr."""
    done = ran(*arguments, "--data-dir", str(deck.data_dir))
    assert done.returncode == status, (done.stdout, done.stderr)
    if status == 0:
        assert done.stderr == ""
        return done.stdout
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def told(deck: RunningDeck, *arguments: str) -> Any:
    """What a command says with --json."""
    return json.loads(said(deck, *arguments, "--json"))


def test_every_command_explains_itself_with_an_example() -> None:
    lines = {name: [name, "--help"] for name in COMMANDS}
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        input=json.dumps({**lines, "": ["--help"], "version": ["--version"]}),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=True,
    )
    found = {k: v for line in done.stdout.splitlines() for k, v in json.loads(line).items()}
    assert all(result["status"] == 0 for result in found.values())
    for name in COMMANDS:
        assert re.search(rf"example:\s+quarterdeck {name}\b", found[name]["out"]), name
        assert re.search(rf"^\s+{name}\s+\w", found[""]["out"], re.MULTILINE), name
    assert re.fullmatch(r"quarterdeck \d+\.\d+\.\d+\n", found["version"]["out"])


def test_a_refusal_of_a_real_process_is_exit_1_and_wrong_usage_exit_2(folder: Path) -> None:
    for arguments, status in ((["status", "--data-dir", str(folder / "empty")], 1), (["fly"], 2)):
        done = ran(*arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert len(done.stderr.splitlines()) == 1


def test_status_says_what_runs_in_which_state(deck: RunningDeck) -> None:
    text = said(deck, "status")
    armed = f"armed, epoch {deck.get('/gate/stop')['epoch']}"
    for word in (deck.url, "paused", armed, "journal", "server", "ready"):
        assert word in text
    status = told(deck, "status")
    assert status["system"]["feed"]["state"] == "paused"
    heads = deck.data_dir / "audit.heads"
    lines = heads.read_text().splitlines() if heads.exists() else []
    assert status["system"]["audit_head"] in [None, *lines]
    assert status["stop"]["stopped"] is False
    assert re.search(r"^work .* of all slots in use$", text, re.MULTILINE)
    # A lease may end between the two looks.
    wait_for(
        lambda: told(deck, "status")["work"]["counts"] == deck.get("/work")["counts"],
        "the command tells of the work that there is",
    )


def test_doctor_passes_on_a_running_deck_and_names_the_mend_of_a_lost_flag(
    deck: RunningDeck, tmp_path: Path
) -> None:
    text = said(deck, "doctor")
    assert text.count("PASS") == len(text.splitlines())
    checks = told(deck, "doctor")["checks"]
    assert all(check["passed"] for check in checks)
    (tmp_path / "core.db").touch()
    done = ran("doctor", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert re.search(r"FAIL +stop flag.*\n +mend: .*--fresh", done.stdout)


def test_stop_and_re_arming_work_from_the_command_line(deck: RunningDeck) -> None:
    assert "STOP raised" in said(deck, "stop", "--reason", "a look")
    stop = told(deck, "status")["stop"]
    assert (stop["stopped"], stop["reason"]) == (True, "a look")
    assert "STOPPED, epoch" in said(deck, "status")
    wrong = said(deck, "rearm", "--epoch", str(stop["epoch"] + 1), "--reason", "x", status=1)
    assert f"is {stop['epoch']}" in wrong
    epoch = ("--epoch", str(stop["epoch"]), "--reason", "seen")
    shown = said(deck, "rearm", *epoch)
    assert "agents      " in shown
    code = re.search(r"--confirm (\w+)", shown)
    assert code is not None
    assert "changed" in said(deck, "rearm", *epoch, "--confirm", "0" * 12, status=1)
    assert "armed" in said(deck, "rearm", *epoch, "--confirm", code[1])
    for name, subject, where in (
        ("--agent", "trend", "stopped_agents"),
        ("--instrument", "MSFT", "stopped_instruments"),
        ("--account", "paper", "stopped_accounts"),
    ):
        halted = told(deck, "stop", name, subject, "--reason", "only this one")
        assert (halted["stopped"], halted[where]) == (False, [subject])
        proof = halted["stops"][-1]
        assert (proof["subject"], proof["accepted_since"]) == (subject, 0)
        listed = told(deck, "rearm", name, subject, *epoch)
        confirmed = ("--confirm", listed["confirmation"])
        assert told(deck, "rearm", name, subject, *epoch, *confirmed)[where] == []
    again = told(deck, "stop", "--reason", "as JSON")
    assert again["seen_by_deck"] is True
    assert deck.rearm()["stopped"] is False
    assert "trend-setter" in said(
        deck, "stop", "--agent", "trend-setter", "--reason", "x", status=1
    )


def test_an_agent_orders_replaces_and_cancels_from_the_command_line(
    deck: RunningDeck, tmp_path: Path
) -> None:
    file = tmp_path / "typist.key"
    file.write_text(told(deck, "keys", "create", "typist", "--capital", "50000")["key"])
    as_agent = ("--url", deck.url, "--key-file", str(file), "--json")

    def typed(*arguments: str, status: int = 0) -> Any:
        done = ran("order", *arguments, *as_agent)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    price = float(next(one["last_price"] for one in deck.get("/instruments")["instruments"] if one["symbol"] == "MSFT"))  # fmt: skip
    near, exit_ = f"{price * 0.99:.2f}", f"{price * 0.9:.2f}"
    assert typed("preview", "MSFT", "buy", "3", "--limit", near)["status"] == "accepted"
    refused = typed("preview", "MSFT", "buy", "9999999", "--limit", near, status=1)
    assert refused["max_allowed_now"] is not None
    order = typed(
        "submit",
        "MSFT",
        "buy",
        "3",
        "--limit",
        near,
        "--stop-loss",
        exit_,
        "--time-in-force",
        "day",
    )
    assert (order["type"], order["status"], order["time_in_force"]) == ("limit", "working", "day")
    other = typed("replace", order["order_id"], "--quantity", "2")
    assert (other["quantity"], other["replaces"]) == ("2", order["order_id"])
    assert typed("cancel", other["order_id"])["status"] == "cancelled"
    assert typed("conflicts")["conflicts"] == deck.get("/positions/conflicts")["conflicts"]
    believed = (
        "--believed",
        f"{price * 2:.2f}",
        "--believed-at",
        deck.get("/system")["feed"]["at"],
    )
    premise = typed("preview", "MSFT", "buy", "3", *believed, status=1)
    assert "FALSE_PREMISE" in [one["code"] for one in premise["breaches"]]
    assert typed("keep-alive", "600")["within_s"] == 600.0
    assert [one["agent"] for one in told(deck, "keep-alive", "list")] == ["typist"]
    demanded = ("keep-alive", "demand", "typist", "60", "--reason", "it runs elsewhere")
    assert told(deck, *demanded)["demanded_s"] == 60.0
    assert "mandate demands 60 s" in said(deck, "keep-alive", "list")
    assert "no other books" in said(deck, "broker", "show")
    assert "no such order" in said(deck, "broker", "settle", "x", "--reason", "gone", status=1)
    signal = typed("signal", "MSFT", "long", "--bars", "50", "--until", "2099-01-01T00:00:00Z")
    assert typed("signals", "--status", "received")["signals"] == [signal]
    assert typed("cancel-signal", signal["signal_id"])["status"] == "cancelled"
    # The deck's own agents order meanwhile, so ours need not be the newest.
    listed = typed("list", "--status", "cancelled", "--limit", "100")["orders"]
    assert other["order_id"] in [one["order_id"] for one in listed]
    done = ran("order", "cancel-signal", "nothing", *as_agent)
    assert (done.returncode, done.stdout) == (1, "")
    assert "signal_id of an open signal" in done.stderr


def test_an_account_is_watched_over_and_rebalanced_from_the_command_line(deck: RunningDeck) -> None:
    assert "no mandate is set" in said(deck, "rebalance", "mandates")
    target = ("--weights", "IBM=0.3,MSFT=0.2")
    plan = told(deck, "rebalance", "plan", "trend", *target)
    assert (plan["agent"], plan["target"]) == ("trend", "fixed weights")
    assert all(trade["verdict"] in ("accepted", "refused") for trade in plan["trades"])
    assert "Taxes are not counted" in said(deck, "rebalance", "plan", "trend", *target)
    within = (
        "--objective",
        "min-volatility",
        "--group",
        "x=AAPL+IBM:0.1:0.4",
        "--max-turnover",
        "0.2",
    )
    assert "target found by" in said(deck, "rebalance", "plan", "trend", *within)
    found = told(deck, "rebalance", "plan", "trend", *within)["found"]
    assert 0.1 - 1e-9 <= found["weights"]["AAPL"] + found["weights"]["IBM"] <= 0.4 + 1e-9
    wrong = ("--objective", "min-volatility", "--group", "x=AAPL:0.1")
    assert "NAME=A+B:LOW:HIGH" in said(deck, "rebalance", "plan", "trend", *wrong, status=1)
    unknown = ("--objective", "min-volatility", "--group", "x=ZZZ:0:1")
    assert "no instrument 'ZZZ'" in said(deck, "rebalance", "plan", "trend", *unknown, status=1)
    terms = ("rebalance", "mandate", "core", "trend", *target, "--mode", "approval")
    assert told(deck, *terms)["mandate"]["mode"] == "approval"
    assert "asking only" in said(deck, "rebalance", "mandates")
    refused = said(deck, "rebalance", "mandate", "core", "trend", "--weights", "IBM=2", status=1)
    assert "weights.IBM" in refused
    assert "no such rebalance" in said(deck, "rebalance", "approve", "reb-x", status=1)
    assert "has ended" in said(deck, "rebalance", "end", "core", "--reason", "a test")
    assert "no mandate 'core'" in said(deck, "rebalance", "propose", "core", status=1)


def test_the_decks_portfolios_are_shown_with_their_risk_from_the_command_line(
    deck: RunningDeck,
) -> None:
    assert "min-volatility" in said(deck, "portfolio", "show")
    edge = told(deck, "portfolio", "frontier", "--agent", "trend", "--points", "5")
    assert edge["account"] == "trend"
    assert "not enough data" in (edge["reason"] or "not enough data")
    assert "KIND" in said(deck, "portfolio", "frontier", "--plot")
    scatter = told(deck, "portfolio", "sensitivity", "--objective", "hrp", "--draws", "9")
    assert (scatter["objective"], scatter["draws"]) == ("hrp", 9)
    for by in ("agent", "strategy", "symbol", "sector", "regime"):
        assert "NET" in said(deck, "portfolio", "attribution", "--by", by)
    assert "factor market" in said(deck, "portfolio", "active")
    assert "AGENT" in said(deck, "portfolio", "views")
    assert "no allocation is arranged" in said(deck, "portfolio", "allocation")
    asked = ("allocate", "trend,breakout", "--objective", "min-volatility", "--sessions", "500")
    arranged = told(deck, "portfolio", *asked)
    assert arranged["allocation"]["agents"] == ["trend", "breakout"]
    assert arranged["reason"] is not None
    assert "sessions" in said(deck, "portfolio", "carry", "--reason", "a test", status=1)
    assert "no longer" in said(deck, "portfolio", "end-allocation", "--reason", "a test")
    assert "no agent" in said(deck, "portfolio", *("allocate", "a,b", *asked[2:]), status=1)
    assert "2 to 200" in said(deck, "portfolio", "frontier", "--points", "1", status=1)
    assert "draws" in said(deck, "portfolio", "sensitivity", "--draws", "1", status=1)


def test_what_was_earned_for_the_risk_is_shown_from_the_command_line(deck: RunningDeck) -> None:
    shown = told(deck, "risks", "metrics")
    assert shown["benchmark"].startswith("equal weights of ")
    subjects = [one["subject"] for one in shown["measures"]]
    assert subjects[0] == "deck"
    assert len(subjects) == len(set(subjects)) > 1
    lines = said(deck, "risks", "metrics")
    assert all(f"\n{subject}" in lines for subject in subjects)


def test_what_may_be_lost_at_every_level_is_shown_from_the_command_line(deck: RunningDeck) -> None:
    shown = told(deck, "risks", "forecast")
    assert {tuple(each["level"] for each in one["levels"]) for one in shown["instruments"]} == {
        (0.95, 0.99)
    }
    table = said(deck, "risks", "forecast")
    assert "VaR 95 %" in table
    assert "ES 99 %" in table
    assert all(f"\n{one['symbol']} " in table for one in shown["instruments"])
    assert "\ndeck " in said(deck, "risks", "credit")
    assert told(deck, "risks", "credit")["deck"]["agent"] == "deck"
    assert "risk.fitted_every_bars is 0" in said(deck, "risks", "fits")


def test_a_drill_proves_the_stop_beside_trading(deck: RunningDeck) -> None:
    before = deck.get("/gate/stop")
    drill = told(deck, "drill")
    assert (drill["faults"], drill["accepted"]) == ([], 0)
    assert drill["cancelled"] == drill["orders"] > 0
    assert drill["proven_at"] == drill["at"]
    assert "proven at" in said(deck, "drill", "--last")
    assert "last proven" in said(deck, "status")
    assert deck.get("/gate/stop") == before


def test_a_fresh_login_link_works_once_and_what_happens_at_the_door_is_recorded(
    deck: RunningDeck,
) -> None:
    link = said(deck, "login").strip()
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as browser:
        assert browser.get(link).status_code == 303
        assert browser.get(link).status_code == 403
    # Newest first, and what the deck itself did meanwhile stands between them.
    kinds = [record["kind"] for record in deck.get("/audit?limit=100")["records"]]
    at_the_door = [kind for kind in kinds if kind.startswith("login")]
    assert at_the_door[:3] == ["login_failed", "login", "login_link_issued"]


def test_work_is_listed_driven_again_and_cancelled_and_an_agent_drained(deck: RunningDeck) -> None:
    told(deck, "keys", "create", "clerk", "--capabilities", "filing")
    key = told(deck, "keys", "create", "clerk")["key"]
    asked = {
        "idempotency_key": "file", "type": "research", "title": "file it", "capability": "filing",
        "max_attempts": 1,
    }  # fmt: skip
    task = deck.call("POST", "/tasks", asked)[1]["task_id"]
    words = ("--type", "research", "--capability", "filing", "--title", "and then")
    more = ("--after", task, "--deadline-s", "3600", "--key", "once", "--requires", "filing")
    later = [told(deck, "work", "submit", *words, *more) for _ in range(2)]
    assert later[0]["task_id"] == later[1]["task_id"]
    assert "to be done by" in said(deck, "work", "show", later[0]["task_id"])
    text = said(deck, "work", "submit", *words, "--deadline-bars", "0", status=1)
    assert "deadline_bars" in text
    claim = deck.call("POST", "/tasks/claim", {}, key=key)[1]["claim"]
    report = {"task_id": task, "lease_token": claim["lease_token"], "failed": True, "reason": "no"}
    assert deck.call("POST", "/tasks/complete", report, key=key)[0] == 200
    line = next(
        one
        for one in said(deck, "work", "list", "--state", "failed").splitlines()
        if one.startswith(task)
    )
    assert "file it" in line
    assert "attempt 1 of 1 failed: clerk failed: no" in line
    again = told(deck, "work", "redrive", task, "--reason", "mended")
    assert "was answered: driven again" in said(
        deck, "work", "dismiss", task, "--reason", "x", status=1
    )
    assert (again["state"], again["attempt"]) == ("ready", 0)
    assert "cancelled" in said(deck, "work", "cancel", again["task_id"], "--reason", "enough")
    assert "TASK_NOT_FAILED" not in said(
        deck, "work", "redrive", again["task_id"], "--reason", "x", status=1
    )
    for action, presence in (("drain", "paused"), ("resume", "ready"), ("pause", "paused")):
        text = said(deck, "work", action, "clerk", "--reason", "holiday")
        assert text == f"clerk is {presence} and holds 0 tasks\n"
    assert "lost" in said(deck, "work", "list", "--state", "lost", status=1)


def test_keys_are_created_listed_and_revoked(deck: RunningDeck, tmp_path: Path) -> None:
    text = said(deck, "keys", "create", "mine", "--capabilities", "trade:trend")
    (secret,) = re.findall(r"qd_\w+_[\w-]+", text.splitlines()[0])
    assert f"{deck.url}/mcp" in text
    second = told(deck, "keys", "create", "mine", "--scopes", "read")
    assert second["scopes"] == ["read"]
    assert deck.call("GET", "/briefing", key=secret)[0] == 200
    assert deck.call("POST", "/orders", {}, key=second["key"])[0] == 403
    listed = told(deck, "keys", "list")
    prefixes = [key["prefix"] for key in listed if key["agent"] == "mine"]
    assert len(prefixes) == 2
    shown = said(deck, "keys", "list")
    assert secret.rpartition("_")[2] not in shown
    assert all(prefix in shown for prefix in prefixes)

    (tmp_path / "key").write_text(f"{secret}\n")
    agent = ("agent", "run", "trend", "--url", deck.url, "--key-file", str(tmp_path / "key"))
    done = ran(*agent, "--turns", "1")
    assert (done.returncode, done.stderr) == (0, "")

    said(deck, "keys", "revoke", second["prefix"], "--reason", "lost")
    assert deck.call("GET", "/briefing", key=second["key"])[0] == 401
    told(deck, "keys", "revoke", secret.split("_")[1], "--reason", "lost as well")
    done = ran(*agent, "--turns", "1")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert deck.url in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("keys", "create", "Not A Name"), "name"),
        (("keys", "create", "greedy", "--scopes", "read,operate"), "operate"),
        (("keys", "create", "rich", "--capital", "lots"), "capital"),
        (("keys", "create", "rich", "--capital", "NaN"), "capital"),
        (("keys", "revoke", "no such\tkey", "--reason", "x"), "key"),
        (("rearm", "--epoch", "-1", "--reason", "x"), "epoch"),
    ],
)
def test_what_a_running_deck_refuses_is_one_line(
    deck: RunningDeck, arguments: tuple[str, ...], named: str
) -> None:
    before = deck.get("/agents")
    assert named in said(deck, *arguments, status=1)
    assert deck.get("/agents") == before


def test_a_port_in_use_is_refused_in_one_line(deck: RunningDeck, tmp_path: Path) -> None:
    port = deck.url.rpartition(":")[2]
    done = ran("demo", "--data-dir", str(tmp_path / "other"), "--port", port)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("quarterdeck: ")
    assert port in last
    assert "Traceback" not in done.stderr


def copied(deck: RunningDeck, to: Path) -> Path:
    """A copy of the deck's files as they are now; the database through SQLite's own backup."""
    to.mkdir()
    for name in deck.data_dir.iterdir():
        if name.is_file() and not name.name.startswith("core.db"):
            shutil.copy(name, to)
    with (
        closing(sqlite3.connect(f"file:{deck.data_dir / 'core.db'}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to / "core.db")) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return to


def test_the_audit_chain_of_a_running_deck_verifies(deck: RunningDeck) -> None:
    assert "chain OK" in said(deck, "audit", "verify")
    found = told(deck, "audit", "verify")
    assert found["ok"] is True
    assert found["partitions"]["paper"]["records"] > 0
    assert found["partitions"]["paper"]["first_broken"] is None


def test_one_changed_byte_breaks_the_audit_chain_at_its_record(
    deck: RunningDeck, tmp_path: Path
) -> None:
    copy = copied(deck, tmp_path / "copy")
    with closing(sqlite3.connect(copy / "core.db")) as connection:
        rows = connection.execute(
            "SELECT sequence, record FROM audit WHERE partition = 'paper' ORDER BY sequence"
        ).fetchall()
    content = bytearray((copy / "core.db").read_bytes())
    # A long record is spread over pages; any that lies in one piece will do.
    sequence, record, at = next(
        (sequence, record, content.find(record))
        for sequence, record in rows[len(rows) // 2 :]
        if b'"slice":' in record and content.find(record) >= 0
    )
    digit = at + record.index(b'"slice":') + len(b'"slice":')
    content[digit] = ord("1") if content[digit] != ord("1") else ord("2")
    (copy / "core.db").write_bytes(content)
    done = ran("audit", "verify", "--data-dir", str(copy))
    assert done.returncode == 1
    assert f"BROKEN at record {sequence}" in done.stdout
    assert "Traceback" not in done.stderr
    found = json.loads(ran("audit", "verify", "--data-dir", str(copy), "--json").stdout)
    assert (found["ok"], found["partitions"]["paper"]["first_broken"]) == (False, sequence)


def test_a_database_with_a_spoilt_page_is_refused_without_a_traceback(
    deck: RunningDeck, tmp_path: Path
) -> None:
    copy = copied(deck, tmp_path / "copy")
    (copy / "deck.json").unlink(missing_ok=True)
    content = bytearray((copy / "core.db").read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    (copy / "core.db").write_bytes(content)
    for arguments in (("audit", "verify"), ("demo", "--port", "0", "--speed", "50")):
        done = ran(*arguments, "--data-dir", str(copy))
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("quarterdeck: ")
        assert "core.db" in last


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_data_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = ran("demo", "--port", "0", "--data-dir", str(tmp_path / "deck"))
    tmp_path.chmod(0o700)
    assert done.returncode == 1
    assert "data-dir" in done.stderr


def test_a_deck_ends_in_order_when_it_is_interrupted(deck: RunningDeck) -> None:
    deck.process.send_signal(signal.SIGINT)
    assert deck.finish() == 0
    assert "Traceback" not in "".join(deck.said)
    assert "chain OK" in said(deck, "audit", "verify")
    assert "no deck runs" in said(deck, "status", status=1)
    # Nobody confirms this one; the deck that starts next starts stopped.
    assert "starts stopped" in said(deck, "stop", "--reason", "while it is down")
