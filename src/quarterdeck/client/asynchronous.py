"""The agent's SDK over REST, asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from quarterdeck.agents.model import Claim, ClaimAnswer, ClaimWork, TaskView
from quarterdeck.client import asks, wire
from quarterdeck.client.asks import Amount, Terms
from quarterdeck.client.model import Briefing, GetBriefing
from quarterdeck.client.wire import Ask, DeckError, Given
from quarterdeck.execution.model import (
    ConflictsView,
    Decision,
    GetConflicts,
    GetOrders,
    GetPositions,
    KeepAlive,
    KeepAliveView,
    OrdersView,
    OrderView,
    PositionsView,
    SignalStateView,
    SignalView,
)
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import Priority, Side, TaskType
from quarterdeck.market.model import BarsView, GetBars, GetInstruments, InstrumentsView
from quarterdeck.performance.model import GetPerformance, PerformancesView
from quarterdeck.regime.model import GetRegimes, RegimesView
from quarterdeck.risk.model import GetRisk, RisksView

if TYPE_CHECKING:
    import httpx2


class AsyncLine:
    """The connection to a deck: opened by the first request, closed by ``close``.

    A request that did not get through is sent again with the same idempotency key, a few times
    with growing pauses; one that must not be repeated only if it never left. What a pressed deck refused
    (429) is sent again when it says to come back. Proxies named by the environment are not used: a deck
    is reached directly.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base = wire.base_of(url)
        self._key = key
        self._transport = transport
        self._pause = pause
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; the next request opens it again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def ask(self, ask: Ask, kind: type[Given]) -> Given:
        """Send a command or query and return its answer as ``kind``."""
        status, body = await self._send(wire.request_of(ask))
        return wire.answer_of(kind, status=status, body=body)

    async def carry(self, ask: Ask) -> object:
        """Send a command or query and return its answer."""
        return await self.ask(ask, wire.ROUTES[type(ask)].answer)

    async def _send(self, request: wire.Request) -> tuple[int, bytes]:
        import httpx2

        client, pauses, waited_s = self._opened(), iter(wire.pauses()), 0.0
        while True:
            try:
                response = await client.request(
                    request.method,
                    self._base + request.target,
                    content=request.body,
                    timeout=httpx2.Timeout(request.timeout_s, connect=wire.CONNECT_S),
                )
            except httpx2.TransportError as error:
                unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                pause_s = next(pauses, None)
                if pause_s is None or not (unsent or request.repeatable):
                    text = f"{type(error).__name__}: {error}"
                    raise DeckError("UNREACHABLE", text) from None
            else:
                status, after = response.status_code, response.headers.get("retry-after")
                pause_s = wire.again_after_s(status, after, waited_s=waited_s)
                if pause_s is None:
                    return status, response.content
                waited_s += pause_s
            await self._pause(pause_s)

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            self._client = httpx2.AsyncClient(
                headers={"authorization": f"Bearer {self._key}", "accept": "application/json"}
                | {"content-type": "application/json"},
                trust_env=False,
                transport=self._transport,
            )
        return self._client


