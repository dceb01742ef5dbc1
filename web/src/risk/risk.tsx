import { type ReactNode, useState } from "react";
import { StateWord, When } from "../parts/cells";
import { PlainCommand, ReasonCommand } from "../parts/command";
import { DASH, count, counted, fixed, instant, money, percent, words } from "../parts/format";
import { Bar, Maybe, SeverityMark } from "../parts/figures";
import { PageTitle, Panel } from "../parts/panel";
import { RULES } from "../parts/rules";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { Measure } from "../overview/refusal";
import { useStop } from "../shell/stop";
import { rest } from "../wire/rest";
import { useView } from "../live/queries";
import type { AgentsView, BreakersView, BreakerView, ClustersView, ClusterView, ConditionShare, ConditionView, CoverageView, CreditsView, CreditView, DrillView, FitsView, FitView, GateView, GroundingsView, GroundingView, HoldingsRiskView, HoldingsView, InstrumentsView, LimitView, RiskChangeView, RiskEventView, RiskEventsView, RiskLevelsView, RiskLevelView, RiskResponsesView, RiskResponseView, RiskTimelineView, RiskView, RisksView, StopScope, StopView, StressesView, StressView } from "../wire/types";

/** Who a learned limit binds; one of the whole deck binds everything. */
function holder(scope: string): string {
  const who = scope.replace(/^risk, /, "").replace(/^agent /, "");
  return who === "deck" ? "everything" : who;
}

const LIMITS: ReadonlyArray<Column<LimitView>> = [
  { name: "Rule", lead: true, show: (row) => <span><span className="font-medium">{RULES[row.code]?.name ?? row.code}</span><span className="block text-xs text-faint">{row.name}</span></span> },
  { name: "Holds for", show: (row) => row.learned ? holder(row.scope) : /^(instrument|cluster) /.test(row.scope) ? row.scope.replace(/^\w+ /, "") : "everything" },
  { name: "Limit", right: true, show: (row) => <Measure value={row.value} unit={row.unit} /> },
  { name: "Clock", hint: "The time its window counts in", show: (row) => words(row.clock) },
  { name: "Set by", show: (row) => row.learned ? <span title="learned from the forecasts; it can only tighten a person's limit">learned, version {row.version}</span> : row.scope },
];

const BREAKERS: ReadonlyArray<Column<BreakerView>> = [
  { name: "Breaker", lead: true, show: (row) => <span><span className="font-medium">{RULES[row.code]?.name ?? words(row.kind)}</span><span className="block text-xs text-faint">{`${row.scope} ${row.subject}`.trim()}</span></span> },
  { name: "State", show: (row) => <span className={row.state === "closed" ? "" : "font-medium text-down"}>{words(row.state)}</span> },
  { name: "Since", show: (row) => <span>{instant(row.since)}<span className="block text-xs text-faint">{row.half_open_slice === null ? `slice ${count(row.since_slice)}` : `tried again at slice ${count(row.half_open_slice)}`}</span></span> },
  { name: "Why", wrap: true, show: (row) => <span>{row.reason}<span className="block text-xs text-faint">{row.evidence}</span></span> },
  { name: "Opened", right: true, hint: "How often in this run", show: (row) => count(row.trips) },
  { name: "", right: true, show: (row) => row.state === "closed" ? null : <ReasonCommand name="Reset" ask="Why?" send={(reason) => rest.post<BreakerView>("/breakers/reset", { kind: row.kind, scope: row.scope, subject: row.subject, reason })} /> },
];

const GROUNDING: ReadonlyArray<Column<GroundingView>> = [
  { name: "Agent", lead: true, show: (row) => <span className="font-medium">{row.agent}</span> },
  { name: "Beliefs sent", right: true, show: (row) => count(row.premises) },
  { name: "Held", right: true, show: (row) => count(row.grounded) },
  { name: "Grounding", right: true, hint: "Believed prices that held, of those sent", show: (row) => <Maybe text={percent(row.score)} why="no order has said the price it believes" /> },
];

