"""The stop, with agents that submit as fast as they can and with a server that is stuck."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from quarterdeck.runtime import stopflag
from tests.journeys.decks import (
    PATIENCE_S,
    STILL,
    Json,
    RunningDeck,
    agent_key,
    asked,
    launch,
    opened,
    ran,
    stand_at,
    wait_for,
    wait_until_trading,
)

pytestmark = pytest.mark.journey

PROGRAM = """
import signal, sys, time
from pathlib import Path
from quarterdeck.cli import main

marks, most_s = Path(sys.argv[1]), float(sys.argv[2])

def get_stuck(number, frame):
    # Python runs this in the main thread, between two turns of the event loop, which then stands
    # still while this computes: as with a bug in a view, other threads go on.
    until = time.monotonic() + most_s
    (marks / "stuck").touch()
    while not (marks / "let go").exists() and time.monotonic() < until:
        sum(range(10_000))
    (marks / "free").touch()

signal.signal(signal.SIGUSR2, get_stuck)
sys.exit(main(sys.argv[3:]))
"""
CONFIG = """
[limits]
max_orders_per_bar = 1000000
# How many trades lose within five bars depends on how fast a machine sends them.
[breakers]
rapid_losses = 1000000
trades = 1000000
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("stop")
    (made / "program.py").write_text(PROGRAM)
    (made / "deck.toml").write_text(CONFIG)
    return made


def begun(folder: Path) -> RunningDeck:
    data_dir = folder / "deck"
    deck = launch(
        data_dir,
        str(folder / "program.py"), str(folder), str(PATIENCE_S),
        "serve", "--config", str(folder / "deck.toml"),
        "--data-dir", str(data_dir), "--port", "0", *STILL, "--agents", "none",
    )  # fmt: skip
    return deck


@contextmanager
def stuck(deck: RunningDeck, folder: Path) -> Iterator[Path]:
    """The deck's loop stands still until this is over; the file tells whether it has gone on."""
    free = folder / "free"
    for name in ("stuck", "free", "let go"):
        (folder / name).unlink(missing_ok=True)
    os.kill(deck.process.pid, signal.SIGUSR2)
    wait_for((folder / "stuck").exists, "the loop is stuck")
    try:
        yield free
    finally:
        (folder / "let go").touch()
    wait_for(free.exists, "the loop is free again")


@pytest.fixture(scope="module")
def deck(folder: Path) -> Iterator[RunningDeck]:
    with opened(begun(folder)) as running:
        stand_at(running)
        yield running


@dataclass
class Trader:
    """An agent that submits one small order after the other and keeps what it was told."""

    url: str
    key: str
    name: str
    ended: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, int, Json]] = field(default_factory=list)
    """When each request was sent, the step of its answer, and the answer."""

    def trade(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=PATIENCE_S) as http:
            http.headers["authorization"] = f"Bearer {self.key}"
            for number in itertools.count():
                if self.ended.is_set():
                    return
                order = {
                    "idempotency_key": f"{self.name}-{number}",
                    "symbol": "MSFT",
                    "side": "sell" if number % 2 else "buy",
                    "quantity": "1",
                }
                sent, answer = asked(http, "POST", "/api/v1/orders", json=order)
                assert answer.status_code == 201, answer.text
                step = int(answer.headers["x-quarterdeck-step"])
                self.answers.append((sent, step, answer.json()))

    def said(self, status: str) -> list[tuple[float, int, Json]]:
        return [entry for entry in self.answers if entry[2]["decision"]["status"] == status]


def order(deck: RunningDeck, key: str, idempotency_key: str) -> Json:
    body = {"idempotency_key": idempotency_key, "symbol": "IBM", "side": "buy", "quantity": "1"}
    status, answer = deck.call("POST", "/orders", body, key=key)
    assert status == 201, answer
    return answer


def rearm(deck: RunningDeck, **scope: str) -> Json:
    return deck.rearm(**scope)


def accepted_steps(data_dir: Path) -> list[int]:
    """The steps whose audit records say that an order was accepted, from the file itself."""
    query = "SELECT record FROM audit WHERE kind = 'order_accepted'"
    with closing(sqlite3.connect(f"file:{data_dir / 'core.db'}?mode=ro", uri=True)) as connection:
        records = [json.loads(row[0]) for row in connection.execute(query)]
    return [record["step"] for record in records]


