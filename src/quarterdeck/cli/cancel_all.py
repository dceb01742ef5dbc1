"""Cancelling what rests at a remote venue from a process of its own, while the deck cannot.

It speaks to the venue through the same adapter as the deck. Nothing of the deck's own is changed: when
it moves again, it hears of the cancels from the venue's reports.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from quarterdeck.adapters.brokers.reach import Reach
from quarterdeck.kernel.errors import NotFound


def cancel_all(data_dir: Path) -> tuple[str, ...]:
    """Cancel every order that works at the venue of the run, and return their identities."""
    path = data_dir / "venue.json"
    try:
        reach = msgspec.json.decode(path.read_bytes(), type=Reach)
    except OSError as error:
        raise NotFound(
            f"{path}: {error.strerror}; orders of this run fill inside the deck, where none can "
            "fill while trading is stopped",
            field="cancel",
        ) from None
    return asyncio.run(_cancel(reach, data_dir / "venue.requests"))


async def _cancel(reach: Reach, requests: Path) -> tuple[str, ...]:
    async with reach.venue(requests) as venue:
        working = (await venue.books()).working
        for order in working:
            await venue.cancel(order.client_id)
        left = {order.client_id for order in (await venue.books()).working}
    return tuple(order.client_id for order in working if order.client_id not in left)
