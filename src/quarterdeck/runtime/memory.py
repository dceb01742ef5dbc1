"""The search for garbage, as a process wants it that lives long and holds much."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""Objects made before the youngest are searched; at Python's 700 an order cost a tenth more."""
MIDDLE = 5
"""Searches of the youngest before the middle is searched as well: at 20 one of them took 38 ms."""
OLD = 20
"""Searches of the middle before the old are searched as well."""


def keep_what_is() -> None:
    """Leave all that is there now out of the search, and search the rest less often.

    What a deck holds once it is up it holds to its end; searching it again and again only makes orders
    wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