function why(row: RiskView): string {
  return row.reason ?? `${row.have} of ${row.need} observations`;
}

/** A confidence level as people say it: 0.975 is 97.5. */
function said(level: number): string {
  return String(Number((100 * level).toFixed(6)));
}

/** VaR and ES of every level that the deck forecasts. */
function byLevel<Row>(levels: ReadonlyArray<number>, show: (row: Row, place: number) => { var: ReactNode; es: ReactNode }): ReadonlyArray<Column<Row>> {
  return levels.flatMap((level, place) => [
    { name: `VaR ${said(level)}`, right: true, hint: `Loss of the next bar that ${said(level)} in 100 stay within`, show: (row: Row) => show(row, place).var },
    { name: `ES ${said(level)}`, right: true, hint: "Mean loss beyond the VaR", show: (row: Row) => show(row, place).es },
  ]);
}

const forecasts = (levels: ReadonlyArray<number>): ReadonlyArray<Column<RiskView>> => [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Volatility", right: true, hint: "Standard deviation of the next bar's log return", show: (row) => <Maybe text={percent(row.volatility)} why={why(row)} /> },
  ...byLevel<RiskView>(levels, (row, place) => ({ var: <Maybe text={percent(row.levels[place]?.var ?? null)} why={why(row)} />, es: <Maybe text={percent(row.levels[place]?.es ?? null)} why={why(row)} /> })),
  { name: "Size", right: true, hint: "Volatility scaling of new positions", show: (row) => row.multiplier === null ? <Maybe text={DASH} why={why(row)} /> : <span className="ml-auto flex max-w-44 items-center justify-end gap-2 whitespace-nowrap"><Bar share={row.multiplier} label={`size multiplier ${fixed(row.multiplier)}`} />× {fixed(row.multiplier)}</span> },
  { name: "Position limit", right: true, hint: "Per agent", show: (row) => <Maybe text={money(row.position_limit)} why={why(row)} /> },
  { name: "Residuals", right: true, hint: "Observations that the forecast rests on", show: (row) => row.have < row.need ? <span className="text-faint">{why(row)}</span> : count(row.have) },
];

const YOUNG = "250 bars common to everything held are needed";

const held = (levels: ReadonlyArray<number>): ReadonlyArray<Column<HoldingsRiskView>> => [
  { name: "Who", lead: true, show: (row) => <span className="font-medium">{row.subject}</span> },
  { name: "Gross", right: true, show: (row) => money(row.gross) },
  { name: "Net", right: true, hint: "Short positions against long ones", show: (row) => money(row.net) },
  ...byLevel<HoldingsRiskView>(levels, (row, place) => ({ var: <Maybe text={money(row.levels[place]?.var ?? null)} why={YOUNG} />, es: <Maybe text={money(row.levels[place]?.es ?? null)} why={YOUNG} /> })),
  { name: "Volatility", right: true, hint: "Foreseen over the usual one of what is held", show: (row) => <Maybe text={row.volatility_regime === null ? DASH : `${words(row.volatility_regime)}, × ${fixed(row.volatility_ratio ?? 0, 2)}`} why={YOUNG} /> },
  { name: "Liquidity", right: true, hint: "Bars of usual volume that the least liquid position is", show: (row) => <Maybe text={row.volume_bars === null ? DASH : `${row.volume_bars > 0 && row.volume_bars < 0.001 ? "< 0.001" : fixed(row.volume_bars, 3)} bars`} why="the volume of something held is not known" /> },
  { name: "Where the VaR 99 comes from", hint: "Shares add up to the whole; a hedge is negative. In brackets what each position may lose by itself", wrap: true, show: (row) => <span className="text-muted">{row.components.map((one) => `${one.symbol} ${percent(one.var99_share, 0)} (${money(one.levels.find((each) => each.level === 0.99)?.var ?? null)})`).join(" · ")}</span> },
];

