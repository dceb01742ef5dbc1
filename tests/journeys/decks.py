"""Decks as people start them: processes of their own, watched from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

PATIENCE_S = 180.0
"""How long what must happen may take: no machine is so slow, and only a failure takes so long."""
RUN_S = 900.0
STILL = ("--speed", "0.01")
"""So slow that after the warm-up nothing moves but by a step: a test stands where it wants to."""
WARMED_UP = 249
"""The last slice of the warm-up; trading opens with the next."""
PRESSED = ("JOURNAL_SLOW", "JOURNAL_FULL", "READ_TIMEOUT")
"""What a deck answers whose disk is slower than its steps: nothing was begun, ask again."""
_URL = re.compile(r"open\s+(http://\S+?)/login\?token=(\S+)")

Json = dict[str, Any]


@dataclass
class RunningDeck:
    """A deck's process, where it listens, and what it has said so far."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str = ""
    token: str = ""
    said: list[str] = field(default_factory=list)
    listener: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        # A thread reads, so that a deck that says much is never held up by a full pipe.
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(line)

    def wait_until_open(self, *, seconds: float = PATIENCE_S) -> None:
        """Read what the deck says until it has printed where it is open."""
        deadline = time.monotonic() + seconds
        while (found := _URL.search("".join(self.said))) is None:
            assert self.process.poll() is None, f"the deck ended: {''.join(self.said)}"
            assert time.monotonic() < deadline, f"not open after {seconds} s: {''.join(self.said)}"
            time.sleep(0.005)
        self.url, self.token = found.groups()

    def finish(self, *, seconds: float = RUN_S) -> int:
        """Wait for the deck's own end and return its exit status."""
        status = self.process.wait(timeout=seconds)
        self.listener.join()
        return status

    def kill(self) -> None:
        """SIGKILL: nothing of the process gets to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.listener.join()

    def end(self, *, seconds: float = PATIENCE_S) -> None:
        """SIGTERM, and insist on an orderly end."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the deck did not end within {seconds} s") from None
        self.listener.join()

    @property
    def operator_key(self) -> str:
        """The local operator key, from the deck's own file."""
        return str(json.loads((self.data_dir / "deck.json").read_text())["key"])

    def call(
        self, method: str, path: str, body: Json | None = None, *, key: str | None = None
    ) -> tuple[int, Json]:
        """Call the REST interface and return status and JSON; the operator's key unless given.

        While the disk is slower than the steps, which a busy machine makes it, the call is made again,
        as the answer asks.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, answer = self._call(method, path, body, key=key)
            if not pressed(status, answer) or time.monotonic() > deadline:
                return status, answer
            time.sleep(0.2)

    def _call(
        self, method: str, path: str, body: Json | None, *, key: str | None
    ) -> tuple[int, Json]:
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self.operator_key if key is None else key}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def rearm(self, **scope: str) -> Json:
        """Look at what resumes, confirm it, and return the stop's state."""
        listed = self.get(f"/gate/rearm?{urllib.parse.urlencode(scope)}")
        body = {
            "epoch": listed["epoch"],
            "reason": "the test goes on",
            "confirm": listed["confirmation"],
            **scope,
        }
        status, answer = self.call("POST", "/gate/rearm", body)
        assert status == 200, answer
        return answer

    def get(self, path: str) -> Json:
        """GET and insist on success."""
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer


def pressed(status: int, answer: Json) -> bool:
    """Return whether an answer asks for the same request a little later."""
    return status == 429 and answer.get("code") in PRESSED


def asked(
    http: httpx2.Client, method: str, path: str, **given: Any
) -> tuple[float, httpx2.Response]:
    """Send a request until the deck is not pressed; return when the last was sent, and its answer."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        sent = time.monotonic()
        answer = http.request(method, path, **given)
        if answer.status_code != 429 or not pressed(429, answer.json()) or sent > deadline:
            return sent, answer
        time.sleep(0.2)


async def told_by_tool(call: Callable[[], Awaitable[Any]]) -> Any:
    """Call a tool until the deck is not pressed, as its refusals ask, and return the result."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        result = await call()
        reply = result.structured_content or {}
        if reply.get("code") not in PRESSED or time.monotonic() > deadline:
            return result
        await asyncio.sleep(reply["retry_after_s"])


