import { EquityPanel } from "../overview/equity";
import { When } from "../parts/cells";
import { DASH, count, fixed, money, percent, words } from "../parts/format";
import { Bar, Change, Maybe } from "../parts/figures";
import { Empty, PageTitle } from "../parts/panel";
import { PlainCommand, ReasonCommand } from "../parts/command";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import type { ActiveView, AttributionRow, AttributionView, FactorRow, MandateView, MandatesView, MeasuresView, PerformanceView, PerformancesView, PortfolioView, ProposalRecord, ProposalView, ProposalsView, RebalanceView, RebalancesView, SectorRow } from "../wire/types";
import { rest } from "../wire/rest";
import { AllocationPanel, ViewsPanel } from "./capital";
import { FrontierPanel, SensitivityPanel } from "./frontier";

const RECORDS: ReadonlyArray<Column<PerformanceView>> = [
  { name: "#", right: true, fit: true, show: (row) => <span className="text-faint">{row.rank}</span> },
  { name: "Agent", lead: true, show: (row) => <span className="font-medium">{row.agent}</span> },
  { name: "Equity", right: true, show: (row) => money(row.equity, { whole: false }) },
  { name: "Return", right: true, show: (row) => <Change value={row.return_fraction} text={percent(row.return_fraction, 2, { sign: true })} /> },
  { name: "Realised", right: true, show: (row) => <Change value={row.realised} text={money(row.realised, { sign: true, whole: false })} arrow={false} /> },
  { name: "Unrealised", right: true, show: (row) => <Change value={row.unrealised} text={money(row.unrealised, { sign: true, whole: false })} arrow={false} /> },
  { name: "Fees", right: true, show: (row) => money(row.fees, { whole: false }) },
  { name: "Drawdown", right: true, show: (row) => percent(row.drawdown_fraction) },
  { name: "Deepest", right: true, show: (row) => percent(row.max_drawdown_fraction) },
  { name: "Sharpe", right: true, hint: "Per year, risk-free rate 0", show: (row) => <Maybe text={fixed(row.sharpe)} why={row.observations < row.need ? `${row.observations} of ${row.need} bars needed` : "equity has not moved"} /> },
  { name: "Bars", right: true, show: (row) => count(row.observations) },
  { name: "Trades", right: true, hint: "Closed round trips", show: (row) => count(row.trades) },
  { name: "Win", right: true, show: (row) => <Maybe text={percent(row.win_fraction, 1)} why="no round trip closed yet" /> },
  { name: "Profit factor", right: true, hint: "Gains over losses", show: (row) => <Maybe text={fixed(row.profit_factor)} why="no loss or no round trip yet" /> },
];

function unmeasured(row: MeasuresView): string {
  return row.observations < row.need ? `${row.observations} of ${row.need} bars needed` : "not defined where nothing varies";
}

const MEASURES: ReadonlyArray<Column<MeasuresView>> = [
  { name: "Who", lead: true, show: (row) => <span className="font-medium">{row.subject}</span> },
  { name: "Beta", right: true, hint: "To the benchmark, since trading opened", show: (row) => <Maybe text={fixed(row.beta)} why={unmeasured(row)} /> },
  { name: "Correlation", right: true, hint: "With the benchmark", show: (row) => <Maybe text={fixed(row.correlation)} why={unmeasured(row)} /> },
  { name: "Volatility", right: true, hint: "Per year", show: (row) => <Maybe text={percent(row.volatility, 1)} why={unmeasured(row)} /> },
  { name: "Sharpe", right: true, hint: "Per year, risk-free rate 0", show: (row) => <Maybe text={fixed(row.sharpe)} why={unmeasured(row)} /> },
  { name: "Sortino", right: true, hint: "Per year, over the deviation below 0", show: (row) => <Maybe text={fixed(row.sortino)} why={unmeasured(row)} /> },
  { name: "Calmar", right: true, hint: "Yearly return over the deepest fall", show: (row) => <Maybe text={fixed(row.calmar)} why={unmeasured(row)} /> },
  { name: "Drawdown", right: true, hint: "Of what a unit has become, over its highest", show: (row) => percent(row.drawdown_fraction) },
  { name: "Deepest", right: true, show: (row) => percent(row.max_drawdown_fraction) },
  { name: "Turnover", right: true, hint: "Bought and sold in a year, over the equity", show: (row) => <Maybe text={fixed(row.turnover, 1)} why={unmeasured(row)} /> },
  { name: "Exposure", right: true, hint: "Gross value held over the equity", show: (row) => <Maybe text={percent(row.exposure_ratio, 0)} why="no equity" /> },
];

