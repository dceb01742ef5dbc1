"""Linear programmes by HiGHS, whole numbers included."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SOLVER: Final = "highs"

TOLERANCE: Final = 1e-10
"""Largest violation of a row or of a reduced cost, in the units of the programme."""

WHOLE_GAP: Final = 1e-4
"""Proven relative gap at which branching for whole numbers ends."""

WHOLE_NODES: Final = 500
"""Nodes after which branching ends with the best found and its gap: a count, not a time, so that
every machine ends alike."""


class LinearProgramme:
    """A programme that rows and columns can be added to, each solve starting from the last basis.

    Columns are found by their place, ``low <= row <= high``. All costs are minimised.
    """

    def __init__(self) -> None:
        # Loaded on the first programme: the process starts without it. The class that highspy itself
        # wraps, because the wrapper prints a banner into our output.
        from highspy import _core as highs

        self._inf = float(highs.kHighsInf)
        self._integer = highs.HighsVarType.kInteger
        self._solved = highs.HighsModelStatus.kOptimal
        self._stopped = highs.HighsModelStatus.kSolutionLimit
        self._has_whole = False
        self._model = highs._Highs()  # noqa: SLF001
        for name, value in (
            ("output_flag", False),
            ("threads", 1),
            ("presolve", "off"),
            ("primal_feasibility_tolerance", TOLERANCE),
            ("dual_feasibility_tolerance", TOLERANCE),
            ("mip_rel_gap", WHOLE_GAP),
            ("mip_max_nodes", WHOLE_NODES),
        ):
            self._model.setOptionValue(name, value)

    @property
    def columns(self) -> int:
        """Number of columns so far."""
        return int(self._model.getNumCol())

    def add_columns(self, cost: FloatArray, *, lower: FloatArray, upper: FloatArray) -> int:
        """Add columns without entries; return the place of the first."""
        first, none = self.columns, np.zeros(0)
        self._model.addCols(
            cost.size,
            cost,
            np.where(np.isfinite(lower), lower, -self._inf),
            np.where(np.isfinite(upper), upper, self._inf),
            0,
            np.zeros(cost.size, dtype=np.int32),
            none.astype(np.int32),
            none,
        )
        return first

    def add_rows(
        self,
        entries: FloatArray,
        *,
        columns: npt.NDArray[np.int64],
        low: FloatArray,
        high: FloatArray,
    ) -> None:
        """Add rows with ``entries`` (r, k) in ``columns`` (k,) or (r, k)."""
        r, k = entries.shape
        places = np.broadcast_to(columns, (r, k)).astype(np.int32)
        self._model.addRows(
            r,
            np.where(np.isfinite(low), low, -self._inf),
            np.where(np.isfinite(high), high, self._inf),
            r * k,
            np.arange(r, dtype=np.int32) * k,
            places.ravel(),
            np.ascontiguousarray(entries).ravel(),
        )

    def whole(self, first: int, count: int) -> None:
        """Ask for whole numbers in ``count`` columns from ``first`` on."""
        self._has_whole = True
        # Presolve forbids going on from the last basis, which branching does not do anyway.
        self._model.setOptionValue("presolve", "on")
        for column in range(first, first + count):
            self._model.changeColIntegrality(column, self._integer)

    def minimum(self) -> tuple[FloatArray, float] | None:
        """Return the solution and a proven lower bound of the least cost; None where there is none."""
        self._model.run()
        status, information = self._model.getModelStatus(), self._model.getInfo()
        best = float(information.objective_function_value)
        stopped = self._has_whole and status == self._stopped and abs(best) < self._inf
        if status != self._solved and not stopped:
            return None
        x = np.array(self._model.getSolution().col_value, dtype=np.float64)
        return x, float(information.mip_dual_bound) if self._has_whole else best


def linear_minimum(
    cost: FloatArray,
    *,
    equal: tuple[FloatArray, FloatArray],
    rows: tuple[FloatArray, FloatArray, FloatArray],
    bounds: tuple[FloatArray, FloatArray],
) -> FloatArray | None:
    """Return the x between bounds with the least ``cost'x`` under rows, or None where there is none.

    Parameters
    ----------
    cost : ndarray of shape (m,), float64
    equal : matrix (e, m) and right side (e,)
    rows : matrix (r, m) with the low (r,) and high (r,) end of each row
    bounds : lower (m,) and upper (m,)

    Examples
    --------
    >>> one = (np.ones((1, 2)), np.ones(1))
    >>> none = (np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    >>> linear_minimum(
    ...     np.array([2.0, 1.0]), equal=one, rows=none, bounds=(np.zeros(2), np.full(2, 0.7))
    ... ).round(9).tolist()
    [0.3, 0.7]
    """
    programme = LinearProgramme()
    programme.add_columns(cost, lower=bounds[0], upper=bounds[1])
    places = np.arange(cost.size)
    programme.add_rows(equal[0], columns=places, low=equal[1], high=equal[1])
    if rows[1].size:
        programme.add_rows(rows[0], columns=places, low=rows[1], high=rows[2])
    found = programme.minimum()
    return None if found is None else found[0]
