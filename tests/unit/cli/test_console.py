"""What a command does with a deck that is pressed: it asks again when the deck says, and not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quarterdeck.cli.console import BUSY_S, call_deck
from quarterdeck.kernel.errors import DomainError


@contextmanager
def answering(*statuses: int) -> Iterator[dict[str, str]]:
    """A server that gives these statuses in turn, the last one for ever."""
    left = list(statuses)

    class Pressed(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status = left.pop(0) if len(left) > 1 else left[0]
            body = b'{"code": "JOURNAL_SLOW", "detail": "the disk is slower than the steps"}'
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status in (429, 503):
                self.send_header("retry-after", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Pressed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"url": f"http://127.0.0.1:{server.server_port}", "key": "k"}
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, instead of the time they take."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    # Nobody may come between a command and the deck.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    return made


def test_a_pressed_deck_is_asked_again_when_it_says_so(pauses: list[float]) -> None:
    with answering(429, 429, 201) as deck:
        assert call_deck(deck, "POST", "/agents", {})["code"] == "JOURNAL_SLOW"
    assert pauses == [1.0, 1.0]


def test_a_deck_that_stays_pressed_is_given_up_and_says_why(pauses: list[float]) -> None:
    with answering(429) as deck, pytest.raises(DomainError, match="slower than") as refusal:
        call_deck(deck, "POST", "/agents", {})
    assert refusal.value.code == "JOURNAL_SLOW"
    assert 0 < sum(pauses) < BUSY_S


def test_a_deck_that_is_closed_is_not_asked_again(pauses: list[float]) -> None:
    with answering(503) as deck, pytest.raises(DomainError):
        call_deck(deck, "POST", "/agents", {})
    assert pauses == []
