"""How a service declares what it keeps, and what the house asks of every service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.messages import Message

if TYPE_CHECKING:
    from quarterdeck.runtime.sequencer import Step

Array = npt.NDArray[np.generic]


class State(StrEnum):
    """The four things an attribute of a service may be."""

    JOURNALED = "J"
    """In the database, loaded at start; its rows are written in the step that changes it."""
    CHECKPOINTED = "K"
    """Analytic arrays, written bit for bit now and then and recomputed silently after that."""
    VIEW = "V"
    """Derivable from J and K, rebuilt at start."""
    FIXED = "fixed"
    """Given at construction and never changed: collaborators, parameters."""


class Reader(Protocol):
    """Named reads of the database at start."""

    def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        """Return all rows of the named statement of a ``store.sql``."""
        ...

    def tuples(self, statement: str, /, **values: object) -> Sequence[Sequence[Any]]:
        """Return the same by position alone: for tables so long that names would cost a second."""
        ...


class History(Protocol):
    """Named reads of the database while the deck runs, off the event loop, bounded in time."""

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        """Return the rows of the named statement; at most 1,000 are delivered a page."""
        ...


@runtime_checkable
class Service(Protocol):
    """The one stateful class of a capability."""

    name: ClassVar[str]
    state: ClassVar[Mapping[str, State]]

    def load(self, reader: Reader) -> None:
        """Fill the journaled state from the database, then rebuild the views of it."""
        ...

    def hear(self, message: Message, step: Step) -> None:
        """Change memory, append rows and messages to the step. Never awaits."""
        ...


@runtime_checkable
class Analytic(Protocol):
    """A service that keeps checkpointed arrays."""

    name: ClassVar[str]

    def arrays(self) -> dict[str, Array]:
        """Return the arrays themselves by name, for a checkpoint or a digest."""
        ...

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint's arrays in, bit for bit; a missing or misshapen one is an error."""
        ...

    def absorb(self, bars: Message) -> None:
        """Run the kernels on a recorded slice silently: nothing said, nothing written."""
        ...
