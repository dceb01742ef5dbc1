import type { ReactNode } from "react";
import { useLive } from "../live/store";
import { DASH, SEVERITIES, count, money, percent } from "../parts/format";
import { Change, Maybe, SeverityMark } from "../parts/figures";
import type { OverviewView } from "../wire/live";

function Tile({ name, value, note, title, first = false }: { name: string; value: ReactNode; note?: ReactNode; title?: string; first?: boolean }) {
  return (
    <div className={`min-w-0 bg-panel px-2.5 py-1.5 sm:px-3 sm:py-2 ${first ? "max-sm:col-span-3" : ""}`} title={title}>
      <dt className="label truncate">{name}</dt>
      <dd className="stale-able mt-0.5 truncate text-[15px] leading-6 font-semibold tracking-tight sm:text-base xl:text-[17px]">{value}</dd>
      <dd className="stale-able truncate text-xs text-faint">{note ?? " "}</dd>
    </div>
  );
}

function alertsNote(view: OverviewView): ReactNode {
  const worst = SEVERITIES.find((severity) => (view.alerts_open[severity] ?? 0) > 0);
  return worst === undefined ? "none open" : <span className="inline-flex gap-1"><SeverityMark severity={worst} /> {count(view.alerts_open[worst])}</span>;
}

export function Kpis() {
  const view = useLive("overview");
  if (view === null) return <div className="skeleton h-[74px] rounded-lg" role="status" aria-label="Loading" />;
  const total = Object.values(view.alerts_open).reduce((sum, value) => sum + (value ?? 0), 0);
  const dayFraction = view.pnl_day !== null && view.equity !== null ? Number(view.pnl_day) / (Number(view.equity) - Number(view.pnl_day)) : null;
  const noPrice = "Unknown while the price of something held is missing.";
  const exposure = view.gross_exposure === null || view.equity === null || Number(view.equity) === 0 ? null : Number(view.gross_exposure) / Number(view.equity);
  return (
    <dl className="grid shrink-0 grid-cols-3 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-5 xl:grid-cols-10">
      <Tile first name="Equity" value={<Maybe text={money(view.equity)} why={noPrice} />} note={`from ${money(view.capital)}`} />
      <Tile name="P&L, this day" value={<Change value={view.pnl_day} text={money(view.pnl_day, { sign: true })} why="Known from the second bar of trading." />} note={<Change value={dayFraction} text={dayFraction === null ? DASH : percent(dayFraction, 2, { sign: true })} arrow={false} why="no day yet" />} title="Since the close of the day before, in market time" />
      <Tile name="P&L, whole run" value={<Change value={view.pnl} text={money(view.pnl, { sign: true })} why={noPrice} />} note={<Change value={view.pnl_fraction} text={percent(view.pnl_fraction, 2, { sign: true })} arrow={false} why={noPrice} />} />
      <Tile name="Drawdown" value={<Maybe text={percent(view.drawdown_fraction)} why={noPrice} />} note="from the peak" />
      <Tile name="Gross exposure" value={<Maybe text={money(view.gross_exposure)} why={noPrice} />} note={exposure === null ? DASH : `${percent(exposure, 0)} of equity`} />
      <Tile name="Open orders" value={count(view.open_orders)} note={`${count(view.fills)} fills`} />
      <Tile name="Agents" value={<>{count(view.agents_ready)}<span className="text-faint"> / {count(view.agents_total)}</span></>} note="ready" />
      <Tile name="Tasks done" value={count(view.tasks_completed)} note={`${count(view.tasks_held)} held, ${count(view.tasks_ready)} waiting${view.tasks_failed > 0 ? `, ${count(view.tasks_failed)} failed` : ""}`} />
      <Tile name="Orders accepted" value={count(view.orders_accepted)} note={`${count(view.orders_refused)} refused`} />
      <Tile name="Open alerts" value={count(total)} note={alertsNote(view)} />
    </dl>
  );
}
