"""The agent's SDK over REST, synchronous."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
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


def wait(seconds: float) -> None:
    """Let ``seconds`` pass."""
    Event().wait(seconds)


class Line:
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
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = wait,
    ) -> None:
        self._base = wire.base_of(url)
        self._key = key
        self._transport = transport
        self._pause = pause
        self._client: httpx2.Client | None = None

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        if self._client is not None:
            client, self._client = self._client, None
            client.close()

    def ask(self, ask: Ask, kind: type[Given]) -> Given:
        """Send a command or query and return its answer as ``kind``."""
        status, body = self._send(wire.request_of(ask))
        return wire.answer_of(kind, status=status, body=body)

    def carry(self, ask: Ask) -> object:
        """Send a command or query and return its answer."""
        return self.ask(ask, wire.ROUTES[type(ask)].answer)

    def _send(self, request: wire.Request) -> tuple[int, bytes]:
        import httpx2

        client, pauses, waited_s = self._opened(), iter(wire.pauses()), 0.0
        while True:
            try:
                response = client.request(
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
            self._pause(pause_s)

    def _opened(self) -> httpx2.Client:
        if self._client is None:
            import httpx2

            self._client = httpx2.Client(
                headers={"authorization": f"Bearer {self._key}", "accept": "application/json"}
                | {"content-type": "application/json"},
                trust_env=False,
                transport=self._transport,
            )
        return self._client


class Deck(Line):
    """A deck as an agent sees it. Not for use by several threads at once."""

    def briefing(self, symbols: tuple[str, ...] = ()) -> Briefing:
        """Return the market, the account, the open orders and the work held, as of now."""
        return self.ask(GetBriefing(symbols=symbols), Briefing)

    def claim(self, wait_ms: int = 0) -> ClaimAnswer:
        """Claim the best task there is, waiting up to ``wait_ms`` (at most 20,000) for one."""
        return self.ask(ClaimWork(wait_ms=wait_ms), ClaimAnswer)

    def renew(self, claim: Claim) -> ClaimAnswer:
        """Extend the lease on ``claim`` by its length, from now."""
        return self.ask(asks.renewal(claim), ClaimAnswer)

    def complete(
        self, claim: Claim, result: Json | None = None, *, failed: bool = False, reason: str = ""
    ) -> TaskView:
        """Hand in the result of ``claim``, or report that it failed and why."""
        ask = asks.report(claim, result, failed=failed, reason=reason)
        return self.ask(ask, TaskView)

    def submit_task(
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
        return self.ask(ask, TaskView)

    def signal(
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
        return self.ask(ask, SignalView)

    def preview(
        self, symbol: str, side: Side | str, *, quantity: Amount, **terms: Unpack[Terms]
    ) -> Decision:
        """Return what the gate would say to an order now; nothing changes."""
        ask = asks.preview(symbol, side, quantity=quantity, terms=terms)
        return self.ask(ask, Decision)

    def order(
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
        return self.ask(ask, OrderView)

    def replace(
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
        return self.ask(ask, OrderView)

    def cancel(self, order_id: str, *, idempotency_key: str | None = None) -> OrderView:
        """Cancel a working order."""
        return self.ask(asks.cancel(order_id, idempotency_key=idempotency_key), OrderView)

    def cancel_signal(
        self, signal_id: str, *, idempotency_key: str | None = None
    ) -> SignalStateView:
        """Take an open signal back; orders that followed it stay."""
        ask = asks.recall(signal_id, idempotency_key=idempotency_key)
        return self.ask(ask, SignalStateView)

    def keep_alive(self, within_s: float) -> KeepAliveView:
        """Say that the agent is there; not heard of again in time, its orders are cancelled."""
        return self.ask(KeepAlive(within_s=within_s), KeepAliveView)

    def conflicts(self) -> ConflictsView:
        """Return where several agents hold one instrument, and what netting would save."""
        return self.ask(GetConflicts(), ConflictsView)

    def orders(self, agent: str | None = None, *, limit: int = 100) -> OrdersView:
        """Return the last orders, newest first."""
        return self.ask(GetOrders(agent=agent, limit=limit), OrdersView)

    def positions(self, agent: str | None = None) -> PositionsView:
        """Return the open positions of one agent or of all."""
        return self.ask(GetPositions(agent=agent), PositionsView)

    def instruments(self) -> InstrumentsView:
        """Return all instruments with tick, lot and last price."""
        return self.ask(GetInstruments(), InstrumentsView)

    def bars(self, symbol: str, *, limit: int = 250) -> BarsView:
        """Return the last bars of ``symbol``, oldest first."""
        return self.ask(GetBars(symbol=symbol, limit=limit), BarsView)

    def regimes(self, symbol: str | None = None) -> RegimesView:
        """Return the present regime of one instrument or of all."""
        return self.ask(GetRegimes(symbol=symbol), RegimesView)

    def risk(self, symbol: str | None = None) -> RisksView:
        """Return the forecast of one instrument or of all for the next bar."""
        return self.ask(GetRisk(symbol=symbol), RisksView)

    def performance(self, agent: str | None = None) -> PerformancesView:
        """Return the record of one agent or of all, best first."""
        return self.ask(GetPerformance(agent=agent), PerformancesView)
