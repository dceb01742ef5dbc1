"""Bars from files, as the library's callers see them."""

from __future__ import annotations

from quarterdeck.adapters.feeds.bars import Bars, BarSlice, slices
from quarterdeck.adapters.feeds.files import MAX_BARS, MAX_BYTES, Repair, read_bars

__all__ = ["MAX_BARS", "MAX_BYTES", "BarSlice", "Bars", "Repair", "read_bars", "slices"]
