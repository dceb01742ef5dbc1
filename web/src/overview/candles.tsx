import {
  CandlestickSeries, HistogramSeries, type IChartApi, type ISeriesApi, type ISeriesMarkersPluginApi, type SeriesMarker, type Time, type UTCTimestamp, createChart, createSeriesMarkers,
} from "lightweight-charts";
import { useEffect, useMemo, useRef, useState } from "react";
import { useView } from "../live/queries";
import { live, useLive } from "../live/store";
import { REGIME_ORDER, compactVolume, day, price } from "../parts/format";
import { RegimeName } from "../parts/figures";
import { Empty, Panel, Skeleton } from "../parts/panel";
import { useSymbol } from "../shell/symbol";
import { colour, useShownTheme } from "../shell/theme";
import { withQuery } from "../wire/rest";
import type { BarTuple, Slice } from "../wire/live";
import type { FillsView, Regime, Side } from "../wire/types";
import { RegimeBands, type Span, grow } from "./bands";
import { looks } from "./looks";

interface Trade { readonly slice: number; readonly agent: string; readonly side: Side; readonly key: string }
interface Reading { readonly at_ms: number; readonly bar: BarTuple; readonly regime: Regime | undefined }

const MARKS_WITH_TEXT = 24;
/** Bars that a name needs to either side of its arrow, so that neighbours stay readable. */
const BARS_FOR_A_NAME = 12;
const KEPT_TRADES = 1_000;

function timeOf(slice: Slice): UTCTimestamp {
  return Math.floor(slice.at_ms / 1000) as UTCTimestamp;
}

/** The latest arrows whose names do not run into one another; an arrow without its name still shows the trade. */
function roomForNames<Mark extends { readonly bar: number; readonly side: Side }>(marks: ReadonlyArray<Mark>): ReadonlySet<Mark> {
  const named = new Set<Mark>();
  const next: Partial<Record<Side, number>> = {};
  for (const mark of marks.slice(-MARKS_WITH_TEXT).reverse()) {
    if ((next[mark.side] ?? Infinity) - mark.bar < BARS_FOR_A_NAME) continue;
    next[mark.side] = mark.bar;
    named.add(mark);
  }
  return named;
}

/** The drawing of one symbol: knows what it has drawn and adds only what is new. */
class Candles {
  readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly marks: ISeriesMarkersPluginApi<Time>;
  private readonly bands = new RegimeBands();
  private spans: Span[] = [];
  private readings: Reading[] = [];
  private places = new Map<number, number>();
  private lastSlice = -1;
  private trades: ReadonlyArray<Trade> = [];
  private frame: number | undefined;