def stat_of(process: int | str) -> list[str]:
    """State, parent and what else is known of a process."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def slices_on_disk(data_dir: Path) -> int:
    """Return the index of the last slice in the journal, -1 before the first."""
    path = data_dir / "core.db"
    if not path.exists():
        return -1
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT MAX(slice) FROM step").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return -1
    return -1 if row[0] is None else int(row[0])


def start(data_dir: Path, *arguments: str) -> RunningDeck:
    """Start ``quarterdeck demo`` on its own data folder and a free port."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUARTERDECK_DATA")
    }
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "quarterdeck",
            "demo",
            "--data-dir",
            str(data_dir),
            "--port",
            "0",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    return RunningDeck(process, data_dir)


@contextmanager
def running(data_dir: Path, *arguments: str) -> Iterator[RunningDeck]:
    """A deck that is open, and gone at the end."""
    deck = start(data_dir, *arguments)
    try:
        deck.wait_until_open()
        yield deck
    finally:
        deck.end()


def whole_run(data_dir: Path, report: Path, *arguments: str) -> Json:
    """Run the embedded history to its end and return the report."""
    deck = start(
        data_dir, "--speed", "max", "--exit-when-done", "--report", str(report), *arguments
    )
    status = deck.finish()
    assert status == 0, "".join(deck.said)
    result: Json = json.loads(report.read_text())
    return result


def launch(data_dir: Path, *command: str) -> RunningDeck:
    """Start a Python command line of any kind that becomes a deck on ``data_dir``."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUARTERDECK_DATA")
    }
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    return RunningDeck(process, data_dir)


@contextmanager
def opened(deck: RunningDeck) -> Iterator[RunningDeck]:
    """A started deck once it is open, and gone at the end."""
    try:
        deck.wait_until_open()
        yield deck
    finally:
        deck.end()


def wait_for(fact: Callable[[], object], what: str, *, seconds: float = PATIENCE_S) -> None:
    """Ask again and again until ``fact`` holds."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def wait_until_trading(deck: RunningDeck) -> None:
    """Return once the warm-up is over."""
    wait_for(lambda: deck.get("/overview")["feed"]["state"] == "running", "trading is open")


def stand_at(deck: RunningDeck, slice_index: int = WARMED_UP + 1) -> None:
    """Let a deck that is ``STILL`` come to exactly ``slice_index``, and rest there."""
    wait_for(lambda: deck.get("/overview")["feed"]["slice"] >= WARMED_UP, "the end of the warm-up")
    status, answer = deck.call("POST", "/system/replay", {"action": "pause"})
    assert status == 200, answer
    for _ in range(deck.get("/overview")["feed"]["slice"], slice_index):
        status, answer = deck.call("POST", "/system/replay", {"action": "step"})
        assert status == 200, answer
    wait_for(lambda: deck.get("/overview")["feed"]["slice"] >= slice_index, f"slice {slice_index}")
    feed = deck.get("/overview")["feed"]
    assert (feed["state"], feed["slice"]) == ("paused", slice_index)


def step_to_next(deck: RunningDeck) -> int:
    """Let one slice through a paused deck and return its index."""
    before = deck.get("/overview")["feed"]["slice"]
    status, answer = deck.call("POST", "/system/replay", {"action": "step"})
    assert status == 200, answer
    wait_for(lambda: deck.get("/overview")["feed"]["slice"] == before + 1, "the slice stepped")
    return int(before) + 1


def agent_key(deck: RunningDeck, name: str, **more: object) -> str:
    """Register an outside agent and return its key."""
    status, issued = deck.call("POST", "/agents", {"name": name, **more})
    assert status == 201, issued
    return str(issued["key"])


def ran(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``quarterdeck`` with these arguments to its end."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUARTERDECK_DATA")
    }
    return subprocess.run(
        [sys.executable, "-m", "quarterdeck", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment,
        cwd=cwd,
        check=False,
    )