def test_no_order_is_accepted_after_a_stop_has_returned_while_four_agents_submit(
    deck: RunningDeck,
) -> None:
    names = [f"busy-{number}" for number in range(4)]
    traders = [Trader(deck.url, agent_key(deck, name), name) for name in names]
    threads = [threading.Thread(target=trader.trade) for trader in traders]
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        http.headers["authorization"] = f"Bearer {deck.operator_key}"
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: all(len(t.said("accepted")) >= 10 for t in traders), "all trade")
            called = time.monotonic()
            answer = http.post("/api/v1/gate/stop", json={"reason": "four busy agents"})
            returned = time.monotonic()
            wait_for(
                lambda: all(len([a for a in t.answers if a[0] > returned]) >= 20 for t in traders),
                "all have tried after the stop",
            )
        finally:
            for trader in traders:
                trader.ended.set()
            for thread in threads:
                thread.join()
    stop = answer.json()
    stopped_in = int(answer.headers["x-quarterdeck-step"])
    assert answer.status_code == 200, stop
    assert (stop["stopped"], stop["accepted_since"]) == (True, 0)
    assert stop["stop_ms"] is not None
    print(
        f"stop in force after {stop['stop_ms']:.2f} ms, answered after "
        f"{(returned - called) * 1000:.1f} ms with four agents submitting"
    )
    assert 0 <= stop["stop_ms"] <= (returned - called) * 1000
    for trader in traders:
        for sent, step, told in trader.answers:
            if step > stopped_in or sent > returned:
                assert told["decision"]["code"] == "STALE_EPOCH", told
                assert step > stopped_in
        assert max(step for _, step, _ in trader.said("accepted")) < stopped_in
    # What the agents were told is what the file says.
    on_disk = accepted_steps(deck.data_dir)
    assert max(on_disk) < stopped_in
    assert len(on_disk) == sum(len(trader.said("accepted")) for trader in traders)
    shown = deck.get("/gate/stop")
    assert shown["accepted_since"] == 0
    assert shown["refused_since"] >= 80
    # What was working has been cancelled and never fills.
    assert deck.get("/orders?status=working")["orders"] == []
    assert rearm(deck)["stopped"] is False
    assert order(deck, traders[0].key, "after")["decision"]["status"] == "accepted"


def test_re_arming_needs_the_epoch_that_is_in_force(deck: RunningDeck) -> None:
    key = agent_key(deck, "patient")
    _, stop = deck.call("POST", "/gate/stop", {"reason": "which epoch?"})
    for wrong in (stop["epoch"] - 1, stop["epoch"] + 1, 2**62):
        status, problem = deck.call("POST", "/gate/rearm", {"epoch": wrong, "reason": "a guess"})
        assert (status, problem["code"], problem["field"]) == (409, "EPOCH_CHANGED", "epoch")
        assert problem["accepted"] == str(stop["epoch"])
    assert deck.get("/gate/stop")["stopped"] is True
    assert order(deck, key, "stopped")["decision"]["code"] == "STALE_EPOCH"
    assert rearm(deck)["stopped"] is False
    assert order(deck, key, "open")["decision"]["status"] == "accepted"


def test_an_order_under_the_epoch_before_the_stop_is_refused_after_re_arming(
    deck: RunningDeck,
) -> None:
    key = agent_key(deck, "late")
    _, briefing = deck.call("GET", "/briefing", key=key)
    deck.call("POST", "/gate/stop", {"reason": "in between"})
    rearm(deck)
    body = {
        "idempotency_key": "old", "symbol": "IBM", "side": "buy", "quantity": "1",
        "epoch": briefing["epoch"],
    }  # fmt: skip
    _, answer = deck.call("POST", "/orders", body, key=key)
    assert answer["decision"]["code"] == "STALE_EPOCH"
    _, briefing = deck.call("GET", "/briefing", key=key)
    fresh = {**body, "idempotency_key": "new", "epoch": briefing["epoch"]}
    _, answer = deck.call("POST", "/orders", fresh, key=key)
    assert answer["decision"]["status"] == "accepted"


def test_stopping_one_agent_stops_no_other(deck: RunningDeck) -> None:
    stopped, other = agent_key(deck, "one"), agent_key(deck, "other")
    status, view = deck.call("POST", "/gate/stop", {"reason": "only this one", "agent": "one"})
    assert (status, view["stopped"], view["stopped_agents"]) == (200, False, ["one"])
    assert order(deck, stopped, "a")["decision"]["code"] == "STALE_EPOCH"
    assert order(deck, other, "a")["decision"]["status"] == "accepted"
    assert rearm(deck, agent="one")["stopped_agents"] == []
    assert order(deck, stopped, "b")["decision"]["status"] == "accepted"
    status, problem = deck.call("POST", "/gate/stop", {"reason": "nobody", "agent": "nobody"})
    assert (status, problem["field"]) == (404, "agent")


def test_an_agents_key_can_neither_stop_nor_re_arm(deck: RunningDeck) -> None:
    key = agent_key(deck, "curious")
    before = deck.get("/gate/stop")
    for path, body in (
        ("/gate/stop", {"reason": "mine"}),
        ("/gate/rearm", {"epoch": before["epoch"], "reason": "mine"}),
    ):
        status, problem = deck.call("POST", path, body, key=key)
        assert (status, problem["code"]) == (403, "NOT_PERMITTED")
    assert deck.get("/gate/stop") == before


