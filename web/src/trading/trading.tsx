import { useState } from "react";
import { RefusalCard } from "../overview/refusal";
import { Choice } from "../parts/choice";
import { Id, Names, SideWord, StateWord, When } from "../parts/cells";
import { PlainCommand } from "../parts/command";
import { DASH, asked, count, counted, exact, fixed, money, price, words } from "../parts/format";
import { Change, Maybe } from "../parts/figures";
import { PageTitle } from "../parts/panel";
import { RULES } from "../parts/rules";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { idempotencyKey, rest } from "../wire/rest";
import type { AccountView, AccountsView, AssetView, BrokerView, ConflictView, ConflictsView, DifferenceView, FillView, FillsView, KeepAliveView, KeepAlivesView, OrderStatus, OrderView, OrdersView, PositionView, PositionsView, SignalView, SignalsView } from "../wire/types";
import { AdjustCommand } from "./adjust";

function DecisionCell({ order }: { order: OrderView }) {
  const [open, setOpen] = useState(false);
  const { decision } = order;
  if (decision.status !== "refused") return <span className="text-muted">{decision.status}</span>;
  return (
    <div className="max-w-md text-left">
      <button type="button" className="text-left text-down underline decoration-dotted underline-offset-2" aria-expanded={open} onClick={() => setOpen(!open)}>
        {decision.code === null ? "refused" : RULES[decision.code].name}
        {decision.max_allowed_now !== null && Number(decision.max_allowed_now) > 0 && <span className="text-muted"> · at most {exact(decision.max_allowed_now)} now</span>}
      </button>
      {open && <div className="panel mt-1.5 whitespace-normal"><RefusalCard order={order} /></div>}
    </div>
  );
}

/** Its kind and prices, and below them what else it asked for. */
function TermsCell({ order }: { order: OrderView }) {
  const prices = [order.stop_price === null ? "" : `at ${price(order.stop_price)}`, order.limit_price === null ? "" : `limit ${price(order.limit_price)}`];
  const terms = [
    order.time_in_force === "gtc" ? "" : order.time_in_force.toUpperCase(),
    order.reduce_only ? "reduce only" : "",
    order.post_only ? "post only" : "",
    order.stop_loss === null ? "" : `stop-loss ${price(order.stop_loss)}`,
    order.take_profit === null ? "" : `take-profit ${price(order.take_profit)}`,
    order.leg === null ? "" : words(order.leg).toLowerCase(),
  ].filter((term) => term !== "");
  return (
    <span>
      <span className="whitespace-nowrap">{[words(order.type), ...prices.filter((one) => one !== "")].join(" ")}</span>
      {terms.length > 0 && <span className="block text-xs text-faint">{terms.join(", ")}</span>}
    </span>
  );
}

const ORDERS: ReadonlyArray<Column<OrderView>> = [
  { name: "Submitted", lead: true, show: (row) => <span><When at={row.submitted_at} /><span className="block"><Id id={row.order_id} /></span></span> },
  { name: "Agent", show: (row) => row.agent },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Side", show: (row) => <SideWord side={row.side} /> },
  { name: "Quantity", right: true, show: (row) => <Maybe text={asked(row.quantity)} why="the order named no valid quantity" /> },
  { name: "Type", show: (row) => <TermsCell order={row} /> },
  { name: "Filled", right: true, show: (row) => exact(row.filled) },
  { name: "At", right: true, show: (row) => <Maybe text={price(row.average_price)} why="nothing filled" /> },
  { name: "State", show: (row) => <StateWord state={row.status} /> },
  { name: "Gate", wrap: true, show: (row) => <DecisionCell order={row} /> },
  { name: "", right: true, show: (row) => row.status === "working" && <PlainCommand name="Cancel" label={`Cancel order ${row.order_id}`} send={() => rest.post(`/orders/${encodeURIComponent(row.order_id)}/cancel`, { idempotency_key: idempotencyKey() })} /> },
];

const POSITIONS: ReadonlyArray<Column<PositionView>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Quantity", right: true, show: (row) => exact(row.quantity) },
  { name: "Entry", right: true, show: (row) => price(row.average_price) },
  { name: "Last", right: true, show: (row) => <Maybe text={price(row.last_price)} why="no bar yet" /> },
  { name: "Value", right: true, show: (row) => <Maybe text={money(row.value, { whole: false })} why="no price" /> },
  { name: "Unrealised", right: true, show: (row) => <Change value={row.unrealised} text={money(row.unrealised, { sign: true, whole: false })} why="no price" /> },
];