interface Verdict {
  readonly symbol: string;
  readonly coverage: CoverageView;
}

const EMPTY = "no forecast has been judged by a bar yet";

function PValue({ p }: { p: number | null }) {
  if (p === null) return <Maybe text={DASH} why={EMPTY} />;
  return <span className={p < 0.05 ? "text-down" : ""}>{p < 0.001 ? "< 0.001" : fixed(p, 3)}</span>;
}

function verdictOf(coverage: CoverageView) {
  if (coverage.kupiec_p === null || coverage.christoffersen_p === null) return <Maybe text={DASH} why={EMPTY} />;
  return Math.min(coverage.kupiec_p, coverage.christoffersen_p, coverage.dq_p ?? 1) < 0.05 ? <span className="font-medium text-down">rejected</span> : "held";
}

const VERDICTS: ReadonlyArray<Column<Verdict>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Forecast", show: (row) => `VaR ${said(row.coverage.level)}` },
  { name: "Bars judged", right: true, show: (row) => count(row.coverage.observations) },
  { name: "Losses beyond", right: true, show: (row) => count(row.coverage.hits) },
  { name: "Share", right: true, hint: "Of the bars judged, how many lost more than forecast", show: (row) => <Maybe text={percent(row.coverage.hit_fraction)} why={EMPTY} /> },
  { name: "Promised", right: true, show: (row) => percent(row.coverage.expected_fraction) },
  { name: "Kupiec p", right: true, hint: "Below 0.05 the share is not the promised one", show: (row) => <PValue p={row.coverage.kupiec_p} /> },
  { name: "Christoffersen p", right: true, hint: "Below 0.05 the share is wrong or the losses come in clusters", show: (row) => <PValue p={row.coverage.christoffersen_p} /> },
  { name: "DQ p", right: true, hint: "Dynamic quantile test: below 0.05 the losses could have been foreseen", show: (row) => <PValue p={row.coverage.dq_p} /> },
  { name: "Recent share", right: true, hint: "Of the last 500 judged bars", show: (row) => row.coverage.recent.observations === 0 ? <Maybe text={DASH} why={EMPTY} /> : percent(row.coverage.recent.hits / row.coverage.recent.observations) },
  { name: "Recent Kupiec p", right: true, hint: "Of the last 500 judged bars", show: (row) => <PValue p={row.coverage.recent.kupiec_p} /> },
  { name: "Verdict", right: true, hint: "Held unless one of the three tests of all bars rejects at 5 %", show: (row) => verdictOf(row.coverage) },
];

function verdicts(data: RisksView): ReadonlyArray<Verdict> {
  return data.instruments.flatMap((row) => row.coverage.map((coverage) => ({ symbol: row.symbol, coverage })));
}

const EVENTS: ReadonlyArray<Column<RiskEventView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Severity", show: (row) => <SeverityMark severity={row.severity} /> },
  { name: "Kind", show: (row) => words(row.kind) },
  { name: "Subject", show: (row) => row.subject },
  { name: "Chance", right: true, hint: "How likely it was by what had been forecast or promised", show: (row) => row.probability === null ? <Maybe text={DASH} why="nothing states how likely it was" /> : percent(row.probability, row.probability < 0.001 ? 4 : 1) },
  { name: "At stake", right: true, hint: "What the positions concerned may lose in the next bar at 99 %", show: (row) => <Maybe text={money(row.impact)} why="there was no forecast" /> },
  { name: "Answer", show: (row) => words(row.response) },
  { name: "What happened", wrap: true, show: (row) => <span className="text-muted">{row.text}</span> },
];

