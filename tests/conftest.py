"""What every test stands on: the numeric environment, and Hypothesis without wall-clock verdicts."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from quarterdeck.runtime import kernels

# Before any test module imports numpy or numba.
kernels.prepare()

# Decks are reached directly, whatever proxy leads from this machine to the world.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Neither the developer's own deck nor their settings may reach a test.
for _name in [name for name in os.environ if name.startswith("QUARTERDECK_")]:
    if _name not in {
        "QUARTERDECK_VENV",
        "QUARTERDECK_CACHE_DIR",
        "QUARTERDECK_PYTHON",
        "QUARTERDECK_SHARED_DATA",
    }:
        del os.environ[_name]

# The same examples on every machine and day; a slow machine is not a failure.
# `HYPOTHESIS_PROFILE=search` looks for new ones.
settings.register_profile(
    "house",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