const DIFFERENCES: ReadonlyArray<Column<DifferenceView>> = [
  { name: "What differs", lead: true, show: (row) => row.subject },
  { name: "Ours", right: true, hint: "In the smallest units", show: (row) => count(row.ours) },
  { name: "Theirs", right: true, hint: "The broker's, in the smallest units", show: (row) => count(row.theirs) },
  { name: "More there", right: true, hint: "Theirs less ours, as a quantity or in the currency", show: (row) => <Maybe text={row.more === null ? DASH : exact(row.more)} why="not an order of ours" /> },
  { name: "", right: true, show: (row) => <AdjustCommand row={row} /> },
];

const TIMERS: ReadonlyArray<Column<KeepAliveView>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Heard of until", hint: "Silent for longer, its working orders are cancelled", show: (row) => row.until === null ? <span className="text-faint">no timer runs</span> : <When at={row.until} /> },
  { name: "Within", right: true, show: (row) => row.within_s === null ? DASH : `${row.within_s} s` },
  { name: "Its mandate demands", right: true, show: (row) => row.demanded_s === null ? DASH : `${row.demanded_s} s` },
];

const CONFLICTS: ReadonlyArray<Column<ConflictView>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Kind", show: (row) => row.opposed ? <span className="text-warn">opposed</span> : "crowded" },
  { name: "Long", show: (row) => <Names names={row.longs} /> },
  { name: "Short", show: (row) => <Names names={row.shorts} /> },
  { name: "Gross", right: true, show: (row) => money(row.gross, { whole: false }) },
  { name: "Net", right: true, show: (row) => money(row.net, { whole: false }) },
  { name: "Netting saves", right: true, hint: "What closing the opposite parts against each other would free", show: (row) => money(row.saved, { whole: false }) },
];

const FILLS: ReadonlyArray<Column<FillView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Agent", show: (row) => row.agent },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Side", show: (row) => <SideWord side={row.side} /> },
  { name: "Quantity", right: true, show: (row) => exact(row.quantity) },
  { name: "Price", right: true, show: (row) => price(row.price) },
  { name: "Fee", right: true, show: (row) => fixed(row.fee, 2) },
  { name: "Realised", right: true, hint: "Before this fill's fee", show: (row) => Number(row.realised) === 0 ? <span className="text-faint" title="this fill closed nothing, or closed at cost">0.00</span> : <Change value={row.realised} text={money(row.realised, { sign: true, whole: false })} /> },
];

const SIGNALS: ReadonlyArray<Column<SignalView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Agent", show: (row) => row.agent },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Direction", show: (row) => words(row.direction) },
  { name: "Strength", right: true, show: (row) => fixed(row.strength, 2) },
  { name: "Holds", right: true, show: (row) => counted(row.horizon_bars, "bar") },
  { name: "State", show: (row) => words(row.status) },
  { name: "Reason", wrap: true, show: (row) => <span className="text-muted">{row.reason === "" ? DASH : row.reason}</span> },
];

const ACCOUNTS: ReadonlyArray<Column<AccountView>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Equity", right: true, show: (row) => <Maybe text={money(row.equity, { whole: false })} why="the price of something held is missing" /> },
  { name: "Cash", right: true, show: (row) => money(row.cash, { whole: false }) },
  { name: "Exposure", right: true, show: (row) => <Maybe text={money(row.gross_exposure, { whole: false })} why="the price of something held is missing" /> },
  { name: "Buying power", right: true, show: (row) => money(row.buying_power, { whole: false }) },
  { name: "This day", right: true, show: (row) => <Change value={row.daily_pnl} text={money(row.daily_pnl, { sign: true, whole: false })} why="no day yet" /> },
  { name: "Realised", right: true, show: (row) => <Change value={row.realised} text={money(row.realised, { sign: true, whole: false })} /> },
  { name: "Unrealised", right: true, show: (row) => <Change value={row.unrealised} text={money(row.unrealised, { sign: true, whole: false })} why="a price is missing" /> },
  { name: "Fees", right: true, show: (row) => money(row.fees, { whole: false }) },
  { name: "Holding", right: true, hint: "What holding positions has cost", show: (row) => money(row.funding, { whole: false }) },
];