def test_a_stop_from_another_process_is_in_force_while_the_servers_loop_is_stuck(
    deck: RunningDeck, folder: Path
) -> None:
    key = agent_key(deck, "waiting")
    flag = deck.data_dir / "stop.flag"
    before = stopflag.seen(flag)
    answers: list[Json] = []
    with stuck(deck, folder) as free:
        # These wait in the stuck server's socket, sent before the stop and judged after it.
        threads = [
            threading.Thread(target=lambda n=n: answers.append(order(deck, key, f"stuck-{n}")))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        with pytest.raises(httpx2.TimeoutException):
            httpx2.get(f"{deck.url}/livez", timeout=0.3)
        command = subprocess.Popen(
            [
                sys.executable, "-m", "quarterdeck", "stop", "--reason", "the server is stuck",
                "--data-dir", str(deck.data_dir), "--json",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for(lambda: raised(flag) > before, "the command has raised the flag")
        began = time.monotonic()
        wait_for(lambda: stopflag.seen(flag) > before, "the deck has seen it")
        took_ms = (time.monotonic() - began) * 1000
        assert not free.exists(), "the loop was free again before the deck had seen the flag"
    print(f"seen by the stuck deck at most {took_ms:.0f} ms after the flag was raised")
    out, err = command.communicate(timeout=PATIENCE_S)
    for thread in threads:
        thread.join()
    assert command.returncode == 0, err
    told = json.loads(out)
    assert told["seen_by_deck"] is True
    assert told["recorded"]["stopped"] is True
    assert [answer["decision"]["code"] for answer in answers] == ["STALE_EPOCH"] * 3
    assert order(deck, key, "later")["decision"]["code"] == "STALE_EPOCH"
    assert deck.get("/gate/stop")["accepted_since"] == 0
    assert rearm(deck)["stopped"] is False
    assert order(deck, key, "again")["decision"]["status"] == "accepted"


def test_a_signal_stops_trading_while_the_servers_loop_is_stuck(
    deck: RunningDeck, folder: Path
) -> None:
    key = agent_key(deck, "signalled")
    flag = deck.data_dir / "stop.flag"
    before = raised(flag)
    with stuck(deck, folder) as free:
        os.kill(deck.process.pid, signal.SIGUSR1)
        wait_for(lambda: stopflag.seen(flag) > before, "the deck has raised and seen it")
        assert not free.exists(), "the loop was free again before the flag was raised"
    wait_for(lambda: deck.get("/gate/stop")["reason"] == stopflag.SIGNALLED, "it is recorded")
    shown = deck.get("/gate/stop")
    assert (shown["stopped"], shown["epoch"], shown["by"]) == (True, before + 1, "operator")
    assert shown["accepted_since"] == 0
    assert order(deck, key, "signalled")["decision"]["code"] == "STALE_EPOCH"
    wait_until_forgotten(deck.data_dir / "stop.reason")
    assert rearm(deck)["stopped"] is False


def wait_until_forgotten(reason: Path) -> None:
    """The file goes once its reason is on disk, so just after a reader may see what it said."""
    wait_for(lambda: not reason.exists(), "the deck has removed what it recorded")


def raised(flag: Path) -> int:
    return int.from_bytes(flag.read_bytes()[:8], "little")


def test_a_stop_outlives_sigkill_and_one_raised_while_the_deck_is_down_counts_too(
    deck: RunningDeck, folder: Path
) -> None:
    key = agent_key(deck, "restarted")
    _, stop = deck.call("POST", "/gate/stop", {"reason": "before the crash"})
    deck.kill()
    with opened(begun(folder)) as again:
        shown = again.get("/gate/stop")
        assert (shown["stopped"], shown["epoch"]) == (True, stop["epoch"])
        assert shown["reason"] == "before the crash"
        assert order(again, key, "still")["decision"]["code"] == "STALE_EPOCH"
        assert rearm(again)["stopped"] is False
        wait_until_trading(again)
        assert order(again, key, "open")["decision"]["status"] == "accepted"
        again.kill()
    stopped = ran("stop", "--reason", "seen from afar", "--data-dir", str(folder / "deck"))
    assert stopped.returncode == 0, stopped.stderr
    with opened(begun(folder)) as third:
        shown = third.get("/gate/stop")
        assert (shown["stopped"], shown["by"]) == (True, "operator")
        assert shown["reason"] == "seen from afar", "the reason of a stop outlives its command"
        wait_until_forgotten(folder / "deck" / "stop.reason")
        assert order(third, key, "raised while down")["decision"]["code"] == "STALE_EPOCH"
