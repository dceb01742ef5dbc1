"""Quarterdeck: the self-hosted operations deck for AI trading agents.

Importing it costs nothing: what it offers as a library is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.library.bars import Bars, coarser, read_bars, slices
    from quarterdeck.library.indicators import IndicatorStream, indicators
    from quarterdeck.library.optimise import (
        Constraints,
        Estimate,
        Group,
        Limits,
        Optimum,
        RollingOptimizer,
        Sensitivity,
        View,
        frontier,
        optimize,
        sensitivity,
    )
    from quarterdeck.library.regimes import RegimeDetector, RegimeHistory, detect_regimes
    from quarterdeck.library.risk import RiskForecast, RiskForecaster, forecast_risk
    from quarterdeck.library.talib import talib_indicator
    from quarterdeck.library.walk_forward import Record, walk_forward

__version__ = "0.1.0"
__all__ = [
    "Bars",
    "Constraints",
    "Estimate",
    "Group",
    "IndicatorStream",
    "Limits",
    "Optimum",
    "Record",
    "RegimeDetector",
    "RegimeHistory",
    "RiskForecast",
    "RiskForecaster",
    "RollingOptimizer",
    "Sensitivity",
    "View",
    "__version__",
    "coarser",
    "detect_regimes",
    "forecast_risk",
    "frontier",
    "indicators",
    "optimize",
    "read_bars",
    "sensitivity",
    "slices",
    "talib_indicator",
    "walk_forward",
]

_LIBRARY = {
    "Bars": "bars",
    "Constraints": "optimise",
    "Estimate": "optimise",
    "View": "optimise",
    "Group": "optimise",
    "IndicatorStream": "indicators",
    "Limits": "optimise",
    "Optimum": "optimise",
    "Record": "walk_forward",
    "RegimeDetector": "regimes",
    "RegimeHistory": "regimes",
    "RiskForecast": "risk",
    "RiskForecaster": "risk",
    "RollingOptimizer": "optimise",
    "Sensitivity": "optimise",
    "coarser": "bars",
    "detect_regimes": "regimes",
    "forecast_risk": "risk",
    "frontier": "optimise",
    "indicators": "indicators",
    "optimize": "optimise",
    "read_bars": "bars",
    "sensitivity": "optimise",
    "slices": "bars",
    "talib_indicator": "talib",
    "walk_forward": "walk_forward",
}


def __getattr__(name: str) -> object:
    """Load a library name on first use."""
    if name not in _LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"quarterdeck.library.{_LIBRARY[name]}"), name)
    # The next use finds it here: looking a module up anew took a twentieth of an optimisation.
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