const LEVELS: ReadonlyArray<Column<RiskLevelView>> = [
  { name: "Who", lead: true, show: (row) => <span className="font-medium">{row.subject}</span> },
  { name: "Level", show: (row) => row.level === null ? <Maybe text={DASH} why="nothing is known yet" /> : <span className={row.level === "very_high" || row.level === "extreme" ? "font-medium text-down" : ""}>{words(row.level)}</span> },
  { name: "Score", right: true, hint: "0 to 100", show: (row) => row.score === null ? <Maybe text={DASH} why="nothing is known yet" /> : <span className="ml-auto flex max-w-44 items-center justify-end gap-2 whitespace-nowrap"><Bar share={row.score / 100} label={`score ${fixed(row.score, 0)}`} />{fixed(row.score, 0)}</span> },
  { name: "Since", show: (row) => row.since === null ? DASH : <When at={row.since} /> },
  { name: "Made of", hint: "Points of the score", wrap: true, show: (row) => <span className="text-muted">{row.components.map((one) => `${words(one.component)} ${one.points === null ? DASH : fixed(one.points, 0)}`).join(" · ")}</span> },
];

/** What something passed from or to: money to the cent, a share as it is, or a word. */
function passed(value: string): string {
  const number = Number(value);
  if (value === "" || !Number.isFinite(number)) return words(value);
  return Math.abs(number) >= 100 ? money(number) : value;
}

const CHANGES: ReadonlyArray<Column<RiskChangeView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "What", show: (row) => words(row.kind) },
  { name: "Concerns", show: (row) => <span className="font-medium">{row.subject}</span> },
  { name: "From", right: true, show: (row) => row.previous === null ? DASH : passed(row.previous) },
  { name: "To", right: true, show: (row) => passed(row.now) },
  { name: "Why", wrap: true, show: (row) => <span className="text-muted">{row.because}{row.causes.length === 0 ? "" : ` (${row.causes.map((one) => `${words(one.component)} ${one.points > 0 ? "+" : ""}${fixed(one.points, 2)}`).join(", ")})`}</span> },
  { name: "At stake", right: true, hint: "At 99 % in the next bar: of a full position for a limit, else of what is held", show: (row) => <Maybe text={money(row.impact)} why="not known, or not of this kind" /> },
];

const STRESSES: ReadonlyArray<Column<StressView>> = [
  { name: "Scenario", lead: true, show: (row) => <span className="font-medium">{row.name}</span> },
  { name: "From", show: (row) => row.start === null ? "" : row.start.slice(0, 10) },
  { name: "To", show: (row) => row.end === null ? "" : row.end.slice(0, 10) },
  { name: "The deck loses", right: true, hint: "Of what is held now; a gain is negative", show: (row) => <Maybe text={money(row.losses[0]?.loss ?? null)} why={row.reason ?? "nothing of what is held is known"} /> },
  { name: "Of equity", right: true, show: (row) => <Maybe text={percent(row.losses[0]?.equity_fraction ?? null)} why={row.reason ?? "not known"} /> },
  { name: "Largest parts", wrap: true, show: (row) => <span className="text-muted">{row.reason ?? Object.entries(row.parts).map(([symbol, loss]) => `${symbol} ${money(loss)}`).join(" · ")}</span> },
];

