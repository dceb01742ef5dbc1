"""Browsers as people have them: Debian's Chromium, driven from outside, every complaint written down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.house.source import ROOT

PATIENCE_MS = 120_000
"""How long what must appear may take: no machine is so slow, and only a failure takes so long."""
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Two pictures that differ, both drawn, with different bars read out above them: the chart moves.
CHART_MOVES = """async (limit_ms) => {
  const began = performance.now();
  const since = () => performance.now() - began;
  const blank = document.createElement("canvas");
  let first = null, drawn_ms = null;
  while (since() < limit_ms) {
    const figure = document.querySelector('[role="figure"][aria-label^="Candles of"]');
    const canvases = figure === null ? [] : [...figure.querySelectorAll("canvas")];
    canvases.sort((a, b) => b.width * b.height - a.width * a.height);
    const canvas = canvases[0];
    if (canvas !== undefined && canvas.width > 0) {
      blank.width = canvas.width;
      blank.height = canvas.height;
      const seen = { picture: canvas.toDataURL(), bar: figure.previousElementSibling.textContent };
      if (seen.picture !== blank.toDataURL() && seen.bar !== "") {
        if (first === null) {
          first = seen;
          drawn_ms = since();
        }
        if (seen.picture !== first.picture && seen.bar !== first.bar) {
          return { drawn_ms, moved_ms: since() };
        }
      }
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return null;
}"""


@dataclass
class Watched:
    """A page, and what it complained of or asked from elsewhere."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self) -> Watched:
        """Write down errors, warnings and requests from now on."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))
        self.page.on("request", self._asked)
        self.page.on("websocket", lambda socket: self._reached(socket.url))
        return self

    def chart_moves(self, *, seconds: float) -> dict[str, Any] | None:
        """Wait for the candle chart to move; milliseconds until drawn and moved, or ``None``."""
        moved: dict[str, Any] | None = self.page.evaluate(CHART_MOVES, seconds * 1000)
        return moved

    def _said(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.complaints.append(f"{line.type}: {line.text} ({line.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        self._reached(request.url)

    def _reached(self, url: str) -> None:
        own = (self.origin + "/", self.origin.replace("http", "ws", 1) + "/", "data:", "blob:")
        if not url.startswith(own):
            self.foreign.append(url)


def axe_findings(page: Page) -> list[str]:
    """Return every place of the page, as it is now, that breaks a rule of accessibility."""
    page.evaluate("code => window.axe ?? eval(code)", AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})",
        list(AXE_RULES),
    )
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    return None


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A headless browser that is gone at the end, on a machine of any speed."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
