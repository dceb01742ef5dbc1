"""A disk without room: an alert, reducing orders only, at last a paused feed; and all of it back."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from quarterdeck.agents.model import RegisterAgent
from quarterdeck.alerts.model import GetOpenAlerts
from quarterdeck.app.deck import Deck
from quarterdeck.app.engine import real_world
from quarterdeck.execution.model import OrderView, RaiseStop, SubmitOrder
from quarterdeck.kernel.errors import Unavailable
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.pacer import MIN_SPEED, FeedState
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller
from quarterdeck.runtime.space import LOW_BYTES, RELEASE_BYTES
from tests.unit.app.decks import admitted, plan_in, until
from tests.unit.execution.deck import agent_caller

WHO, OTHER = "ann", "reckless"
"""Whose orders these are, and nobody else's; and whose agent is stopped."""


@dataclass
class Disk:
    """A disk of which the test says how much is free."""

    free: int = 8 * LOW_BYTES
    total: int = 9 * LOW_BYTES

    def usage(self, folder: Path) -> Disk:
        return self


class Desk:
    """What people see and do at the door of one deck."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.keys = itertools.count()

    async def submit(self, command: Command, caller: Caller) -> Answer:
        """Submit at the door, as soon as the journal admits it."""
        return (await admitted(lambda: self.deck.door.submit(command, caller))).answer

    async def bar(self) -> None:
        """Let the next bar close; no other comes meanwhile."""
        pacer = self.deck.engine.pacer
        before = pacer.status().slice
        pacer.pause()
        pacer.step_once()
        await until(lambda: pacer.status().slice == before + 1)
        pacer.resume()

    async def order(self, side: Side, quantity: int) -> str:
        """Send an order of an agent; return its status or the code of its refusal at the door."""
        order = SubmitOrder(
            idempotency_key=f"t-{next(self.keys)}",
            symbol=self.deck.plan.feed.symbols[0],
            side=side,
            quantity=Decimal(quantity),
        )
        try:
            answer = await self.submit(order, agent_caller(WHO))
        except Unavailable as refusal:
            return refusal.code
        assert isinstance(answer, OrderView)
        return answer.status.value

    def held(self) -> int:
        account = self.deck.parts.execution.desk.accounts[WHO]  # type: ignore[index]
        holding = account.holdings.get(0)
        return 0 if holding is None else holding.quantity

    def alerts(self) -> list[str]:
        view = self.deck.parts.alerts.open_alerts(GetOpenAlerts(), OPERATOR_CALLER)
        return [each.severity.value for each in view.episodes if each.rule_id == "disk-low"]

    def line(self) -> str:
        lines = self.deck.engine.supervisor.snapshot()
        return next(each.detail for each in lines if each.name == "disk space")


def test_a_disk_that_fills_up_lets_reducing_orders_pass_then_pauses_and_comes_back(
    tmp_path: Path,
) -> None:
    disk = Disk()
    with DataFolder(tmp_path / "deck") as folder:
        # The next bar is minutes away: nothing but the disk moves, however slow the machine is.
        plan = plan_in(folder, speed=MIN_SPEED)
        outside = replace(real_world(plan), usage=disk.usage)
        deck = Deck(plan, kernel_digest="as tested", outside=outside)
        desk = Desk(deck)

        async def talk() -> None:
            await until(lambda: deck.feed().state is FeedState.RUNNING)
            await desk.submit(RegisterAgent(name=WHO), OPERATOR_CALLER)
            await desk.bar()
            assert await desk.order(Side.BUY, 10) == "working"
            await desk.bar()
            assert desk.held() == 10
            await low(desk, disk)
            await full(desk, disk)
            disk.free = 8 * LOW_BYTES
            await until(lambda: not desk.alerts())
            await until(lambda: deck.feed().state is FeedState.RUNNING)
            assert await desk.order(Side.BUY, 1) == "working"
            deck.quit()

        asyncio.run(deck.run(talk))
        assert deck.engine.sequencer.first_outside is not None


async def low(desk: Desk, disk: Disk) -> None:
    disk.free = LOW_BYTES - 1
    await until(desk.alerts)
    assert desk.alerts() == ["critical"]
    assert "only reduce" in desk.line()
    assert desk.deck.feed().state is FeedState.RUNNING
    assert await desk.order(Side.BUY, 1) == "DISK_LOW"
    assert await desk.order(Side.SELL, 11) == "DISK_LOW"
    assert await desk.order(Side.SELL, 3) == "working"
    await desk.bar()
    assert desk.held() == 7


async def full(desk: Desk, disk: Disk) -> None:
    disk.free = RELEASE_BYTES - 1
    await until(lambda: desk.deck.feed().state is FeedState.PAUSED)
    assert "the feed is paused" in desk.line()
    assert not (desk.deck.plan.folder.path / "ballast").exists()
    assert await desk.order(Side.SELL, 1) == "DISK_LOW"
    await desk.submit(RaiseStop(agent=OTHER, reason="no room"), OPERATOR_CALLER)
    assert OTHER in desk.deck.stop_state().stopped_agents