const ASSETS: ReadonlyArray<Column<AssetView>> = [
  { name: "Asset", lead: true, show: (row) => <span className="font-medium">{row.asset}</span> },
  { name: "Fees", right: true, show: (row) => exact(row.fees) },
  { name: "Holding", right: true, hint: "What holding positions has cost", show: (row) => exact(row.funding) },
  { name: "Adjusted", right: true, hint: "Booked by persons to make our books the broker's", show: (row) => exact(row.adjustments) },
  { name: "Dust", right: true, hint: "Booked by rule, too small to ask a person", show: (row) => exact(row.dust) },
];

type Which = OrderStatus | "all";

export default function Trading() {
  const [status, setStatus] = useState<Which>("all");
  return (
    <>
      <PageTitle note="what was asked, what the gate said, and what became of it; on paper">Trading</PageTitle>
      <PagedPanel<OrdersView> key={status} title="Orders" path="/orders" query={{ status: status === "all" ? null : status }} className="shrink-0"
        aside={<Choice<Which> label="Which orders" value={status} choose={setStatus} options={[["all", "All"], ["working", "Working"], ["filled", "Filled"], ["refused", "Refused"]]} />}>
        {(data) => <Table label="Orders" columns={ORDERS} rows={data.orders} rowKey={(row) => row.order_id} empty={status === "all" ? "No order has been submitted yet." : `No order is ${status}.`} />}
      </PagedPanel>
      <div className="grid shrink-0 gap-2 md:gap-2.5 xl:grid-cols-2">
        <ViewPanel<PositionsView> title="Positions" path="/positions" note={(data) => `${data.positions.length} open`}>
          {(data) => <Table label="Positions" columns={POSITIONS} rows={data.positions} rowKey={(row) => `${row.agent} ${row.symbol}`} empty="No position is open." />}
        </ViewPanel>
        <PagedPanel<FillsView> title="Fills" path="/fills">
          {(data) => <Table label="Fills" columns={FILLS} rows={data.fills} rowKey={(row) => row.number} empty="Nothing has been filled yet." />}
        </PagedPanel>
      </div>
      <ViewPanel<ConflictsView> title="Between our own agents" path="/positions/conflicts" className="shrink-0" note={() => "instruments that several agents hold"}>
        {(data) => <Table label="Conflicts" columns={CONFLICTS} rows={data.conflicts} rowKey={(row) => row.symbol} empty="No two agents hold the same instrument." />}
      </ViewPanel>
      <ViewPanel<BrokerView> title="Broker" path="/broker" className="shrink-0" note={(data) => `${data.venue}${data.remote ? `, report ${data.sequence}` : ""}${data.unknown.length > 0 ? `; no answer about ${data.unknown.join(", ")}` : ""}`}>
        {(data) => <Table label="Differences" columns={DIFFERENCES} rows={data.differences} rowKey={(row) => row.subject} empty={data.remote ? "Our books and the broker's agree." : "Orders fill inside the deck: there are no other books."} />}
      </ViewPanel>
      <ViewPanel<KeepAlivesView> title="Dead-man timers" path="/gate/keep-alive" className="shrink-0" note={() => "agents that must be heard of"}>
        {(data) => <Table label="Dead-man timers" columns={TIMERS} rows={data.timers} rowKey={(row) => row.agent} empty="No agent has promised, or must promise, to be heard of." />}
      </ViewPanel>
      <ViewPanel<AccountsView> title="Accounts" path="/accounts" className="shrink-0" note={(data) => data.balanced ? `the ledger balances; all together ${data.equity === null ? DASH : money(data.equity, { whole: false })}` : <span className="text-stop-text">the ledger does not balance</span>}>
        {(data) => (
          <>
            <Table label="Accounts" columns={ACCOUNTS} rows={data.accounts} rowKey={(row) => row.agent} empty="No account is open yet." />
            <Table label="Assets" columns={ASSETS} rows={data.assets} rowKey={(row) => row.asset} empty="No asset is held yet." />
          </>
        )}
      </ViewPanel>
      <PagedPanel<SignalsView> title="Signals" path="/signals" className="shrink-0" note={() => "a signal moves no money"}>
        {(data) => <Table label="Signals" columns={SIGNALS} rows={data.signals} rowKey={(row) => row.signal_id} empty="No agent has stated a view yet." />}
      </PagedPanel>
    </>
  );
}
