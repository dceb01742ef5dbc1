"""Every other indicator of TA-Lib, for rules of one's own; needs the package ``TA-Lib``."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


class _Function(Protocol):
    """What is used of ``talib.abstract.Function``."""

    info: dict[str, object]

    def __call__(self, columns: dict[str, FloatArray], **parameters: float) -> object:
        """Compute the outputs of one instrument."""


def talib_indicator(bars: Bars, name: str, **parameters: float) -> dict[str, dict[str, FloatArray]]:
    """Return the outputs of one TA-Lib function for every symbol, by the function's own names.

    Parameters
    ----------
    bars : Bars
        Each symbol is computed alone, on its own bars.
    name : str
        A function of TA-Lib, such as ``CCI``.
    **parameters : float
        Its options by TA-Lib's names, such as ``timeperiod=20``; its defaults otherwise.

    Returns
    -------
    dict of symbol to dict of output to ndarray of shape (t,), float64
        NaN until TA-Lib defines a value.

    Raises
    ------
    InvalidInput
        If TA-Lib is not installed, has no such function or option, refuses a value, or the function needs
        a volume that the bars do not have.
    """
    function = _function(name)
    known = cast("dict[str, float]", function.info["parameters"])
    for option, value in parameters.items():
        if option not in known:
            raise InvalidInput.of(name, option, ", ".join(known) or "no option")
        if not np.isfinite(value):
            raise InvalidInput.of(option, value, "a finite number")
    options = {
        option: int(value) if isinstance(known[option], int) else value
        for option, value in parameters.items()
    }
    names = cast("list[str]", function.info["output_names"])
    found = {}
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        columns = {
            part: np.ascontiguousarray(getattr(bars, part)[rows])
            for part in ("open", "high", "low", "close", "volume")
        }
        if np.isnan(columns["volume"]).any() and "volume" in str(function.info["input_names"]):
            raise InvalidInput.of(name, f"{symbol} without volume", "bars that all have a volume")
        try:
            answer = function(columns, **options)
        except Exception as error:
            # TA-Lib raises the bare class for whatever it does not take.
            if type(error) is Exception:
                raise InvalidInput.of(
                    name, str(options or "as it is"), f"what TA-Lib takes ({error})"
                ) from None
            raise
        outputs = answer if isinstance(answer, list) else [answer]
        found[symbol] = {
            output: np.asarray(values, dtype=np.float64)
            for output, values in zip(names, outputs, strict=True)
        }
    return found


def _function(name: str) -> _Function:
    try:
        talib, abstract = import_module("talib"), import_module("talib.abstract")
    except ImportError:
        raise InvalidInput.of(
            "TA-Lib", name, "the package: pip install quarterdeck[talib]"
        ) from None
    known = cast("list[str]", talib.get_functions())
    if name not in known:
        raise InvalidInput.of("TA-Lib function", name, "one of " + ", ".join(known))
    return cast("_Function", abstract.Function(name))
