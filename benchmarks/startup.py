"""How soon a deck is there: import, ready and memory, each in a process of its own, warm.

``import_s`` is ``import quarterdeck`` in a fresh interpreter (best of 5). ``ready_s`` is from the
start of the process to the first 200 of ``/readyz`` (median of 5), ``rss_mb`` its resident memory
then (largest of 5).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks._reporting import Figures, main, progress
from tests.journeys.decks import running, start

TRIALS = 5
IMPORT = "import time; t = time.perf_counter(); import quarterdeck; print(time.perf_counter() - t)"


def import_s() -> float:
    """Return the best of five fresh imports."""
    times = []
    for _ in range(TRIALS):
        out = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
        )
        times.append(float(out.stdout))
    return min(times)


def ready(folder: Path) -> tuple[float, float]:
    """Return seconds until ready and resident megabytes then."""
    began = time.perf_counter()
    deck = start(folder)
    try:
        deck.wait_until_open()
        while True:
            try:
                with urllib.request.urlopen(f"{deck.url}/readyz", timeout=5) as response:
                    if response.status == 200:
                        break
            except urllib.error.HTTPError as error:
                error.close()
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        return seconds, resident_mb(deck.process.pid)
    finally:
        deck.end()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the process has no VmRSS")


def measure() -> Figures:
    """Measure everything, warm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress("warming up")
        with running(folder / "warm"):
            pass
        found = []
        for trial in range(TRIALS):
            found.append(ready(folder / str(trial)))
            progress(f"trial {trial + 1}: ready in {found[-1][0]:.2f} s, {found[-1][1]:.0f} MB")
    return {
        "import_s": import_s(),
        "ready_s": statistics.median(seconds for seconds, _ in found),
        "rss_mb": max(megabytes for _, megabytes in found),
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "startup",
            measure,
            claims={"import_s": "below 0.3", "ready_s": "at most 5", "rss_mb": "at most 400"},
        )
    )
