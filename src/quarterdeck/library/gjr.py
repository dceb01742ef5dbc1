"""Fits a GJR-GARCH(1,1) with Student shocks by the package ``arch``, in a process of its own.

``python -m quarterdeck.library.gjr`` reads ``{"symbol": [log returns]}`` and writes
``{"model": ..., "fits": [...]}``, JSON both; a symbol whose fit does not converge is left out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

import msgspec
import numpy as np

from quarterdeck.kernel.errors import Unavailable

PERCENT = 100.0
"""What the optimiser wants its returns multiplied by."""


class _Fitted(Protocol):
    """What is used of arch's result."""

    params: Mapping[str, float]
    convergence_flag: int


class _Model(Protocol):
    """What is used of arch's model."""

    def fit(self, *, disp: str, show_warning: bool) -> _Fitted:
        """Maximise the likelihood."""


class _Arch(Protocol):
    """What is used of the package."""

    __version__: str

    def arch_model(
        self, y: object, *, mean: str, vol: str, p: int, o: int, q: int, dist: str
    ) -> _Model:
        """Return a model of the returns ``y``."""


class Fits(msgspec.Struct, frozen=True):
    """What came of a run: the package with its version, and the parameters by symbol."""

    model: str
    fits: tuple[dict[str, str | float], ...]


def installed() -> bool:
    """Return whether the package is there."""
    return find_spec("arch") is not None


def fitted(returns: Mapping[str, Sequence[float]]) -> Fits:
    """Return a fit of every symbol that has one, in units of log returns.

    Raises
    ------
    Unavailable
        If the package is not installed.
    """
    if not installed():
        raise Unavailable(
            "the package arch is not installed",
            field="arch",
            value="missing",
            accepted="pip install 'quarterdeck[fit]'",
        )
    arch = cast("_Arch", import_module("arch"))
    found: list[dict[str, str | float]] = []
    for symbol, values in returns.items():
        result = _fit(arch, values)
        if result is not None:
            found.append({"symbol": symbol, **result})
    return Fits(model=f"arch {arch.__version__} GJR-t", fits=tuple(found))


def _fit(arch: _Arch, values: Sequence[float]) -> dict[str, float] | None:
    scaled = np.array(values, dtype=np.float64) * PERCENT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = arch.arch_model(scaled, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t")
            result = model.fit(disp="off", show_warning=False)
        except (ValueError, np.linalg.LinAlgError):
            return None
    p = result.params
    fit = {
        "mean": float(p["mu"]) / PERCENT,
        "base": float(p["omega"]) / PERCENT**2,
        "shock": float(p["alpha[1]"]),
        "fall_shock": float(p["gamma[1]"]),
        "memory": float(p["beta[1]"]),
        "freedom": float(p["nu"]),
    }
    sound = result.convergence_flag == 0 and all(np.isfinite(value) for value in fit.values())
    return fit if sound else None


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, list[float]])
    sys.stdout.buffer.write(msgspec.json.encode(fitted(asked)))
