"""The dashboard speaks the types that the models have now."""

from __future__ import annotations

import subprocess
import sys

from tests.house.source import ROOT


def test_the_dashboards_types_are_generated_from_these_models() -> None:
    found = subprocess.run(
        [sys.executable, "web/generate_wire.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
