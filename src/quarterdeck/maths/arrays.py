"""Named arrays over instruments that can be checkpointed bit for bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ArrayState:
    """A structure of arrays; a subclass lists its arrays in ``__slots__``, first axis instruments.

    Every array is C-contiguous and either float64 or int64. The arrays are the whole state: what
    ``load`` receives from ``arrays`` of an equally shaped object makes the two indistinguishable.
    """

    __slots__ = ()

    def arrays(self) -> dict[str, Floats | Ints]:
        """Return the very arrays by name, not copies; writing to one writes to the state."""
        names: tuple[str, ...] = tuple(self.__slots__)
        return {name: getattr(self, name) for name in names}

    def load(self, mapping: Mapping[str, Floats | Ints]) -> None:
        """Copy every array of ``mapping`` into this state, bit for bit.

        Parameters
        ----------
        mapping : Mapping of str to ndarray
            Exactly the names of ``arrays()``, each of the same shape and dtype.

        Raises
        ------
        InvalidInput
            If a name is missing or unknown, or a shape or dtype differs. Nothing is changed then.
        """
        own = self.arrays()
        if mapping.keys() != own.keys():
            raise InvalidInput.of("state", sorted(mapping), f"exactly the arrays {sorted(own)}")
        for name, target in own.items():
            given = mapping[name]
            if given.dtype != target.dtype or given.shape != target.shape:
                raise InvalidInput.of(
                    name, f"{given.dtype}{given.shape}", f"{target.dtype}{target.shape}"
                )
        for name, target in own.items():
            np.copyto(target, mapping[name], casting="no")
