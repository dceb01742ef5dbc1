"""A newcomer's first minute: a fresh clone, a clean environment, ``scripts/run``, the printed URL, a chart that moves.

The repository is cloned at HEAD into a temporary folder and started three times with nothing in the
environment but HOME (an empty folder) and a PATH of one Python and the system's tools. ``setup_s`` is
the first start's set-up (packages and kernels; it depends on the network and is shown only).
``url_s`` is from the end of set-up, when ``scripts/run`` becomes ``quarterdeck demo``, to the printed
URL; ``chart_s`` from opening that URL in headless Chromium to the first chart that moved: two
different pictures with different bars read out. Both are medians of three; ``again_s`` is from typing
``scripts/run`` to the URL when everything is set up. Any console error, console warning or request to
another machine is counted over all three.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser

from benchmarks._reporting import ROOT, Figures, main, progress
from tests.journeys.browsers import Watched, chromium, find_chromium

STARTS = 3
SETUP_S = 900.0
URL_S = 120.0
CHART_S = 60.0
END_S = 30.0
LOOK_S = 0.005
_URL = re.compile(r"open\s+(http://\S+/login\?token=\S+)")


@dataclass
class Start:
    """One ``scripts/run``, watched from outside: when it was set up and when it printed its URL."""

    process: subprocess.Popen[str]
    began: float
    set_up: float = 0.0
    url: str = ""
    printed: float = 0.0
    said: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Follow the output to its end, in a thread of its own so that no line waits."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            found = _URL.search(line)
            if found and not self.url:
                self.printed = time.perf_counter()
                self.url = found[1]

    def wait_for_the_end_of_set_up(self) -> None:
        """Wait until the script has become the deck: the same process with another command line."""
        command = Path(f"/proc/{self.process.pid}/cmdline")
        while b"quarterdeck\0demo" not in command.read_bytes():
            self._go_on_until(SETUP_S, "set up")
        self.set_up = time.perf_counter()

    def wait_for_the_url(self) -> None:
        """Wait until the address was printed."""
        while not self.url:
            self._go_on_until(SETUP_S + URL_S, "open")

    def _go_on_until(self, seconds: float, what: str) -> None:
        if self.process.poll() is not None or time.perf_counter() - self.began > seconds:
            raise RuntimeError(f"scripts/run was not {what}:\n{''.join(self.said)}")
        time.sleep(LOOK_S)


@dataclass(frozen=True)
class Minute:
    """What one start showed."""

    set_up_s: float
    url_s: float
    chart_s: float
    complaints: tuple[str, ...]
    foreign: tuple[str, ...]


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment of a home that is empty and a path to this Python and the system's tools."""
    home, tools = folder / "home", folder / "bin"
    home.mkdir()
    tools.mkdir()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tools / name).symlink_to(Path(sys.base_prefix) / "bin" / name)
    return {"HOME": str(home), "PATH": f"{tools}:/usr/bin:/bin"}


@contextmanager
def started(clone: Path, environment: dict[str, str], *arguments: str) -> Iterator[Start]:
    """``scripts/run`` in the clone, gone at the end."""
    began = time.perf_counter()
    process = subprocess.Popen(
        ["scripts/run", *arguments],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    start = Start(process, began)
    reader = threading.Thread(target=start.read)
    reader.start()
    try:
        yield start
    finally:
        process.terminate()
        try:
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def minute(start: Start, browser: Browser) -> Minute:
    """Follow one start from its first moment to a chart that moves."""
    start.wait_for_the_end_of_set_up()
    start.wait_for_the_url()
    parts = urlsplit(start.url)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    watched = Watched(context.new_page(), f"{parts.scheme}://{parts.netloc}").watch()
    opened = time.perf_counter()
    watched.page.goto(start.url, wait_until="commit")
    moved = watched.chart_moves(seconds=CHART_S)
    chart_s = time.perf_counter() - opened
    context.close()
    if moved is None:
        raise RuntimeError(f"no chart moved within {CHART_S} s; console: {watched.complaints}")
    return Minute(
        set_up_s=start.set_up - start.began,
        url_s=start.printed - start.set_up,
        chart_s=chart_s,
        complaints=tuple(watched.complaints),
        foreign=tuple(watched.foreign),
    )


def measure() -> Figures:
    """Clone, set up once, start three times."""
    path = find_chromium()
    if path is None:
        raise SystemExit("first_minute needs Chromium on PATH")
    with tempfile.TemporaryDirectory() as name, chromium(path) as browser:
        folder, found = Path(name), []
        environment = clean_environment(folder)
        progress("cloning")
        subprocess.run(
            ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder / "clone")],
            check=True,
        )
        for trial in range(STARTS):
            progress("starting for the first time" if trial == 0 else "starting again, afresh")
            arguments = () if trial == 0 else ("--fresh",)
            with started(folder / "clone", environment, *arguments) as start:
                seen = minute(start, browser)
            progress(
                f"start {trial + 1}: set-up {seen.set_up_s:.2f} s, URL after {seen.url_s:.2f} s, "
                f"moving chart after {seen.chart_s:.2f} s"
            )
            for line in (*seen.complaints, *seen.foreign):
                progress(f"  {line}")
            found.append(seen)
    return {
        "setup_s": found[0].set_up_s,
        "url_s": statistics.median(one.url_s for one in found),
        "chart_s": statistics.median(one.chart_s for one in found),
        "first_url_s": found[0].url_s,
        "first_chart_s": found[0].chart_s,
        "again_s": statistics.median(one.set_up_s + one.url_s for one in found[1:]),
        "console_errors": sum(len(one.complaints) for one in found),
        "foreign_requests": sum(len(one.foreign) for one in found),
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "first_minute",
            measure,
            claims={
                "setup_s": "shown only",
                "url_s": "at most 10",
                "chart_s": "at most 15",
                "console_errors": "0 (warnings count)",
                "foreign_requests": "0",
            },
        )
    )