function Weights({ weights, contributions, target }: { weights: Readonly<Record<string, number>>; contributions: Readonly<Record<string, number>> | null; target: Readonly<Record<string, number>> | null }) {
  const rows = Object.entries(weights).sort(([, a], [, b]) => b - a);
  return (
    <table className="rows rows-dense">
      <caption className="sr-only">Weights</caption>
      <thead><tr><th scope="col">Symbol</th><th scope="col"><span className="sr-only">Share</span></th><th scope="col" className="right">Weight</th><th scope="col" className="right" title="Best weight at the last close">Now</th><th scope="col" className="right" title="Share of the portfolio's risk">Risk</th></tr></thead>
      <tbody>
        {rows.map(([symbol, weight]) => (
          <tr key={symbol}>
            <td className="fit font-medium">{symbol}</td>
            <td className="align-middle!"><Bar share={weight} colour="var(--up)" label={`${symbol} ${percent(weight, 1)}`} /></td>
            <td className="right fit">{percent(weight, 1)}</td>
            <td className="right fit"><Maybe text={percent(target?.[symbol], 1)} why="compared with the best at proposals only" /></td>
            <td className="right fit"><Maybe text={percent(contributions?.[symbol], 1)} why="not computed for this objective" /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const RULE = "this portfolio follows a rule and is best by no measure";

function residual(value: number | null): string {
  return value === null ? DASH : value === 0 ? "0" : value.toExponential(1);
}

function Proposal({ proposal }: { proposal: ProposalView }) {
  const why = proposal.reason ?? `${proposal.observations} of ${proposal.need} observations`;
  const facts: ReadonlyArray<readonly [string, string, string?]> = [
    ["Return a year", percent(proposal.expected_return, 1, { sign: true })], ["Volatility a year", percent(proposal.volatility, 1)], ["Sharpe", fixed(proposal.sharpe)],
    ["Turnover", percent(proposal.turnover, 1)], ["Optimality gap", residual(proposal.optimality_gap), RULE], ["KKT residual", residual(proposal.kkt_residual), RULE],
    ["Drift to the best now", percent(proposal.drift, 1), proposal.reason ?? "compared with the best at proposals only"], ["Condition number", proposal.condition === null ? DASH : count(proposal.condition)], ["Solver", proposal.solver ?? DASH],
    ...(proposal.cvar === null ? [] : [["Mean loss of the worst bars", percent(proposal.cvar, 2)] as const]),
  ];
  return (
    <section aria-label={words(proposal.objective)} className="min-w-0">
      <h3 className="flex items-baseline gap-2 px-3 pt-2.5 font-semibold">{words(proposal.objective)}<span className="text-xs font-normal text-faint">{proposal.at === null ? "" : <When at={proposal.at} />}</span></h3>
      <dl className="stale-able grid grid-cols-3 gap-2 px-3 py-2">
        {facts.map(([name, value, absent]) => <div key={name}><dt className="label">{name}</dt><dd className="font-semibold"><Maybe text={value} why={proposal.weights === null ? why : (absent ?? why)} /></dd></div>)}
      </dl>
      {proposal.weights === null ? <Empty>No portfolio yet: {why}.</Empty> : <div className="stale-able"><Weights weights={proposal.weights} contributions={proposal.risk_contributions} target={proposal.target} /></div>}
      {proposal.span_from !== null && proposal.span_to !== null && <p className="px-3 pb-1 text-xs text-faint">{proposal.observations} joint returns, <When at={proposal.span_from} /> to <When at={proposal.span_to} /></p>}
      {proposal.warning !== null && <p className="px-3 pb-2 text-xs text-warn">{proposal.warning}</p>}
    </section>
  );
}

const HISTORY: ReadonlyArray<Column<ProposalRecord>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Objective", show: (row) => words(row.objective) },
  { name: "Weights", wrap: true, show: (row) => <span className="text-muted">{Object.entries(row.weights).filter(([, weight]) => weight >= 0.0005).sort(([, a], [, b]) => b - a).map(([symbol, weight]) => `${symbol} ${percent(weight, 1)}`).join(", ")}</span> },
  { name: "Return", right: true, show: (row) => percent(row.expected_return, 1, { sign: true }) },
  { name: "Volatility", right: true, show: (row) => percent(row.volatility, 1) },
  { name: "Sharpe", right: true, show: (row) => <Maybe text={fixed(row.sharpe)} why="not defined at zero volatility" /> },
  { name: "Turnover", right: true, show: (row) => <Maybe text={percent(row.turnover, 1)} why="the first of its kind" /> },
];

const PARTS: ReadonlyArray<Column<AttributionRow>> = [
  { name: "Part", lead: true, show: (row) => row.name },
  { name: "Gain", right: true, show: (row) => money(row.gain, { sign: true, whole: false }) },
  { name: "Cost", right: true, show: (row) => money(row.cost, { whole: false }) },
  { name: "Net", right: true, show: (row) => <Change value={row.net} text={money(row.net, { sign: true, whole: false })} arrow={false} /> },
  { name: "Risk", right: true, hint: "Share of the variance of all that is held", show: (row) => <Maybe text={percent(row.risk_share, 1)} why="nothing is held, or the window is not full" /> },
];

const EFFECTS: ReadonlyArray<Column<SectorRow>> = [
  { name: "Sector", lead: true, show: (row) => words(row.name) },
  { name: "Benchmark", right: true, hint: "What the whole equity would have earned in it", show: (row) => money(row.benchmark, { sign: true, whole: false }) },
  { name: "Allocation", right: true, hint: "Holding more or less of the sector", show: (row) => money(row.allocation, { sign: true, whole: false }) },
  { name: "Selection", right: true, hint: "Holding other things inside it", show: (row) => money(row.selection, { sign: true, whole: false }) },
  { name: "Interaction", right: true, hint: "Both at once", show: (row) => money(row.interaction, { sign: true, whole: false }) },
];

const FACTORS: ReadonlyArray<Column<FactorRow>> = [
  { name: "Factor", lead: true, show: (row) => words(row.name) },
  { name: "Gain", right: true, show: (row) => <Change value={row.gain} text={money(row.gain, { sign: true, whole: false })} arrow={false} /> },
  { name: "Exposure", right: true, hint: "Held now, per unit of equity", show: (row) => <Maybe text={fixed(row.exposure)} why="specific to what is held, or no equity" /> },
];

const MANDATES: ReadonlyArray<Column<MandateView>> = [
  { name: "Mandate", lead: true, show: (row) => row.mandate.name },
  { name: "Agent", show: (row) => row.mandate.agent },
  { name: "Target", show: (row) => `${words(row.mandate.objective ?? "fixed weights")}${row.mandate.limits === null ? "" : " within limits"}` },
  { name: "Found", wrap: true, hint: "The target found last within the mandate's limits", show: (row) => row.target === null ? DASH : Object.entries(row.target.weights).filter(([, weight]) => Math.abs(weight) >= 0.0005).map(([symbol, weight]) => `${symbol} ${percent(weight, 1)}`).join(", ") },
  { name: "Mode", show: (row) => words(row.mandate.mode) },
  { name: "Due by", wrap: true, show: (row) => Object.entries(row.mandate.triggers).filter(([, value]) => value !== null && value !== false).map(([name, value]) => `${words(name)} ${String(value)}`).join(", ") || "asking only" },
  { name: "State", wrap: true, show: (row) => row.held !== null ? <span className="text-warn">held: {row.held}</span> : <span className="text-muted">{row.last ?? "nothing was due yet"}</span> },
  { name: "", right: true, show: (row) => row.rebalance_id !== null ? null : <PlainCommand name="Propose" label={`Propose a rebalance of ${row.mandate.name}`} send={() => rest.post<RebalanceView>(`/portfolio/mandates/${encodeURIComponent(row.mandate.name)}/rebalance`, {})} /> },
];

function Trades({ row }: { row: RebalanceView }) {
  return (
    <ul className="text-muted">
      {row.legs.map((leg) => {
        const trade = row.plan.trades.find((one) => one.symbol === leg.symbol);
        const word = row.status !== "proposed" || trade === undefined || trade.code === null ? "" : `; ${trade.code}, at most ${trade.max_allowed_now ?? DASH} now`;
        return <li key={leg.symbol}>{leg.side} {leg.symbol} {leg.filled} of {leg.planned}{word}</li>;
      })}
    </ul>
  );
}

const REBALANCES: ReadonlyArray<Column<RebalanceView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Mandate", show: (row) => `${row.mandate} of ${row.agent}` },
  { name: "Due by", wrap: true, show: (row) => row.trigger },
  { name: "Status", wrap: true, show: (row) => <span title={row.refused ?? undefined}>{words(row.status)}{row.reason === null ? "" : `: ${row.reason}`}</span> },
  { name: "Trades", wrap: true, show: (row) => <Trades row={row} /> },
  { name: "Drift", right: true, hint: "Largest distance of a weight from its target", show: (row) => percent(row.plan.drift, 1) },
  { name: "Turnover", right: true, show: (row) => percent(row.plan.turnover, 1) },
  { name: "Cost", right: true, hint: "Half the spread and the fee", show: (row) => money(row.plan.cost, { whole: false }) },
  { name: "Gain", right: true, hint: "Expected over the horizon, after cost", show: (row) => <Maybe text={row.plan.net_gain === null ? DASH : fixed(row.plan.net_gain)} why={row.plan.reason ?? ""} /> },
  {
    name: "", right: true, show: (row) => (
      <span className="inline-flex gap-1">
        {row.status === "proposed" && row.mode === "approval" && <ReasonCommand name="Approve" ask="Why?" send={(reason) => rest.post<RebalanceView>(`/portfolio/rebalances/${row.rebalance_id}/approve`, { reason })} />}
        {(row.status === "proposed" || row.status === "running") && <ReasonCommand name="Abort" ask="Why?" send={(reason) => rest.post<RebalanceView>(`/portfolio/rebalances/${row.rebalance_id}/abort`, { reason })} />}
      </span>
    ),
  },
];

export default function Performance() {
  return (
    <>
      <PageTitle note="what agents earned, and the portfolios the deck would propose">Performance</PageTitle>
      <ViewPanel<PerformancesView> title="Records" path="/performance" className="shrink-0" note={() => "from fills and closes only"}>
        {(data) => <Table label="Records" columns={RECORDS} rows={data.agents} rowKey={(row) => row.agent} empty="No agent has a record yet: records begin when trading opens." />}
      </ViewPanel>
      <ViewPanel<PerformancesView> title="Earned for the risk" path="/performance" className="shrink-0" note={(data) => `benchmark: ${data.benchmark}`}>
        {(data) => <Table label="Earned for the risk" columns={MEASURES} rows={data.measures} rowKey={(row) => row.subject} empty="Nothing has been measured yet." />}
      </ViewPanel>
      <div className="grid h-80 shrink-0"><EquityPanel /></div>
      <ViewPanel<PortfolioView> title="Proposed portfolios" path="/portfolio" className="shrink-0" note={() => "proposals, never orders"}>
        {(data) => <div className="grid divide-line max-lg:divide-y lg:grid-cols-3 lg:divide-x">{data.proposals.map((proposal) => <Proposal key={proposal.objective} proposal={proposal} />)}</div>}
      </ViewPanel>
      <div className="grid shrink-0 gap-3 lg:grid-cols-2">
        <FrontierPanel />
        <SensitivityPanel />
      </div>
      <div className="grid shrink-0 gap-3 lg:grid-cols-3">
        {(["strategy", "symbol", "sector", "regime"] as const).map((by) => (
          <ViewPanel<AttributionView> key={by} title={`Profit and loss by ${by}`} path={`/portfolio/attribution?by=${by}`} note={(data) => `adds up to ${money(data.net, { sign: true, whole: false })}, the ledger's`}>
            {(data) => <Table label={`By ${by}`} columns={PARTS} rows={by === "symbol" || by === "strategy" ? data.rows : data.rows.map((row) => ({ ...row, name: words(row.name) }))} rowKey={(row) => row.name} empty="Nothing has been traded yet." />}
          </ViewPanel>
        ))}
      </div>
      <ViewPanel<ActiveView> title="Against the benchmark" path="/portfolio/attribution/active" className="shrink-0" note={(data) => `with trading ${money(data.trading, { sign: true, whole: false })} less cost ${money(data.cost, { whole: false })}: ${money(data.net, { sign: true, whole: false })}, the ledger's`}>
        {(data) => (
          <div className="grid divide-line max-lg:divide-y lg:grid-cols-2 lg:divide-x">
            <Table label="By sector" columns={EFFECTS} rows={data.sectors} rowKey={(row) => row.name} empty="No bar has closed yet." />
            <Table label="By factor" columns={FACTORS} rows={[...data.factors, { name: "specific", gain: data.specific, exposure: null }]} rowKey={(row) => row.name} empty="No bar has closed yet." />
          </div>
        )}
      </ViewPanel>
      <ViewsPanel />
      <AllocationPanel />
      <ViewPanel<MandatesView> title="Mandates" path="/portfolio/mandates" className="shrink-0" note={() => "triggers count in market time"}>
        {(data) => (<>
          <Table label="Mandates" columns={MANDATES} rows={data.mandates} rowKey={(row) => row.mandate.name} empty="The deck watches over no account: set a mandate with quarterdeck rebalance mandate." />
          {data.waiting.map((row) => <p key={row.name} className="px-3 pb-2 text-xs text-warn">The mandate {row.name} of the configuration does nothing yet: its agent {row.agent} has not joined.</p>)}
        </>)}
      </ViewPanel>
      <PagedPanel<RebalancesView> title="Rebalances" path="/portfolio/rebalances" className="shrink-0">
        {(data) => <Table label="Rebalances" columns={REBALANCES} rows={data.rebalances} rowKey={(row) => row.number} empty="No account was rebalanced yet." />}
      </PagedPanel>
      <PagedPanel<ProposalsView> title="Proposals so far" path="/portfolio/proposals" className="shrink-0">
        {(data) => <Table label="Proposals" columns={HISTORY} rows={data.proposals} rowKey={(row) => row.number} empty="Nothing has been proposed yet." />}
      </PagedPanel>
    </>
  );
}
