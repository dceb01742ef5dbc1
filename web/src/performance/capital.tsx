import { When } from "../parts/cells";
import { DASH, count, fixed, money, percent, words } from "../parts/format";
import { Maybe } from "../parts/figures";
import { Empty } from "../parts/panel";
import { ReasonCommand } from "../parts/command";
import { type Column, Table, ViewPanel } from "../parts/table";
import { rest } from "../wire/rest";
import type { AllocationView, OutlookRow, ShareRow, SkillRow, ViewRow, ViewsView } from "../wire/types";

const SKILLS: ReadonlyArray<Column<SkillRow>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Views over", right: true, show: (row) => count(row.scored) },
  { name: "Correlation", right: true, hint: "Of what was expected with what came", show: (row) => <Maybe text={fixed(row.correlation)} why="nothing is over yet" /> },
  { name: "Confidence", right: true, hint: "Share of the way to a view that is followed", show: (row) => <Maybe text={percent(row.confidence, 1)} why={`${row.scored} of ${row.need} views needed`} /> },
];

const VIEWS: ReadonlyArray<Column<ViewRow>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Symbol", show: (row) => row.symbol },
  { name: "Strength", right: true, hint: "Negative for a fall", show: (row) => fixed(row.strength) },
  { name: "Expects", right: true, hint: "A year", show: (row) => <Maybe text={percent(row.expected_return, 1, { sign: true })} why="the window is not full" /> },
  { name: "Confidence", right: true, show: (row) => percent(row.confidence, 1) },
  { name: "Until slice", right: true, show: (row) => count(row.expires_slice) },
];

const OUTLOOK: ReadonlyArray<Column<OutlookRow>> = [
  { name: "Symbol", lead: true, show: (row) => row.symbol },
  { name: "Without", right: true, hint: "What makes the benchmark the best portfolio, a year", show: (row) => percent(row.prior, 1, { sign: true }) },
  { name: "With views", right: true, hint: "A year", show: (row) => percent(row.expected_return, 1, { sign: true }) },
];

export function ViewsPanel() {
  return (
    <ViewPanel<ViewsView> title="Views" path="/portfolio/views" className="shrink-0" note={() => "agents' signals, followed as far as they were worth it"}>
      {(data) => (
        <div className="grid divide-line max-lg:divide-y lg:grid-cols-3 lg:divide-x">
          <Table label="Skills" columns={SKILLS} rows={data.skills} rowKey={(row) => row.agent} empty="No view is over yet." />
          <Table label="Open views" columns={VIEWS} rows={data.views} rowKey={(row) => row.signal_id} empty="No signal is open." />
          {data.reason !== null ? <Empty>No expected returns: {data.reason}.</Empty> : <Table label="Expected returns" columns={OUTLOOK} rows={data.outlook} rowKey={(row) => row.symbol} empty="Nothing is expected." />}
        </div>
      )}
    </ViewPanel>
  );
}

const SHARES: ReadonlyArray<Column<ShareRow>> = [
  { name: "Agent", lead: true, show: (row) => row.agent },
  { name: "Sessions", right: true, hint: "Lived through", show: (row) => count(row.sessions) },
  { name: "Equity", right: true, show: (row) => money(row.equity, { whole: false }) },
  { name: "Movable", right: true, hint: "What nothing lays claim to", show: (row) => money(row.movable, { whole: false }) },
  { name: "Charges", right: true, hint: "For tasks of this session", show: (row) => money(row.charges, { whole: false }) },
  { name: "Return", right: true, hint: "A session, net of charges", show: (row) => <Maybe text={percent(row.expected_return, 2, { sign: true })} why="no best shares now" /> },
  { name: "Volatility", right: true, hint: "A session", show: (row) => <Maybe text={percent(row.volatility, 2)} why="no best shares now" /> },
  { name: "Share", right: true, show: (row) => percent(row.share, 1) },
  { name: "Best", right: true, show: (row) => <Maybe text={percent(row.target, 1)} why="no best shares now" /> },
];

function arranged(data: AllocationView): string {
  const asked = data.allocation;
  if (asked === null && data.waiting.length > 0) return `the configured one waits for ${data.waiting.join(", ")}`;
  if (asked === null) return "none is arranged: quarterdeck portfolio allocate";
  const due = asked.every === null ? (asked.drift === null ? "when asked" : `at a turnover of ${percent(asked.drift, 1)}`) : `every ${asked.every}`;
  const limits = [
    ...(asked.groups ?? []).map((group) => `${percent(group.low, 0)} to ${percent(group.high, 0)} to ${group.name} (${group.agents.join(", ")})`),
    ...((asked.max_turnover ?? null) === null ? [] : [`turnover at most ${percent(asked.max_turnover, 1)}`]),
    ...((asked.max_change ?? null) === null ? [] : [`a share moves at most ${percent(asked.max_change, 1)}`]),
  ];
  return [`${words(asked.objective)} of ${count(asked.sessions)} sessions`, asked.mode, due, ...limits].join(", ");
}

export function AllocationPanel() {
  return (
    <ViewPanel<AllocationView> title="Capital over agents" path="/portfolio/allocation" className="shrink-0" note={arranged}>
      {(data) => (
        <>
          <Table label="Capital over agents" columns={SHARES} rows={data.rows} rowKey={(row) => row.agent} empty="No agent has an account yet." />
          {data.moves.length > 0 && <ul className="px-3 pb-2 text-muted">{data.moves.map((move) => <li key={`${move.from_agent} ${move.to_agent}`}>{`${money(move.amount, { whole: false })} would move from ${move.from_agent} to ${move.to_agent}`}</li>)}</ul>}
          {data.reason !== null && <p className="px-3 pb-2 text-xs text-warn">{data.reason}</p>}
          {data.warning !== null && <p className="px-3 pb-2 text-xs text-warn">{data.warning}</p>}
          {data.span_from !== null && data.span_to !== null && <p className="px-3 pb-1 text-xs text-faint">sessions <When at={data.span_from} /> to <When at={data.span_to} />; {data.solver}, optimality gap {data.optimality_gap === null ? DASH : data.optimality_gap.toExponential(1)}{data.cvar === null ? "" : `, mean loss of the worst sessions ${percent(data.cvar, 2)}`}</p>}
          {data.due !== null && <p className="px-3 pb-2 text-xs text-warn">due since {data.due}</p>}
          {data.last !== null && <p className="px-3 pb-2 text-xs text-faint">last: {data.last}</p>}
          {data.allocation !== null && (
            <p className="flex justify-end gap-1 px-3 pb-2">
              {data.allocation.mode !== "advisory" && data.reason === null && <ReasonCommand name="Move now" ask="Why?" send={(reason) => rest.post<AllocationView>("/portfolio/allocation/carry", { reason })} />}
              <ReasonCommand name="End" ask="Why?" send={(reason) => rest.post<AllocationView>("/portfolio/allocation/end", { reason })} />
            </p>
          )}
        </>
      )}
    </ViewPanel>
  );
}
