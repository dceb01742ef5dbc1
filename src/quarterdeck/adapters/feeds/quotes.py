"""Bars of quotes: prices in the middle of bid and ask, where there are both.

A bar with one side alone has no price: nobody says where the other side would have been. It is left out and
counted, as a missing bar is: nothing is filled from the side that is there, or from the bar before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from quarterdeck.adapters.feeds.bars import Floats
from quarterdeck.adapters.feeds.checks import Mask, RawBars
from quarterdeck.adapters.feeds.layout import PRICES


class Middle(NamedTuple):
    """Open, high, low and close ``prices`` (4, n), the ``spread`` at the close, and who has both sides."""

    prices: Floats
    spread: Floats
    two_sided: Mask


def middle_of(values: Mapping[str, Floats]) -> Middle:
    """Return the middle of quoted bars; a side that is 0 or NaN in any of its four prices is missing."""
    bid = np.stack([values[f"bid_{name}"] for name in PRICES])
    ask = np.stack([values[f"ask_{name}"] for name in PRICES])
    missing = ((bid == 0.0) | np.isnan(bid) | (ask == 0.0) | np.isnan(ask)).any(axis=0)
    return Middle((bid + ask) / 2.0, ask[3] - bid[3], ~missing)


def two_sided(raw: RawBars, kept: Mask) -> RawBars:
    """Return the bars that are ``kept``, with the others counted."""
    return replace(
        raw,
        **{
            name: getattr(raw, name)[kept]
            for name in ("row", "ts", "symbol_index", "unreadable", *PRICES, "volume", "spread")
        },
        one_sided=int(kept.size - np.count_nonzero(kept)),
    )
