"""The built dashboard on its own: what it weighs, what it asks for, and how it opens."""

from __future__ import annotations

import gzip
import importlib.util
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.house.source import ROOT

BUNDLE = ROOT / "src" / "quarterdeck" / "server" / "ui"
INITIAL_KB = 200
CSS_KB = 20
LAZY_KB = 80
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'"
)
MEDIA = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def index() -> str:
    return (BUNDLE / "index.html").read_text(encoding="utf-8")


def weight_kb(path: Path) -> float:
    return len(gzip.compress(path.read_bytes(), mtime=0)) / 1000


def initial() -> set[Path]:
    return {
        BUNDLE / name.lstrip("/") for name in re.findall(r'(?:src|href)="(/assets/[^"]+)"', index())
    }


def test_the_first_page_is_light() -> None:
    scripts = [path for path in initial() if path.suffix == ".js"]
    styles = [path for path in initial() if path.suffix == ".css"]
    assert scripts
    assert styles
    assert sum(map(weight_kb, scripts)) <= INITIAL_KB
    assert sum(map(weight_kb, styles)) <= CSS_KB


def test_every_further_page_is_light() -> None:
    later = set((BUNDLE / "assets").glob("*.js")) - initial()
    assert later
    assert {path.name for path in later if weight_kb(path) > LAZY_KB} == set()


def test_the_index_holds_no_inline_code_and_names_nothing_elsewhere() -> None:
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", index()) == []
    assert "<style" not in index()
    assert re.findall(r'(?:src|href)="(?!/)[^"]+"', index()) == []


def test_every_file_but_the_index_is_named_by_its_content() -> None:
    names = [path.relative_to(BUNDLE).as_posix() for path in BUNDLE.rglob("*") if path.is_file()]
    pattern = r"assets/.+-[A-Za-z0-9_-]{8}\.(?:js|css|svg|woff2)"
    assert [
        name for name in names if name != "index.html" and not re.fullmatch(pattern, name)
    ] == []


class SignedOutDeck(BaseHTTPRequestHandler):
    """Serves the bundle under a strict policy and answers every question with 401."""

    def do_GET(self) -> None:
        asset = BUNDLE / self.path.lstrip("/")
        if self.path.startswith("/api/"):
            self.answer(401, "application/problem+json", b'{"status":401,"title":"Unauthorized"}')
        elif self.path.startswith("/assets/") and asset.is_file():
            self.answer(200, MEDIA[asset.suffix], asset.read_bytes())
        else:
            self.answer(200, "text/html; charset=utf-8", (BUNDLE / "index.html").read_bytes())

    def answer(self, status: int, media: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-security-policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), SignedOutDeck) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.journey
@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_without_a_session_the_page_says_how_to_get_one(address: str, width: int) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Chromium on PATH and the playwright package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": width, "height": 844})
        asked: list[str] = []
        broken: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on(
            "console",
            lambda line: broken.append(line.text) if "policy" in line.text.lower() else None,
        )
        page.goto(f"{address}/risk")
        page.get_by_role("heading", name="Open the address from the terminal").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert broken == []
    assert [url for url in asked if not url.startswith(address)] == []