class AsyncDeck(AsyncLine):
    """A deck as an agent sees it; several tasks may ask at once."""

    async def briefing(self, symbols: tuple[str, ...] = ()) -> Briefing:
        """Return the market, the account, the open orders and the work held, as of now."""
        return await self.ask(GetBriefing(symbols=symbols), Briefing)

    async def claim(self, wait_ms: int = 0) -> ClaimAnswer:
        """Claim the best task there is, waiting up to ``wait_ms`` (at most 20,000) for one."""
        return await self.ask(ClaimWork(wait_ms=wait_ms), ClaimAnswer)

    async def renew(self, claim: Claim) -> ClaimAnswer:
        """Extend the lease on ``claim`` by its length, from now."""
        return await self.ask(asks.renewal(claim), ClaimAnswer)

    async def complete(
        self, claim: Claim, result: Json | None = None, *, failed: bool = False, reason: str = ""
    ) -> TaskView:
        """Hand in the result of ``claim``, or report that it failed and why."""
        ask = asks.report(claim, result, failed=failed, reason=reason)
        return await self.ask(ask, TaskView)

    async def submit_task(
        self,
        type_: TaskType | str,
        title: str,
        *,
        capability: str,
        priority: Priority | str = Priority.MEDIUM,
        input_: Json | None = None,
        depends_on: tuple[str, ...] = (),
        idempotency_key: str | None = None,
    ) -> TaskView:
        """Put a task into the queue for any agent with ``capability``."""
        ask = asks.task(
            type_,
            title,
            capability=capability,
            priority=priority,
            input_=input_,
            depends_on=depends_on,
            idempotency_key=idempotency_key,
        )
        return await self.ask(ask, TaskView)

    async def signal(
        self,
        symbol: str,
        direction: str,
        *,
        strength: float,
        horizon_bars: int,
        reason: str = "",
        task_id: str | None = None,
        expires_at: str | None = None,
        idempotency_key: str | None = None,
    ) -> SignalView:
        """State a view: ``long``, ``short`` or ``flat``, with a strength in [0, 1].

        It ends ``horizon_bars`` later, or with the bar that closes at or after ``expires_at``.
        """
        ask = asks.signal(
            symbol,
            direction,
            strength=strength,
            horizon_bars=horizon_bars,
            reason=reason,
            task_id=task_id,
            expires_at=expires_at,
            idempotency_key=idempotency_key,
        )
        return await self.ask(ask, SignalView)

    async def preview(
        self, symbol: str, side: Side | str, *, quantity: Amount, **terms: Unpack[Terms]
    ) -> Decision:
        """Return what the gate would say to an order now; nothing changes."""
        ask = asks.preview(symbol, side, quantity=quantity, terms=terms)
        return await self.ask(ask, Decision)

    async def order(
        self,
        symbol: str,
        side: Side | str,
        *,
        quantity: Amount,
        task_id: str | None = None,
        signal_id: str | None = None,
        epoch: int | None = None,
        idempotency_key: str | None = None,
        **terms: Unpack[Terms],
    ) -> OrderView:
        """Submit an order; a refusal is an answer whose ``decision`` says what would pass.

        ``terms`` are those of :class:`~quarterdeck.client.asks.Terms`.
        """
        ask = asks.order(
            symbol,
            side,
            quantity=quantity,
            task_id=task_id,
            signal_id=signal_id,
            epoch=epoch,
            idempotency_key=idempotency_key,
            terms=terms,
        )
        return await self.ask(ask, OrderView)

    async def replace(
        self,
        order_id: str,
        *,
        quantity: Amount | None = None,
        limit_price: Amount | None = None,
        stop_price: Amount | None = None,
        idempotency_key: str | None = None,
    ) -> OrderView:
        """Put another order in the place of a working one; refused, the old one stands."""
        ask = asks.replacement(
            order_id,
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            idempotency_key=idempotency_key,
        )
        return await self.ask(ask, OrderView)

    async def cancel(self, order_id: str, *, idempotency_key: str | None = None) -> OrderView:
        """Cancel a working order."""
        return await self.ask(asks.cancel(order_id, idempotency_key=idempotency_key), OrderView)

    async def cancel_signal(
        self, signal_id: str, *, idempotency_key: str | None = None
    ) -> SignalStateView:
        """Take an open signal back; orders that followed it stay."""
        ask = asks.recall(signal_id, idempotency_key=idempotency_key)
        return await self.ask(ask, SignalStateView)

    async def keep_alive(self, within_s: float) -> KeepAliveView:
        """Say that the agent is there; not heard of again in time, its orders are cancelled."""
        return await self.ask(KeepAlive(within_s=within_s), KeepAliveView)

    async def conflicts(self) -> ConflictsView:
        """Return where several agents hold one instrument, and what netting would save."""
        return await self.ask(GetConflicts(), ConflictsView)

    async def orders(self, agent: str | None = None, *, limit: int = 100) -> OrdersView:
        """Return the last orders, newest first."""
        return await self.ask(GetOrders(agent=agent, limit=limit), OrdersView)

    async def positions(self, agent: str | None = None) -> PositionsView:
        """Return the open positions of one agent or of all."""
        return await self.ask(GetPositions(agent=agent), PositionsView)

    async def instruments(self) -> InstrumentsView:
        """Return all instruments with tick, lot and last price."""
        return await self.ask(GetInstruments(), InstrumentsView)

    async def bars(self, symbol: str, *, limit: int = 250) -> BarsView:
        """Return the last bars of ``symbol``, oldest first."""
        return await self.ask(GetBars(symbol=symbol, limit=limit), BarsView)

    async def regimes(self, symbol: str | None = None) -> RegimesView:
        """Return the present regime of one instrument or of all."""
        return await self.ask(GetRegimes(symbol=symbol), RegimesView)

    async def risk(self, symbol: str | None = None) -> RisksView:
        """Return the forecast of one instrument or of all for the next bar."""
        return await self.ask(GetRisk(symbol=symbol), RisksView)

    async def performance(self, agent: str | None = None) -> PerformancesView:
        """Return the record of one agent or of all, best first."""
        return await self.ask(GetPerformance(agent=agent), PerformancesView)
