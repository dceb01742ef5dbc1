"""Writes columns as a CSV or Parquet file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339


def check_target(path: Path) -> None:
    """Raise ``InvalidInput`` unless ``path`` names a CSV or Parquet file in an existing folder."""
    if path.suffix not in {".csv", ".parquet"} or not path.parent.is_dir():
        raise InvalidInput.of("--out", path, "a .csv or .parquet file in an existing folder")


def write_table(path: Path, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write columns of equal length in order; NaN is written as nothing, ``ts`` is UTC nanoseconds.

    The file appears whole or not at all.
    """
    import duckdb

    frame, shown = {}, []
    for name, column in columns.items():
        if name == "ts" and path.suffix == ".csv":
            frame[name] = np.array([rfc3339(Nanos(at)) for at in column.tolist()], dtype=object)
        else:
            frame[name] = column.astype("datetime64[ns]") if name == "ts" else column
        nothing = f"nullif({name}, 'nan'::double) as {name}"
        shown.append(nothing if column.dtype == np.float64 else name)
    kind = "format csv, header" if path.suffix == ".csv" else "format parquet"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        connection.register("frame", frame)
        target = str(part).replace("'", "''")
        connection.execute(f"copy (select {', '.join(shown)} from frame) to '{target}' ({kind})")  # noqa: S608 - our own names
    part.replace(path)
