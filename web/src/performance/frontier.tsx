import { useState } from "react";
import { When } from "../parts/cells";
import { Choice } from "../parts/choice";
import { count, fixed, percent, words } from "../parts/format";
import { Maybe } from "../parts/figures";
import { Empty } from "../parts/panel";
import { type Column, Table, ViewPanel } from "../parts/table";
import { withQuery } from "../wire/rest";
import type { FrontierView, Objective, PortfolioView, RiskReturn, SensitivityRow, SensitivityView } from "../wire/types";
import { useView } from "../live/queries";

const WIDTH = 600, HEIGHT = 240, EDGE = 34;

type Row = RiskReturn & { readonly kind: "held" | "target" | "symbol" };

const POINTS: ReadonlyArray<Column<Row>> = [
  { name: "Portfolio", lead: true, show: (row) => <span className={row.kind === "held" ? "font-semibold" : ""}>{row.kind === "held" ? `held by ${row.name}` : row.kind === "target" ? words(row.name) : row.name}</span> },
  { name: "Return", right: true, hint: "Expected a year; cash earns nothing", show: (row) => percent(row.expected_return, 1, { sign: true }) },
  { name: "Volatility", right: true, hint: "A year", show: (row) => percent(row.volatility, 1) },
  { name: "Sharpe", right: true, show: (row) => <Maybe text={fixed(row.sharpe)} why="it does not vary" /> },
];

/** Risk to the right, return upwards; what is held is a square, targets are dots, symbols small. */
function Plot({ data }: { data: FrontierView }) {
  const all = [...data.frontier, ...data.targets, ...data.instruments, ...(data.held === null ? [] : [data.held])];
  const risks = all.map((one) => one.volatility), gains = all.map((one) => one.expected_return);
  const [left, right] = [Math.min(...risks), Math.max(...risks)], [low, high] = [Math.min(...gains), Math.max(...gains)];
  const x = (risk: number): number => EDGE + ((risk - left) / (right - left || 1)) * (WIDTH - 2 * EDGE);
  const y = (gain: number): number => HEIGHT - EDGE - ((gain - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
  const label = `Risk and return: the frontier runs from ${percent(data.frontier[0]?.volatility, 1)} to ${percent(data.frontier[data.frontier.length - 1]?.volatility, 1)} of volatility a year`;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} className="w-full text-faint">
      <path d={`M${EDGE} ${EDGE / 2}V${HEIGHT - EDGE}H${WIDTH - EDGE / 2}`} fill="none" stroke="var(--line)" />
      {data.instruments.map((one) => <g key={one.name}><circle cx={x(one.volatility)} cy={y(one.expected_return)} r="2" fill="var(--muted)" /><text x={x(one.volatility) + 4} y={y(one.expected_return) + 3} fontSize="9" fill="currentColor">{one.name}</text></g>)}
      <polyline points={data.frontier.map((one) => `${x(one.volatility)},${y(one.expected_return)}`).join(" ")} fill="none" stroke="var(--up)" strokeWidth="1.5" />
      {data.targets.map((one) => <circle key={one.name} cx={x(one.volatility)} cy={y(one.expected_return)} r="4" fill="var(--up)"><title>{words(one.name)}</title></circle>)}
      {data.held !== null && <rect x={x(data.held.volatility) - 4} y={y(data.held.expected_return) - 4} width="8" height="8" fill="var(--warn)"><title>{`held by ${data.held.name}`}</title></rect>}
      <text x={EDGE} y={HEIGHT - EDGE / 3} fontSize="10" fill="currentColor">{percent(left, 1)}</text>
      <text x={WIDTH - EDGE / 2} y={HEIGHT - EDGE / 3} fontSize="10" textAnchor="end" fill="currentColor">{`volatility ${percent(right, 1)}`}</text>
      <text x="2" y={EDGE / 3 + 4} fontSize="10" fill="currentColor">{`return ${percent(high, 0)}`}</text>
      <text x="2" y={HEIGHT - EDGE} fontSize="10" fill="currentColor">{percent(low, 0)}</text>
    </svg>
  );
}

export function FrontierPanel() {
  return (
    <ViewPanel<FrontierView> title="Risk and return" path="/portfolio/frontier?points=16" note={(data) => data.span_to === null ? "a year" : <>a year; no weight above {percent(data.max_weight, 0)}; returns to <When at={data.span_to} /></>}>
      {(data) => data.targets.length + data.frontier.length === 0 ? <Empty>No frontier yet: {data.reason}.</Empty> : (
        <>
          <Plot data={data} />
          <Table label="Risk and return" columns={POINTS} rows={[...(data.held === null ? [] : [{ ...data.held, kind: "held" as const }]), ...data.targets.map((one) => ({ ...one, kind: "target" as const }))]} rowKey={(row) => row.kind + row.name} empty="Nothing is held or proposed." />
          {data.reason !== null && <p className="px-3 pb-2 text-xs text-warn">{data.reason}</p>}
          {data.warning !== null && <p className="px-3 pb-2 text-xs text-warn">{data.warning}</p>}
        </>
      )}
    </ViewPanel>
  );
}

const SCATTER: ReadonlyArray<Column<SensitivityRow>> = [
  { name: "Symbol", lead: true, show: (row) => row.symbol },
  { name: "Weight", right: true, hint: "By the history as it was", show: (row) => percent(row.weight, 1) },
  { name: "Mean", right: true, hint: "The resampled portfolio", show: (row) => percent(row.mean, 1) },
  { name: "Deviation", right: true, show: (row) => percent(row.deviation, 1) },
  { name: "5 %", right: true, show: (row) => percent(row.low, 1) },
  { name: "95 %", right: true, show: (row) => percent(row.high, 1) },
];

const SHORT: Readonly<Record<Objective, string>> = { "max-sharpe": "Sharpe", "min-volatility": "Volatility", "risk-parity": "Parity", "hrp": "HRP", "equal-weight": "Equal", "max-return": "Return", "min-cvar": "CVaR", "tracking": "Tracking" };

export function SensitivityPanel() {
  const [objective, choose] = useState<Objective>("max-sharpe");
  // It is drawn again with every proposal: in between the history is nearly the same.
  const proposals = useView<PortfolioView>("/portfolio").data?.proposals ?? [];
  const proposed = proposals[0]?.at ?? "none";
  const options = proposals.map((one) => [one.objective, SHORT[one.objective]] as const);
  return (
    <ViewPanel<SensitivityView> key={proposed} title="Sensitivity to the estimates" path={withQuery("/portfolio/sensitivity", { objective, draws: 100 })} moving={false}
      aside={<Choice label="Objective" options={options} value={objective} choose={choose} />}
      note={(data) => data.turnover === null ? "resampled history" : `${count(data.draws)} resampled histories; mean turnover ${percent(data.turnover, 1)}${data.unanswered > 0 ? `, ${count(data.unanswered)} without an answer` : ""}`}>
      {(data) => data.reason !== null ? <Empty>No answer: {data.reason}.</Empty> : <Table label="Sensitivity" columns={SCATTER} rows={data.rows} rowKey={(row) => row.symbol} empty="Nothing to show." />}
    </ViewPanel>
  );
}
