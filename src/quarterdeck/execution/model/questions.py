"""Questions about orders, fills, positions and money, and their answers."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.execution.model.orders import Code, OrderView, SignalView
from quarterdeck.kernel.ids import AgentId, FillId, OrderId
from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.kernel.vocabulary import Clock, OrderStatus, Side, SignalStatus


class GetOrders(Query, frozen=True):
    """Ask for the last ``limit`` orders (1 to 1,000), newest first; filters narrow them."""

    agent: str | None = None
    status: OrderStatus | None = None
    limit: int = 100
    before: int | None = None


class OrdersView(Answer, frozen=True):
    """A page of orders, newest first."""

    orders: tuple[OrderView, ...]
    next: int | None


class GetOrder(Query, frozen=True):
    """Ask for one order."""

    order_id: str


class GetFills(Query, frozen=True):
    """Ask for the last ``limit`` fills (1 to 1,000), newest first."""

    agent: str | None = None
    symbol: str | None = None
    limit: int = 100
    before: int | None = None


class FillView(Answer, frozen=True):
    """A fill as booked; ``fee_asset`` of the instrument is in ``fee`` with its worth."""

    number: int
    fill_id: FillId
    order_id: OrderId
    agent: AgentId
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: Decimal
    realised: Decimal
    at: str
    slice: int


class FillsView(Answer, frozen=True):
    """A page of fills, newest first."""

    fills: tuple[FillView, ...]
    next: int | None


class GetPositions(Query, frozen=True):
    """Ask for open positions, of one agent or of all."""

    agent: str | None = None


class PositionView(Answer, frozen=True):
    """One agent's position in one instrument; positive is long."""

    agent: AgentId
    symbol: str
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal | None
    value: Decimal | None
    unrealised: Decimal | None


class PositionsView(Answer, frozen=True):
    """Open positions, by agent and symbol."""

    positions: tuple[PositionView, ...]


class GetConflicts(Query, frozen=True):
    """Ask where our own agents hold opposite or crowded positions."""


class ConflictView(Answer, frozen=True):
    """One instrument that several agents hold; ``saved`` is what netting them would save in costs."""

    symbol: str
    opposed: bool
    long: Decimal
    short: Decimal
    gross: Decimal
    net: Decimal
    saved: Decimal
    longs: tuple[AgentId, ...]
    shorts: tuple[AgentId, ...]


class ConflictsView(Answer, frozen=True):
    """Instruments that several agents hold, in the base currency."""

    conflicts: tuple[ConflictView, ...]


class GetAccounts(Query, frozen=True):
    """Ask for the money of one agent or of all."""

    agent: str | None = None


class AccountView(Answer, frozen=True):
    """One agent's account in the base currency; equity is null while a held price is missing."""

    agent: AgentId
    capital: Decimal
    cash: Decimal
    equity: Decimal | None
    realised: Decimal
    unrealised: Decimal | None
    fees: Decimal
    gross_exposure: Decimal | None
    buying_power: Decimal
    daily_pnl: Decimal | None
    funding: Decimal = Decimal(0)
    """What holding positions has cost (+) or earned (-)."""


class AssetView(Answer, frozen=True):
    """One asset over all accounts: what fees and holding took of it, and what the house has.

    ``adjustments`` is what persons have booked to make our books a broker's, ``dust`` what rules have.
    """

    asset: str
    fees: Decimal
    funding: Decimal
    adjustments: Decimal
    dust: Decimal


class AccountsView(Answer, frozen=True):
    """Accounts by agent; ``balanced`` is whether every journal entry of the ledger sums to zero.

    ``equity`` is that of all accounts together in the base ``currency``, the house included; null while a
    held price is missing. ``assets`` are over all accounts, whichever was asked for.
    """

    accounts: tuple[AccountView, ...]
    balanced: bool
    currency: str
    equity: Decimal | None
    assets: tuple[AssetView, ...]


class GetLedger(Query, frozen=True):
    """Ask for the last ``limit`` ledger lines (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LedgerLine(Answer, frozen=True):
    """One line of a double entry; the lines of an ``entry`` sum to zero in each asset."""

    number: int
    entry: str
    at: str
    account: str
    asset: str
    amount: Decimal
    memo: str


class LedgerView(Answer, frozen=True):
    """A page of ledger lines, newest first."""

    lines: tuple[LedgerLine, ...]
    next: int | None


class GetSignals(Query, frozen=True):
    """Ask for the last ``limit`` signals (1 to 1,000), newest first; filters narrow them."""

    agent: str | None = None
    symbol: str | None = None
    status: SignalStatus | None = None
    limit: int = 100
    before: int | None = None


class SignalsView(Answer, frozen=True):
    """A page of signals, newest first."""

    signals: tuple[SignalView, ...]
    next: int | None


class GetStop(Query, frozen=True):
    """Ask for the stop's state."""


class GetGate(Query, frozen=True):
    """Ask for the gate's limits in force, for one agent or, without one, for the caller."""

    agent: str | None = None


class LimitView(Answer, frozen=True):
    """One limit in force: its code and name, the level that sets it, its value and unit, its clock.

    ``version`` is that of the limit set, of the learned limit for a learned one.
    """

    code: Code
    name: str
    scope: str
    value: str
    unit: str
    clock: Clock
    learned: bool
    version: int


class GateView(Answer, frozen=True):
    """All limits in force, under the version of the limit set that judges orders now."""

    version: int
    limits: tuple[LimitView, ...]


class GetExecutionReport(Query, frozen=True):
    """Ask for the counts of the whole run."""


class AgentReport(Answer, frozen=True):
    """One agent's orders over the run."""

    agent: AgentId
    submitted: int
    accepted: int
    filled: int
    refused: int
    refusals: dict[str, int]
    equity: Decimal | None


class ExecutionReport(Answer, frozen=True):
    """All orders over the run; ``refusals`` counts each code once per refused order it is in."""

    submitted: int
    accepted: int
    refused: int
    filled: int
    refusals: dict[str, int]
    agents: tuple[AgentReport, ...]
    equity_total: Decimal | None
    ledger_balanced: bool


class GetGrounding(Query, frozen=True):
    """Ask how well agents' believed prices agreed with the market."""

    agent: str | None = None


class GroundingView(Answer, frozen=True):
    """One agent's grounding: believed prices that held over believed prices sent, null without any."""

    agent: AgentId
    premises: int
    grounded: int
    score: float | None


class GroundingsView(Answer, frozen=True):
    """Grounding by agent."""

    agents: tuple[GroundingView, ...]
