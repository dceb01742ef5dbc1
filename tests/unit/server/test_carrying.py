"""An order's answer is given with the machine seconds of this moment, never with remembered ones."""

from __future__ import annotations

import msgspec
import pytest

from quarterdeck.execution.model import OrderView
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.pacer import FeedState, FeedStatus
from quarterdeck.server.carrying import timed
from tests.unit.server.world import REFUSED, START, STOP, order

WAITING = order(OrderStatus.REFUSED, msgspec.structs.replace(REFUSED, retry_at_bars=3))


def feed(*, slice_: int, speed: float | None, state: FeedState = FeedState.RUNNING) -> FeedStatus:
    return FeedStatus(state=state, slice=slice_, slices=100, at=START, speed=speed)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (feed(slice_=9, speed=2.0), 1.5),
        (feed(slice_=11, speed=2.0), 0.5),
        (feed(slice_=50, speed=2.0), 0.0),
        (feed(slice_=9, speed=None), None),
        (feed(slice_=9, speed=2.0, state=FeedState.PAUSED), None),
        (feed(slice_=9, speed=2.0, state=FeedState.ENDED), None),
    ],
)
def test_bars_to_wait_become_seconds_from_now(now: FeedStatus, seconds: float | None) -> None:
    answer = timed(WAITING, now)
    assert isinstance(answer, OrderView)
    assert answer.decision.retry_after_s == seconds
    assert answer.decision.retry_at_bars == 3


def test_what_waiting_does_not_help_is_left_as_it_is() -> None:
    refused = order(OrderStatus.REFUSED, REFUSED)
    for answer in (refused, STOP):
        assert timed(answer, feed(slice_=9, speed=2.0)) is answer