const CREDITS: ReadonlyArray<Column<CreditView>> = [
  { name: "Who", lead: true, show: (row) => <span className="font-medium">{row.agent}</span> },
  { name: "Credit line", right: true, hint: "The largest gross exposure; never above a person's limit", show: (row) => <span className={row.in_force ? "" : "text-faint"}><Maybe text={money(row.credit)} why="no bar has closed yet" /></span> },
  { name: "Share", right: true, hint: "Of the human's limits, as learned", show: (row) => percent(row.share, 0) },
  { name: "Scaled by", show: (row) => Object.entries(row.factors).map(([name, value]) => `${name} × ${fixed(value, 2)}`).join(" · ") },
  { name: "Learned from", right: true, show: (row) => counted(row.bars, "bar") },
  { name: "Gain of more", right: true, hint: "At least so much a bar, in forecast deviations; only above zero does it loosen", show: (row) => <Maybe text={row.least_gain === null ? DASH : fixed(row.least_gain, 3)} why="60 bars with something held are needed" /> },
  { name: "Position size", right: true, hint: "The share of position limits that closed trades have earned", show: (row) => <span className={row.size_in_force === null ? "text-faint" : ""}>× {fixed(row.size_in_force ?? row.size, 2)}</span> },
  { name: "Stop distance", right: true, hint: "In forecast volatilities of a bar", show: (row) => row.trades === 0 ? <Maybe text={DASH} why="no trade has closed yet" /> : `${fixed(row.stop_distance, 1)} (${count(row.trades)})` },
  { name: "Furthest stop", right: true, hint: "An attached stop-loss further away is refused; forecast volatilities of a bar", show: (row) => <Maybe text={row.stop_in_force === null ? DASH : fixed(row.stop_in_force, 1)} why="in force after ten closed trades, its own or of all agents, unless in the shadow" /> },
];

const FITS: ReadonlyArray<Column<FitView>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "When", show: (row) => <When at={row.at} /> },
  { name: "Bars", right: true, hint: "Returns up to then that it was fitted to and judged on", show: (row) => count(row.bars) },
  { name: "Let in", wrap: true, show: (row) => row.accepted ? "yes" : <span className="text-down">no: {row.reason}</span> },
  { name: "Loss", right: true, hint: "QLIKE a bar, and that of the recursion that is not fitted", show: (row) => row.loss === null || row.plain_loss === null ? <Maybe text={DASH} why="it was not judged" /> : `${fixed(row.loss, 4)} (${fixed(row.plain_loss, 4)})` },
  { name: "Weight 95", right: true, hint: "Its share of the VaR 95 now, at most a half", show: (row) => <Maybe text={percent(row.weight95, 0)} why="it is not heard yet" /> },
  { name: "Weight 99", right: true, hint: "Its share of the VaR 99 now, at most a half", show: (row) => <Maybe text={percent(row.weight99, 0)} why="it is not heard yet" /> },
  { name: "By", show: (row) => row.model },
];

const clusters = (levels: ReadonlyArray<number>): ReadonlyArray<Column<ClusterView>> => [
  { name: "Moves together", lead: true, wrap: true, show: (row) => <span className="font-medium">{row.members.join(" · ")}</span> },
  { name: "Correlation", right: true, hint: "Mean of all pairs lately, and usually", show: (row) => `${fixed(row.correlation, 2)} (${fixed(row.usual_correlation, 2)})` },
  ...byLevel<ClusterView>(levels, (row, place) => ({ var: <Maybe text={percent(row.levels[place]?.var ?? null)} why={YOUNG} />, es: <Maybe text={percent(row.levels[place]?.es ?? null)} why={YOUNG} /> })),
  { name: "Held", right: true, hint: "Gross, by all agents", show: (row) => money(row.held) },
  { name: "Held VaR 99", right: true, show: (row) => <Maybe text={money(row.held_var99)} why="nothing of it is held, or not enough data" /> },
  { name: "Multiplier", right: true, hint: "Learned from its own bars, times what a risen correlation leaves", show: (row) => row.multiplier === null ? <Maybe text={DASH} why="no agent has been scored yet" /> : `× ${fixed(row.multiplier, 2)}` },
  { name: "Limit", right: true, hint: "Gross exposure of all agents; never above a person's", show: (row) => <span className={row.in_force ? "" : "text-faint"}><Maybe text={money(row.limit)} why="no agent has been scored yet" /></span> },
];

