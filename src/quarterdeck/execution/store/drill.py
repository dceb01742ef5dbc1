"""The last drill of the stop, from its rows."""

from __future__ import annotations

import msgspec

from quarterdeck.execution.model import DrillView
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.state import Reader


def read_drill(reader: Reader) -> DrillView:
    """Return the record of the last drill."""
    proven = [rfc3339(Nanos(row["machine_at"])) for row in reader.rows("execution.last_proof")]
    for row in reader.rows("execution.last_drill"):
        return DrillView(
            number=row["number"],
            at=rfc3339(Nanos(row["machine_at"])),
            proven_at=proven[0] if proven else None,
            faults=msgspec.json.decode(row["faults"], type=tuple[str, ...]),
            in_force_ms=row["in_force_ms"],
            done_ms=row["done_ms"],
            orders=row["orders"],
            accepted=row["accepted"],
            refused=row["refused"],
            cancelled=row["cancelled"],
        )
    return DrillView(number=0)
