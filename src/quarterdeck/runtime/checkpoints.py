"""Checkpointed state: the analytic arrays, saved bit for bit and brought up to date silently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from quarterdeck.kernel.messages import Message
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Analytic, Array, Reader, State

KEPT_CHECKPOINTS = 2


class Checkpoints:
    """Writes every analytic's arrays with the step of every ``every``-th slice.

    It hears the slice last, so that what it saves is the state after the whole step.
    ``kernel_digest`` names the kernels and what they compute here; only checkpoints of the same name
    are restored.
    """

    name: ClassVar[str] = "checkpoints"
    state: ClassVar[Mapping[str, State]] = {
        "_analytics": State.FIXED,
        "_every": State.FIXED,
        "_kernel_digest": State.FIXED,
    }

    def __init__(self, *, analytics: Sequence[Analytic], every: int, kernel_digest: str) -> None:
        self._analytics = tuple(analytics)
        self._every = every
        self._kernel_digest = kernel_digest

    def load(self, reader: Reader) -> None:
        """Nothing is kept in memory."""

    def hear(self, message: Message, step: Step) -> None:
        """Save a checkpoint if this slice is one to save at."""
        if (step.slice + 1) % self._every:
            return
        for analytic in self._analytics:
            for name, array in analytic.arrays().items():
                step.write(
                    "runtime.checkpoint_saved",
                    slice=step.slice,
                    service=analytic.name,
                    name=name,
                    kernel_digest=self._kernel_digest,
                    dtype=array.dtype.str,
                    shape=json.dumps(array.shape),
                    data=array.tobytes(),
                )
        step.write(
            "runtime.checkpoints_dropped", slice=step.slice - self._every * KEPT_CHECKPOINTS + 1
        )

    def restore(self, reader: Reader, *, cursor: int) -> int:
        """Restore the newest usable checkpoint at or before ``cursor``; return its slice or -1."""
        slices = reader.rows(
            "runtime.checkpoint_slices", kernel_digest=self._kernel_digest, slice=cursor
        )
        if not slices:
            return -1
        found = int(slices[0]["slice"])
        arrays: dict[str, dict[str, Array]] = {}
        for row in reader.rows("runtime.checkpoint", slice=found):
            flat = np.frombuffer(bytes(row["data"]), dtype=np.dtype(str(row["dtype"])))
            shaped = flat.reshape(json.loads(str(row["shape"])))
            arrays.setdefault(str(row["service"]), {})[str(row["name"])] = shaped
        for analytic in self._analytics:
            analytic.restore(arrays.get(analytic.name, {}))
        return found

    def digest(self) -> bytes:
        """Return SHA-256 over all arrays: names, types, shapes and bytes."""
        digest = hashlib.sha256()
        for analytic in self._analytics:
            for name, array in sorted(analytic.arrays().items()):
                head = f"{analytic.name}.{name} {array.dtype.str} {array.shape}\n"
                digest.update(head.encode())
                digest.update(array.tobytes())
        return digest.digest()


Absorb = Callable[[int], None]
"""Feeds one recorded slice, by index, to every analytic silently and in step order."""


def catch_up(checkpoints: Checkpoints, reader: Reader, *, cursor: int, absorb: Absorb) -> int:
    """Bring the analytics to the state after slice ``cursor``; return the slices recomputed."""
    start = checkpoints.restore(reader, cursor=cursor) + 1
    for index in range(start, cursor + 1):
        absorb(index)
    return cursor + 1 - start