  constructor(place: HTMLElement, private readonly symbol: string, readonly read: (reading: Reading | null) => void) {
    this.chart = createChart(place, looks());
    this.chart.timeScale().applyOptions({ barSpacing: 7.5 });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      upColor: colour("up"), wickUpColor: colour("up"), borderVisible: false, downColor: colour("down"), wickDownColor: colour("down"),
      priceLineColor: colour("faint"), priceLineStyle: 1,
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false, color: colour("line-strong") });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0.02 } });
    this.candles.attachPrimitive(this.bands);
    this.marks = createSeriesMarkers(this.candles, [], { autoScale: false });
    this.chart.subscribeCrosshairMove((event) => {
      const at = event.logical === undefined ? undefined : this.readings[Math.round(event.logical)];
      this.read(at ?? this.readings[this.readings.length - 1] ?? null);
    });
  }

  /** Draws `slices` on the next frame, from the start when `anew`. */
  draw(slices: ReadonlyArray<Slice>, anew: boolean): void {
    if (anew) this.lastSlice = -1;
    window.cancelAnimationFrame(this.frame ?? 0);
    this.frame = window.requestAnimationFrame(() => this.paint(slices));
  }

  mark(trades: ReadonlyArray<Trade>): void {
    this.trades = trades;
    this.paintMarks();
  }

  remove(): void {
    window.cancelAnimationFrame(this.frame ?? 0);
    this.chart.remove();
  }

  private paint(slices: ReadonlyArray<Slice>): void {
    const whole = this.lastSlice < 0;
    if (whole) {
      this.spans = [];
      this.readings = [];
      this.places.clear();
    }
    const fresh = whole ? slices : slices.filter((slice) => slice.slice > this.lastSlice);
    if (fresh.length === 0) return;
    const candles = [];
    const volumes = [];
    for (const slice of fresh) {
      this.lastSlice = slice.slice;
      const bar = slice.bars[this.symbol];
      if (bar === undefined) continue;
      const regime = slice.regimes[this.symbol];
      if (regime !== undefined) grow(this.spans, this.readings.length, regime);
      this.places.set(slice.slice, this.readings.length);
      this.readings.push({ at_ms: slice.at_ms, bar, regime });
      const time = timeOf(slice);
      candles.push({ time, open: bar[0], high: bar[1], low: bar[2], close: bar[3] });
      volumes.push(bar[4] === null ? { time } : { time, value: bar[4] });
    }
    if (whole || candles.length > 50) {
      this.candles.setData(whole ? candles : [...this.candles.data(), ...candles] as never);
      this.volume.setData(whole ? volumes : [...this.volume.data(), ...volumes] as never);
    } else {
      candles.forEach((candle) => this.candles.update(candle));
      volumes.forEach((volume) => this.volume.update(volume));
    }
    this.bands.show(this.spans);
    this.paintMarks();
    this.read(this.readings[this.readings.length - 1] ?? null);
  }

  /** One arrow for each bar and side; the text names the agent, or how many there were, where there is room. */
  private paintMarks(): void {
    const groups = new Map<string, { bar: number; side: Side; agents: string[] }>();
    for (const trade of this.trades) {
      const bar = this.places.get(trade.slice);
      if (bar === undefined) continue;
      const key = `${bar} ${trade.side}`;
      const group = groups.get(key) ?? { bar, side: trade.side, agents: [] };
      group.agents.push(trade.agent);
      groups.set(key, group);
    }
    const all = [...groups.values()].sort((a, b) => a.bar - b.bar);
    const named = roomForNames(all);
    const marks = all.map((group): SeriesMarker<Time> => {
      const names = new Set(group.agents);
      const text = names.size === 1 ? (group.agents[0] ?? "") : `${names.size} agents`;
      return {
        time: Math.floor((this.readings[group.bar] as Reading).at_ms / 1000) as UTCTimestamp,
        position: group.side === "buy" ? "belowBar" : "aboveBar",
        shape: group.side === "buy" ? "arrowUp" : "arrowDown",
        color: colour(group.side === "buy" ? "up" : "down"),
        size: 0.9,
        text: named.has(group) ? text : "",
      };
    });
    this.marks.setMarkers(marks);
  }
}

function useTrades(symbol: string | null): ReadonlyArray<Trade> {
  const events = useLive("events");
  const fills = useView<FillsView>(withQuery("/fills", { symbol, limit: 300 }), { moving: false, enabled: symbol !== null });
  // Events leave their list in time; a trade once seen stays on the chart.
  const seen = useRef<{ readonly symbol: string | null; readonly trades: Map<string, Trade> }>({ symbol, trades: new Map() });
  return useMemo(() => {
    if (seen.current.symbol !== symbol) seen.current = { symbol, trades: new Map() };
    const found = seen.current.trades;
    const add = (trade: Omit<Trade, "key">): void => {
      const key = `${trade.slice} ${trade.agent} ${trade.side}`;
      if (!found.has(key)) found.set(key, { ...trade, key });
    };
    for (const fill of fills.data?.fills ?? []) if (fill.symbol === symbol) add({ slice: fill.slice, agent: fill.agent, side: fill.side });
    for (const event of events ?? []) {
      if (event.kind === "order_filled" && event.symbol === symbol && event.fill !== null) add({ slice: event.slice, agent: event.agent ?? "", side: event.fill.side });
    }
    return [...found.values()].sort((a, b) => a.slice - b.slice).slice(-KEPT_TRADES);
  }, [events, fills.data, symbol]);
}