const CONDITIONS: ReadonlyArray<Column<ConditionShare>> = [
  { name: "Condition", lead: true, show: (row) => <span className="font-medium">{words(row.condition)}</span> },
  { name: "Share", right: true, show: (row) => <Maybe text={percent(row.share, 0)} why="not enough data" /> },
  { name: "Limits", right: true, hint: "What it scales learned limits by, learned from its own bars", show: (row) => `× ${fixed(row.multiplier, 3)}` },
  { name: "Learned from", right: true, show: (row) => counted(row.bars, "bar") },
];

function toldFrom(view: ConditionView): string {
  if (view.condition === null) return "not enough data";
  return `${words(view.condition)} since ${instant(view.since ?? "")}: volatility ${fixed(view.volatility_ratio ?? 0, 2)} times its usual level, ${percent(view.breadth, 0)} of the instruments above their mean, ${percent(view.fall, 0)} below their highs`;
}

const RESPONSES: ReadonlyArray<Column<RiskResponseView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Answer", show: (row) => <span className="font-medium">{words(row.response)}</span> },
  { name: "Concerns", show: (row) => row.subject === "" ? "the deck" : row.subject },
  { name: "State", show: (row) => <span className={row.state === "standing" ? "font-medium text-down" : ""}>{words(row.state)}{row.ended_by === null ? "" : ` by ${row.ended_by}`}</span> },
  { name: "Why", wrap: true, show: (row) => <span className="text-muted">{row.reason}</span> },
  { name: "", right: true, show: (row) => row.state === "standing" ? <ReasonCommand name="Lift" ask="Why?" send={(reason) => rest.post<RiskResponseView>(`/risk/responses/${row.response_id}/lift`, { reason })} /> : <span className="text-xs text-faint">{row.state === "carried_out" ? row.undo : ""}</span> },
];

function StopPanel() {
  const stop = useStop();
  const agents = useView<AgentsView>("/agents");
  const instruments = useView<InstrumentsView>("/instruments");
  const [chosen, setChosen] = useState("");
  const choices: ReadonlyArray<readonly [StopScope, ReadonlyArray<string>]> = [
    ["agent", (agents.data?.agents ?? []).map((one) => one.agent).filter((name) => !(stop?.stopped_agents ?? []).includes(name))],
    ["instrument", (instruments.data?.instruments ?? []).map((one) => one.symbol).filter((name) => !(stop?.stopped_instruments ?? []).includes(name))],
    ["account", ["paper"].filter((name) => !(stop?.stopped_accounts ?? []).includes(name))],
  ];
  const [scope = "", subject = ""] = chosen.split(" ");
  const facts: ReadonlyArray<readonly [string, string]> = stop === null ? [] : [
    ["Epoch", String(stop.epoch)], ["Acknowledged", String(stop.acknowledged)], ["Last raised", stop.since === null ? "never in this run" : instant(stop.since)],
    ["By", stop.by ?? DASH], ["Accepted since", count(stop.accepted_since)], ["Refused since", count(stop.refused_since)], ["Cancelled", count(stop.cancelled)],
    ["In force after", stop.stop_ms === null ? DASH : `${fixed(stop.stop_ms, 2)} ms`],
  ];
  return (
    <Panel title="Stop one agent, instrument or account" note="the red button stops everything" className="shrink-0">
      <div className="flex flex-wrap items-end gap-x-8 gap-y-3">
        <p className="text-base">{stop === null ? DASH : <StateWord state={stop.stopped ? "stopped" : "trading is open"} />}</p>
        <dl className="flex flex-wrap gap-x-7 gap-y-2">{facts.map(([name, value]) => <div key={name}><dt className="label">{name}</dt><dd className="stale-able font-semibold">{value}</dd></div>)}</dl>
        <div className="ml-auto flex flex-wrap items-end gap-2 max-md:ml-0">
          <label className="flex flex-col gap-1"><span className="label">Stop only</span>
            <select className="field w-44" value={chosen} onChange={(event) => setChosen(event.target.value)}>
              <option value="">Choose…</option>
              {choices.map(([kind, names]) => <optgroup key={kind} label={words(kind)}>{names.map((name) => <option key={name} value={`${kind} ${name}`}>{name}</option>)}</optgroup>)}
            </select>
          </label>
          {subject !== "" && <ReasonCommand name={`Stop ${subject}`} ask="Why?" send={(reason) => rest.post<StopView>("/gate/stop", { reason, [scope]: subject })} />}
        </div>
      </div>
    </Panel>
  );
}

