"""Seeded chance: the same seed and name give the same draws, on every machine."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

_T = TypeVar("_T")
_MASK = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15


class Chance:
    """One stream of draws (splitmix64); ``fork`` gives streams that do not disturb each other."""

    def __init__(self, seed: int, name: str = "") -> None:
        self._seed = seed
        self._name = name
        digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def fork(self, name: str) -> Chance:
        """Return the stream called ``name`` below this one; it depends on no draw made here."""
        return Chance(self._seed, f"{self._name}/{name}")

    def bits(self) -> int:
        """Return 64 random bits."""
        self._state = (self._state + _STEP) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def unit(self) -> float:
        """Return a number in [0, 1)."""
        return (self.bits() >> 11) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.unit()

    def below(self, n: int) -> int:
        """Return a whole number from 0 to ``n - 1``."""
        return self.bits() * n >> 64

    def happens(self, probability: float) -> bool:
        """Return whether something of that probability happens now."""
        return self.unit() < probability

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of ``choices``."""
        return choices[self.below(len(choices))]

    def shuffle(self, items: MutableSequence[_T]) -> None:
        """Put ``items`` into a random order."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def some(self, choices: Sequence[_T], *, least: int, most: int) -> list[_T]:
        """Return between ``least`` and ``most`` of ``choices``, in their own order."""
        n = min(least + self.below(most - least + 1), len(choices))
        places = list(range(len(choices)))
        self.shuffle(places)
        return [choices[place] for place in sorted(places[:n])]
