import { BaselineSeries, type IChartApi, type ISeriesApi, LineSeries, type UTCTimestamp, createChart } from "lightweight-charts";
import { useEffect, useRef, useState } from "react";
import { live, useLive } from "../live/store";
import { money, percent } from "../parts/format";
import { AgentSwatch, Change, agentColour } from "../parts/figures";
import { Empty, Panel, Skeleton } from "../parts/panel";
import { colour, useShownTheme } from "../shell/theme";
import type { Point } from "../wire/live";
import { looks } from "./looks";

/** Equity above, drawdown below, one pair of lines for each agent. */
class Curves {
  private readonly chart: IChartApi;
  private readonly equity = new Map<string, ISeriesApi<"Line">>();
  private readonly drawdown = new Map<string, ISeriesApi<"Baseline">>();
  private lastSlice = -1;
  private frame: number | undefined;
  private touched = false;

  constructor(private readonly place: HTMLElement, agents: ReadonlyArray<string>) {
    this.chart = createChart(place, looks());
    this.chart.timeScale().applyOptions({ rightOffset: 0 });
    for (const agent of agents) {
      const tone = colour(agentColour(agents, agent));
      this.equity.set(agent, this.chart.addSeries(LineSeries, {
        color: tone, lineWidth: 2, priceLineVisible: false, crosshairMarkerRadius: 3,
        priceFormat: { type: "custom", formatter: (value: number) => money(value), minMove: 0.01 },
      }, 0));
      this.drawdown.set(agent, this.chart.addSeries(BaselineSeries, {
        baseValue: { type: "price", price: 0 }, lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false,
        topLineColor: tone, topFillColor1: "transparent", topFillColor2: "transparent", bottomLineColor: tone, bottomFillColor1: `${tone}05`, bottomFillColor2: `${tone}30`,
        priceFormat: { type: "custom", formatter: (value: number) => percent(value, 1), minMove: 0.0001 },
      }, 1));
    }
    this.chart.panes()[0]?.setStretchFactor(64);
    this.chart.panes()[1]?.setStretchFactor(36);
    this.equity.values().next().value?.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.06 } });
    this.drawdown.values().next().value?.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.08 } });
    // The whole run is shown until somebody zooms.
    const touch = (): void => {
      this.touched = true;
    };
    place.addEventListener("wheel", touch, { passive: true });
    place.addEventListener("pointerdown", touch);
    place.addEventListener("dblclick", () => {
      this.touched = false;
      this.chart.timeScale().fitContent();
    });
  }

  draw(points: ReadonlyArray<Point>, anew: boolean): void {
    if (anew) this.lastSlice = -1;
    window.cancelAnimationFrame(this.frame ?? 0);
    this.frame = window.requestAnimationFrame(() => this.paint(points));
  }

  show(hidden: ReadonlySet<string>): void {
    for (const [agent, series] of this.equity) series.applyOptions({ visible: !hidden.has(agent) });
    for (const [agent, series] of this.drawdown) series.applyOptions({ visible: !hidden.has(agent) });
  }

  remove(): void {
    window.cancelAnimationFrame(this.frame ?? 0);
    this.chart.remove();
    this.place.replaceChildren();
  }

  private paint(points: ReadonlyArray<Point>): void {
    const whole = this.lastSlice < 0;
    const fresh = whole ? points : points.filter((point) => point.slice > this.lastSlice);
    const last = fresh[fresh.length - 1];
    if (last === undefined) return;
    this.lastSlice = last.slice;
    for (const [agent, series] of this.equity) put(series, whole, fresh, (point) => point.equity[agent]);
    for (const [agent, series] of this.drawdown) put(series, whole, fresh, (point) => negative(point.drawdown[agent]));
    if (!this.touched) this.chart.timeScale().fitContent();
  }
}

function negative(value: number | undefined): number | undefined {
  return value === undefined ? undefined : -Math.abs(value);
}

function put(series: ISeriesApi<"Line"> | ISeriesApi<"Baseline">, whole: boolean, points: ReadonlyArray<Point>, value: (point: Point) => number | null | undefined): void {
  const data = [];
  for (const point of points) {
    const number = value(point);
    if (number !== undefined && number !== null) data.push({ time: Math.floor(point.at_ms / 1000) as UTCTimestamp, value: number });
  }
  if (whole) series.setData(data);
  else if (data.length > 50) series.setData([...series.data(), ...data] as never);
  else data.forEach((item) => series.update(item));
}

export function EquityPanel() {
  const equity = useLive("equity");
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  return (
    <Panel title="Equity" note={<>by agent; drawdown below</>} flush className="min-h-0"
      aside={equity !== null && <Legend agents={equity.agents} hidden={hidden} toggle={(agent) => {
        const next = new Set(hidden);
        if (!next.delete(agent)) next.add(agent);
        setHidden(next);
      }} />}>
      {equity === null ? <Skeleton rows={6} />
        : equity.points.length === 0 ? <Empty>Nothing has been earned or lost yet: equity is drawn from the first bar after trading opens.</Empty>
        : <Chart agents={equity.agents} hidden={hidden} />}
    </Panel>
  );
}

function Chart({ agents, hidden }: { agents: ReadonlyArray<string>; hidden: ReadonlySet<string> }) {
  const place = useRef<HTMLDivElement>(null);
  const drawing = useRef<Curves | null>(null);
  const unseen = useRef(hidden);
  unseen.current = hidden;
  const theme = useShownTheme();
  const names = agents.join("\n");
  useEffect(() => {
    if (place.current === null) return;
    const curves = new Curves(place.current, names.split("\n"));
    drawing.current = curves;
    curves.show(unseen.current);
    let reset = -1;
    const draw = (): void => {
      const state = live.get("equity");
      if (state === null) return;
      curves.draw(state.points, state.reset !== reset);
      reset = state.reset;
    };
    draw();
    const end = live.subscribe("equity", draw);
    return () => {
      end();
      curves.remove();
      drawing.current = null;
    };
  }, [names, theme]);
  useEffect(() => drawing.current?.show(hidden), [hidden]);
  return <div ref={place} role="figure" aria-label="Equity and drawdown of every agent over the run; the leaderboard holds the same numbers" className="stale-able h-full min-h-56" />;
}

function Legend({ agents, hidden, toggle }: { agents: ReadonlyArray<string>; hidden: ReadonlySet<string>; toggle: (agent: string) => void }) {
  const board = useLive("overview")?.leaderboard ?? [];
  return (
    <div role="group" aria-label="Agents shown" className="stale-able flex flex-wrap justify-end gap-x-1">
      {agents.map((agent) => {
        const record = board.find((one) => one.agent === agent);
        return (
          <button key={agent} type="button" aria-pressed={!hidden.has(agent)} onClick={() => toggle(agent)} title={hidden.has(agent) ? "Show" : "Hide"}
            className={`flex h-7 items-center gap-1.5 rounded-md px-1.5 text-xs hover:bg-hover ${hidden.has(agent) ? "line-through opacity-60" : ""}`}>
            <AgentSwatch agents={agents} agent={agent} />{agent}
            {record && <span className="hidden sm:inline"><Change value={record.return_fraction} text={percent(record.return_fraction, 1, { sign: true })} arrow={false} /></span>}
          </button>
        );
      })}
    </div>
  );
}