function DrillPanel() {
  return (
    <ViewPanel<DrillView> title="Stop drill" path="/gate/drill" className="shrink-0" note={() => "the real path, against a shadow account beside trading"}>
      {(drill) => (
        <div className="flex flex-wrap items-center gap-x-8 gap-y-3 p-3">
          <p className={`text-base ${drill.faults.length > 0 ? "text-stop-text" : ""}`}>{drill.number === 0 ? "never drilled in this run" : drill.faults.length > 0 ? `failed at ${instant(drill.at ?? "")}: ${drill.faults.join("; ")}` : <>last proven <When at={drill.proven_at ?? ""} />, {fixed((drill.done_ms ?? 0) / 1000, 2)} s</>}</p>
          {drill.number > 0 && <dl className="flex flex-wrap gap-x-7 gap-y-2">
            {([["Accepted after", count(drill.accepted ?? 0)], ["Refused", count(drill.refused ?? 0)], ["Cancelled", `${count(drill.cancelled ?? 0)} of ${count(drill.orders ?? 0)}`], ["In force after", drill.in_force_ms === null ? DASH : `${fixed(drill.in_force_ms, 2)} ms`]] as const).map(([name, value]) => <div key={name}><dt className="label">{name}</dt><dd className="font-semibold">{value}</dd></div>)}
          </dl>}
          <div className="ml-auto max-md:ml-0"><PlainCommand name="Drill the stop now" label="Drill the stop now" send={() => rest.post<DrillView>("/gate/drill", {})} /></div>
        </div>
      )}
    </ViewPanel>
  );
}

