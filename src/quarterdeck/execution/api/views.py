"""Answers from memory: positions, accounts, limits in force and the report of the run."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from quarterdeck.execution.core.amounts import BASE_CURRENCY, decimal_of
from quarterdeck.execution.core.ledger import ADJUSTMENTS, DUST, Account
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.limits_book import LEARNED, level_name
from quarterdeck.execution.core.radar import conflicts
from quarterdeck.execution.core.session import Tally
from quarterdeck.execution.model import (
    AccountsView,
    AccountView,
    AgentReport,
    AssetView,
    Code,
    ConflictsView,
    ConflictView,
    ExecutionReport,
    GateView,
    GetAccounts,
    GetConflicts,
    GetExecutionReport,
    GetGate,
    GetPositions,
    LimitView,
    PositionsView,
    PositionView,
    Scope,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.runtime.policy import Caller

_SHOWN_AVERAGE = Decimal(1).scaleb(-MONEY_SCALE)
"""An average price is a quotient; it is shown to the money scale, the ledger keeps the cost."""


def positions(service: ExecutionService, query: GetPositions, _caller: Caller) -> PositionsView:
    """Return the open positions of one agent or of all."""
    desk = service.desk
    found = [
        _position_view(desk, account, instrument)
        for account in _accounts(desk, query.agent)
        for instrument in sorted(account.holdings)
        if account.holdings[instrument].quantity
    ]
    return PositionsView(positions=tuple(found))


def accounts(service: ExecutionService, query: GetAccounts, _caller: Caller) -> AccountsView:
    """Return the money of one agent or of all, and whether the ledger balances."""
    desk = service.desk
    return AccountsView(
        accounts=tuple(_account_view(desk, each) for each in _accounts(desk, query.agent)),
        balanced=desk.balanced_since(),
        currency=BASE_CURRENCY,
        equity=_equity(desk),
        assets=_assets(desk),
    )


def _equity(desk: Desk) -> Decimal | None:
    """Return what all accounts and the house are worth together, in the base currency."""
    total = sum(desk.worth_of(account).equity for account in desk.accounts.values())
    total += desk.ledger.house(BASE_CURRENCY)
    for contract in desk.contracts:
        units = desk.ledger.house(contract.symbol)
        if units and contract.index not in desk.prices:
            return None
        total += units * desk.prices.get(contract.index, 0) * contract.unit_value
    return decimal_of(total, MONEY_SCALE)


def _assets(desk: Desk) -> tuple[AssetView, ...]:
    """Return the base currency, and every asset that the house has something of."""
    funding = sum(desk.ledger.funding(agent) for agent in desk.accounts)
    found = [_asset_view(desk, BASE_CURRENCY, MONEY_SCALE, funding=funding)]
    for contract in desk.contracts:
        view = _asset_view(desk, contract.symbol, contract.quantity_scale, funding=0)
        if view.fees or view.adjustments or view.dust:
            found.append(view)
    return tuple(found)


def _asset_view(desk: Desk, asset: str, scale: int, *, funding: int) -> AssetView:
    def has(account: str) -> Decimal:
        return decimal_of(desk.ledger.balances.get((f"{account}:{asset}", asset), 0), scale)

    return AssetView(
        asset=asset,
        fees=has("fees"),
        funding=decimal_of(funding, scale),
        adjustments=has(ADJUSTMENTS),
        dust=has(DUST),
    )


def radar(service: ExecutionService, _query: GetConflicts, _caller: Caller) -> ConflictsView:
    """Return the instruments that several agents hold, and what netting them would save."""
    desk = service.desk
    found = conflicts(
        desk.accounts.values(),
        desk.prices,
        contracts=desk.contracts,
        assumptions=desk.assumptions,
    )
    return ConflictsView(
        conflicts=tuple(
            ConflictView(
                symbol=desk.contracts[one.instrument].symbol,
                opposed=one.opposed,
                long=decimal_of(one.long, MONEY_SCALE),
                short=decimal_of(one.short, MONEY_SCALE),
                gross=decimal_of(one.gross, MONEY_SCALE),
                net=decimal_of(one.net, MONEY_SCALE),
                saved=decimal_of(one.saved, MONEY_SCALE),
                longs=tuple(AgentId(name) for name in one.longs),
                shorts=tuple(AgentId(name) for name in one.shorts),
            )
            for one in found
        )
    )


def gate(service: ExecutionService, query: GetGate, caller: Caller) -> GateView:
    """Return the limits in force for one agent, else for the caller, and what narrows them further.

    The first rows hold in every instrument; those of an instrument or cluster hold there.
    """
    desk = service.desk
    agent = caller.identity if query.agent is None else desk.known(query.agent)
    bounds = desk.bounds(agent, -1)
    rows = [
        _limit_view(desk, name, getattr(bounds, name), bounds.levels[name])
        for name in LIMITS
        if name in bounds.levels
    ]
    for level, names in sorted(desk.limits.levels.items()):
        if level[0] in (Scope.INSTRUMENT, Scope.CLUSTER):
            rows += [
                _limit_view(desk, name, names[name], level_name(level))
                for name in LIMITS
                if name in names
            ]
    for level, names in sorted(desk.limits.learned.items()):
        if level[0] is Scope.INSTRUMENT:
            rows += [
                _limit_view(desk, name, names[name], LEARNED + level_name(level)) for name in names
            ]
    for instrument, learned in sorted(desk.learned.items()):
        rows.append(
            LimitView(
                code=Code.POSITION_LIMIT,
                name="learned position limit",
                scope=desk.contracts[instrument].symbol,
                value=text_of(desk.limits.earned(agent, learned.units), MONEY_SCALE),
                unit="USD",
                clock=Clock.MARKET,
                learned=True,
                version=learned.version,
            )
        )
    rows += _moving(desk)
    return GateView(version=desk.limits.version, limits=tuple(rows))


def _moving(desk: Desk) -> list[LimitView]:
    """Return the limits of what risk has found to move together."""
    return [
        LimitView(
            code=Code.CLUSTER_EXPOSURE,
            name="learned limit of what moves together",
            scope=" ".join(desk.contracts[row].symbol for row in one.rows),
            value=text_of(one.units, MONEY_SCALE),
            unit="USD",
            clock=Clock.MARKET,
            learned=True,
            version=desk.limits.version,
        )
        for one in dict.fromkeys(desk.moving[row] for row in sorted(desk.moving))
    ]


def _limit_view(desk: Desk, name: str, value: int, scope: str) -> LimitView:
    limit = LIMITS[name]
    return LimitView(
        code=limit.code,
        name=name,
        scope=scope,
        value=limit.shown(value, desk.contracts),
        unit=limit.kind.value,
        clock=limit.clock,
        learned=scope.startswith(LEARNED),
        version=desk.limits.version,
    )


def report(
    service: ExecutionService, _query: GetExecutionReport, _caller: Caller
) -> ExecutionReport:
    """Return the counts of the whole run."""
    desk = service.desk
    refusals: dict[str, int] = {}
    for tally in desk.tallies.values():
        for code, orders in tally.refusals.items():
            refusals[code] = refusals.get(code, 0) + orders
    equity = [desk.worth_of(account).equity for account in desk.accounts.values()]
    accepted, refused = desk.totals(None)
    return ExecutionReport(
        submitted=accepted + refused,
        accepted=accepted,
        refused=refused,
        filled=sum(tally.filled for tally in desk.tallies.values()),
        refusals=dict(sorted(refusals.items())),
        agents=tuple(
            _agent_report(desk, agent, tally) for agent, tally in sorted(desk.tallies.items())
        ),
        equity_total=decimal_of(sum(equity), MONEY_SCALE) if equity else None,
        ledger_balanced=desk.balanced(),
    )


def _accounts(desk: Desk, agent: str | None) -> list[Account]:
    if agent is not None:
        return [desk.accounts[desk.known(agent)]]
    return [desk.accounts[name] for name in sorted(desk.accounts)]


def _position_view(desk: Desk, account: Account, instrument: int) -> PositionView:
    contract, holding = desk.contracts[instrument], account.holdings[instrument]
    price = desk.prices[instrument]
    value = holding.quantity * price * contract.unit_value
    quantity = decimal_of(holding.quantity, contract.quantity_scale)
    average = decimal_of(holding.cost, MONEY_SCALE) / quantity
    return PositionView(
        agent=account.agent,
        symbol=contract.symbol,
        quantity=quantity,
        average_price=average.quantize(_SHOWN_AVERAGE, ROUND_HALF_EVEN),
        last_price=decimal_of(price, contract.price_scale),
        value=decimal_of(value, MONEY_SCALE),
        unrealised=decimal_of(value - holding.cost, MONEY_SCALE),
    )


def _account_view(desk: Desk, account: Account) -> AccountView:
    value = desk.worth_of(account)
    free = desk.free_cash(account, value.shorts)
    return AccountView(
        agent=account.agent,
        capital=decimal_of(account.capital, MONEY_SCALE),
        cash=decimal_of(account.cash, MONEY_SCALE),
        equity=decimal_of(value.equity, MONEY_SCALE),
        realised=decimal_of(account.realised, MONEY_SCALE),
        unrealised=decimal_of(value.unrealised, MONEY_SCALE),
        fees=decimal_of(account.fees, MONEY_SCALE),
        gross_exposure=decimal_of(value.gross, MONEY_SCALE),
        buying_power=decimal_of(max(0, free), MONEY_SCALE),
        daily_pnl=decimal_of(value.equity - account.day_open, MONEY_SCALE),
        funding=decimal_of(desk.ledger.funding(account.agent), MONEY_SCALE),
    )


def _agent_report(desk: Desk, agent: AgentId, tally: Tally) -> AgentReport:
    account = desk.accounts.get(agent)
    return AgentReport(
        agent=agent,
        submitted=tally.accepted + tally.refused,
        accepted=tally.accepted,
        filled=tally.filled,
        refused=tally.refused,
        refusals=dict(sorted(tally.refusals.items())),
        equity=None if account is None else decimal_of(desk.worth_of(account).equity, MONEY_SCALE),
    )