export function CandlePanel() {
  const [symbol, choose] = useSymbol();
  const market = useLive("market");
  const [reading, setReading] = useState<Reading | null>(null);
  const ready = symbol !== null && market !== null;
  return (
    <Panel title={symbol === null ? "Market" : `${symbol}`} flush className="min-h-0" note={market?.timeframe === "1d" ? "daily bars" : market?.timeframe}
      aside={market !== null && <SymbolPicker symbols={market.symbols} symbol={symbol} choose={choose} />}>
      {!ready ? <Skeleton rows={9} /> : market.slices.length === 0 ? <Empty>No bar has closed yet.</Empty> : (
        <div className="stale-able flex h-full flex-col">
          <ReadingLine reading={reading} />
          <Chart key={symbol} symbol={symbol} read={setReading} />
          <Legend symbol={symbol} />
        </div>
      )}
    </Panel>
  );
}

function Chart({ symbol, read }: { symbol: string; read: (reading: Reading | null) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const drawing = useRef<Candles | null>(null);
  const theme = useShownTheme();
  const trades = useTrades(symbol);
  const latest = useRef(trades);
  latest.current = trades;
  useEffect(() => {
    if (place.current === null) return;
    const candles = new Candles(place.current, symbol, read);
    drawing.current = candles;
    let reset = -1;
    const draw = (): void => {
      const market = live.get("market");
      if (market === null) return;
      candles.draw(market.slices, market.reset !== reset);
      reset = market.reset;
    };
    candles.mark(latest.current);
    draw();
    const end = live.subscribe("market", draw);
    return () => {
      end();
      candles.remove();
      drawing.current = null;
    };
  }, [symbol, theme, read]);
  useEffect(() => drawing.current?.mark(trades), [trades]);
  return <div ref={place} role="figure" aria-label={`Candles of ${symbol} with regimes behind them and fills as arrows`} className="min-h-60 flex-1" />;
}

function SymbolPicker({ symbols, symbol, choose }: { symbols: ReadonlyArray<string>; symbol: string | null; choose: (symbol: string) => void }) {
  return (
    <div role="group" aria-label="Symbol" className="flex overflow-x-auto">
      {symbols.map((one) => (
        <button key={one} type="button" aria-pressed={one === symbol} onClick={() => choose(one)}
          className={`h-7 rounded-md px-2 text-xs font-medium -outline-offset-2 ${one === symbol ? "bg-raised text-text" : "text-faint hover:bg-hover hover:text-text"}`}>{one}</button>
      ))}
    </div>
  );
}

function ReadingLine({ reading }: { reading: Reading | null }) {
  if (reading === null) return <div className="h-7" />;
  const [open, high, low, close, volume] = reading.bar;
  const tone = close >= open ? "text-up" : "text-down";
  return (
    <div className="flex h-7 shrink-0 items-center gap-3 overflow-hidden px-3 pt-1 text-xs whitespace-nowrap">
      <span className="text-muted max-sm:hidden">{day(reading.at_ms)}</span>
      {([["O", open], ["H", high], ["L", low], ["C", close]] as const).map(([name, value]) => (
        <span key={name} className={name === "O" ? "max-sm:hidden" : ""}><span className="mr-1 text-faint">{name}</span><span className={tone}>{price(value)}</span></span>
      ))}
      <span className="hidden sm:inline"><span className="mr-1 text-faint">Vol</span>{compactVolume(volume)}</span>
      <span className="ml-auto hidden text-2xs text-faint sm:inline"><span className="text-up" aria-hidden="true">↑</span> buy <span className="ml-1 text-down" aria-hidden="true">↓</span> sell</span>
      {reading.regime !== undefined && <span className="text-muted max-sm:ml-auto"><RegimeName regime={reading.regime} /></span>}
    </div>
  );
}

function Legend({ symbol }: { symbol: string }) {
  const market = useLive("market");
  const seen = new Set((market?.slices ?? []).slice(-300).map((slice) => slice.regimes[symbol]));
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-x-2.5 gap-y-1 border-t border-line px-3 py-1.5 text-2xs text-muted">
      {REGIME_ORDER.filter((regime) => seen.has(regime)).map((regime) => <RegimeName key={regime} regime={regime} />)}
      <span className="ml-auto text-faint">
        <a title="Charts drawn by TradingView Lightweight Charts™" className="underline hover:text-text" href="https://www.tradingview.com/" target="_blank" rel="noreferrer noopener">TradingView</a>
      </span>
    </div>
  );
}