export default function Risk() {
  return (
    <>
      <PageTitle note="what the gate enforces, what is forecast, and what went beyond it">Risk &amp; safety</PageTitle>
      <StopPanel />
      <DrillPanel />
      <ViewPanel<RiskLevelsView> title="Level of risk" path="/risk/level" className="shrink-0" note={() => "a score of 0 to 100 from its components"}>
        {(data) => <Table label="Level of risk" columns={LEVELS} rows={data.subjects} rowKey={(row) => row.subject} empty="No slice has closed yet." />}
      </ViewPanel>
      <ViewPanel<RisksView> title="Forecasts for the next bar" path="/risk" className="shrink-0" note={(view) => `losses as positive shares of the price; ${view.confirmed ? "constants confirmed on years never looked at" : `constants of ${view.constants} bars, not confirmed: go by the measured coverage below`}`}>
        {(data) => <Table label="Forecasts" columns={forecasts(data.instruments[0]?.levels.map((one) => one.level) ?? [])} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<HoldingsView> title="What is held may lose in the next bar" path="/risk/holdings" className="shrink-0" note={() => "in money, with the dependence the instruments have shown"}>
        {(data) => <Table label="Held" columns={held(data.subjects[0]?.levels.map((one) => one.level) ?? [])} rows={data.subjects} rowKey={(row) => row.subject} empty="Nothing is held." />}
      </ViewPanel>
      <ViewPanel<RisksView> title="How the forecasts have held" path="/risk" className="shrink-0" note={() => "losses beyond the forecast, tested"}>
        {(data) => <Table label="Coverage" columns={VERDICTS} rows={verdicts(data)} rowKey={(row) => `${row.symbol} ${row.coverage.level}`} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<FitsView> title="Fitted expert" path="/risk/fits" className="shrink-0" note={(view) => view.every_bars === 0 ? "risk.fitted_every_bars is 0: nothing is fitted" : `a GJR of each instrument every ${count(view.every_bars)} bars, one expert of six`}>
        {(data) => <Table label="Fitted expert" columns={FITS} rows={data.fits} rowKey={(row) => row.symbol} empty={data.every_bars === 0 ? "This deck has no fitted expert." : "Nothing was fitted yet."} />}
      </ViewPanel>
      <ViewPanel<BreakersView> title="Circuit breakers" path="/breakers" className="shrink-0" note={() => "counted in market time"}>
        {(data) => <Table label="Circuit breakers" columns={BREAKERS} rows={data.breakers} rowKey={(row) => `${row.kind} ${row.scope} ${row.subject}`} empty="No circuit breaker has opened in this run." />}
      </ViewPanel>
      <ViewPanel<GroundingsView> title="Grounding" path="/gate/grounding" className="shrink-0" note={() => "prices that agents believed, held against the last close"}>
        {(data) => <Table label="Grounding" columns={GROUNDING} rows={data.agents} rowKey={(row) => row.agent} empty="No agent has an account." />}
      </ViewPanel>
      <ViewPanel<GateView> title="Limits in force" path="/gate" className="shrink-0">
        {(data) => <Table label="Limits" columns={LIMITS} rows={data.limits} rowKey={(row, place) => `${row.code} ${row.scope} ${place}`} empty="The gate has no limit, so it passes nothing." />}
      </ViewPanel>
      <ViewPanel<CreditsView> title="Credit lines" path="/risk/credit" className="shrink-0" note={(view) => `adaptation is ${view.mode}`}>
        {(data) => <Table label="Credit lines" columns={CREDITS} rows={data.deck === null ? data.agents : [data.deck, ...data.agents]} rowKey={(row) => row.agent} empty="No agent has been scored yet." />}
      </ViewPanel>
      <ViewPanel<ClustersView> title="What moves together" path="/risk/clusters" className="shrink-0" note={() => "found from correlations, bounded together; VaR and ES of one unit spread evenly"}>
        {(data) => <Table label="What moves together" columns={clusters(data.clusters[0]?.levels.map((one) => one.level) ?? [])} rows={data.clusters} rowKey={(row) => row.cluster} empty="No instruments move together." />}
      </ViewPanel>
      <ViewPanel<StressesView> title="Stress" path="/risk/stress" className="shrink-0" note={(view) => `what is held now, through ${counted(view.bars, "bar")} of history and through scenarios`}>
        {(data) => <Table label="Stress" columns={STRESSES} rows={data.scenarios} rowKey={(row) => row.name} empty="There is no scenario." />}
      </ViewPanel>
      <PagedPanel<RiskTimelineView> title="Risk timeline" path="/risk/timeline" className="shrink-0">
        {(data) => <Table label="Risk timeline" columns={CHANGES} rows={data.changes} rowKey={(row, place) => `${row.slice} ${row.kind} ${row.subject} ${place}`} empty="Nothing has changed yet." />}
      </PagedPanel>
      <ViewPanel<ConditionView> title="Market condition" path="/risk/condition" className="shrink-0" note={toldFrom}>
        {(data) => <Table label="Market condition" columns={CONDITIONS} rows={data.conditions} rowKey={(row) => row.condition} empty="There is no condition." />}
      </ViewPanel>
      <PagedPanel<RiskResponsesView> title="Answers to risk events" path="/risk/responses" className="shrink-0">
        {(data) => <Table label="Answers" columns={RESPONSES} rows={data.responses} rowKey={(row) => row.number} empty="No risk event was answered with more than a notice." />}
      </PagedPanel>
      <PagedPanel<RiskEventsView> title="Risk events" path="/risk/events" className="shrink-0">
        {(data) => <Table label="Risk events" columns={EVENTS} rows={data.events} rowKey={(row) => row.number} empty="No forecast or limit has been passed yet." />}
      </PagedPanel>
    </>
  );
}
