import { useState } from "react";
import { useView } from "../live/queries";
import { When } from "../parts/cells";
import { DASH, REGIME_ORDER, count, counted, exact, fixed, percent, price, words } from "../parts/format";
import { Maybe, RegimeName, regimeColour } from "../parts/figures";
import { PageTitle } from "../parts/panel";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { withQuery } from "../wire/rest";
import type { IndicatorView, IndicatorsView, InstrumentView, InstrumentsView, MarketRegimeView, RegimeCalibration, RegimeCalibrationView, RegimeChangeView, RegimeChangesView, RegimeStatistics, RegimeStatisticsView, RegimeView, RegimesView } from "../wire/types";

const INSTRUMENTS: ReadonlyArray<Column<InstrumentView>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Kind", show: (row) => row.kind === "index_notional" ? <span title="an index traded as if its level were a price">Index, notional</span> : words(row.kind) },
  { name: "Last", right: true, show: (row) => <Maybe text={price(row.last_price)} why="no bar yet" /> },
  { name: "At", right: true, show: (row) => <When at={row.last_at} why="no bar yet" /> },
  { name: "Missed", right: true, hint: "Slices since its last bar", show: (row) => <Maybe text={row.missed_bars === null ? DASH : count(row.missed_bars)} why="no bar yet" /> },
  { name: "Tick", right: true, show: (row) => exact(row.tick) },
  { name: "Lot", right: true, show: (row) => exact(row.lot) },
  { name: "Smallest order", right: true, show: (row) => `${exact(row.min_notional)} ${row.currency}` },
  { name: "Session", show: (row) => row.session },
];

const NAMES: ReadonlyArray<readonly [string, string]> = [
  ["rsi", "RSI"], ["macd", "MACD"], ["macd_signal", "Signal"], ["macd_hist", "Hist"], ["adx", "ADX"], ["plus_di", "+DI"], ["minus_di", "−DI"],
  ["bb_upper", "BB upper"], ["bb_middle", "BB middle"], ["bb_lower", "BB lower"], ["atr", "ATR"],
];

const INDICATORS: ReadonlyArray<Column<IndicatorView>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  ...NAMES.map(([key, name]): Column<IndicatorView> => ({ name, right: true, show: (row) => <Maybe text={fixed(row.values[key], 2)} why={`not defined after ${row.bars} bars`} /> })),
  { name: "As of", right: true, show: (row) => <When at={row.at} why="no bar yet" /> },
];

/** How probable each regime is. */
function Shares({ row }: { row: RegimeView }) {
  if (row.shares === null) return <Maybe text={DASH} why={row.reason ?? "not enough bars"} />;
  let left = 0;
  const parts = REGIME_ORDER.map((regime) => [regime, row.shares?.[regime] ?? 0] as const).filter(([, share]) => share > 0);
  const label = parts.map(([regime, share]) => `${words(regime)} ${percent(share, 0)}`).join(", ");
  return (
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" className="h-2 w-full min-w-36 self-center rounded-full max-md:min-w-0" role="img" aria-label={label}>
      <title>{label}</title>
      {parts.map(([regime, share]) => {
        const x = left;
        left += share * 100;
        return <rect key={regime} x={x} width={Math.max(share * 100 - 0.5, 0.2)} height="8" fill={regimeColour(regime)} />;
      })}
    </svg>
  );
}

const REGIMES: ReadonlyArray<Column<RegimeView>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Regime", show: (row) => <RegimeName regime={row.regime} {...(row.reason === null ? {} : { detail: row.reason })} /> },
  { name: "Confidence", hint: "The calibrated probability of the regime", show: (row) => row.level === null ? <Maybe text={DASH} why={row.reason ?? "none"} /> : <span className="whitespace-nowrap">{words(row.level)} ({percent(row.confidence, 0)})</span> },
  { name: "Evidence", show: (row) => <Shares row={row} /> },
  { name: "For", right: true, show: (row) => counted(row.duration_bars, "bar") },
  { name: "Since", right: true, show: (row) => <When at={row.since} why={row.reason ?? "not yet"} /> },
];

const CHANGES: ReadonlyArray<Column<RegimeChangeView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "From", show: (row) => <RegimeName regime={row.previous} /> },
  { name: "To", show: (row) => <RegimeName regime={row.regime} /> },
  { name: "Confidence", show: (row) => <span className="whitespace-nowrap">{words(row.level)} ({percent(row.confidence, 0)})</span> },
  { name: "Lasted", right: true, hint: "How long the previous regime lasted", show: (row) => counted(row.duration_bars, "bar") },
  { name: "Triggered by", wrap: true, show: (row) => <span className="text-muted">{row.triggers.map((trigger) => `${trigger.feature} ${fixed(trigger.value, Math.abs(trigger.value) < 1 ? 4 : 2)} (${percent(trigger.contribution, 0)})`).join(", ")}</span> },
];

const CALIBRATION: ReadonlyArray<Column<RegimeCalibration>> = [
  { name: "Symbol", lead: true, show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "Judged", right: true, hint: "Bars whose label is known by now", show: (row) => count(row.judged) },
  { name: "Error", right: true, hint: "Mean distance of confidence from what was right", show: (row) => <Maybe text={fixed(row.error, 3)} why={`${row.judged} of ${row.need} bars judged`} /> },
  ...["very_low", "low", "medium", "high", "very_high"].map((level): Column<RegimeCalibration> => ({
    name: words(level), right: true, hint: "Share that was right; in brackets the mean confidence", show: (row) => {
      const found = row.levels.find((one) => one.level === level);
      return <Maybe text={found === undefined || found.right === null ? DASH : `${percent(found.right, 0)} (${percent(found.confidence, 0)})`} why="no judged bar of this level" />;
    },
  })),
];

const STATISTICS: ReadonlyArray<Column<RegimeStatistics>> = [
  { name: "Regime", lead: true, show: (row) => <RegimeName regime={row.regime} /> },
  { name: "Spans", right: true, show: (row) => count(row.spans) },
  { name: "Share of bars", right: true, show: (row) => percent(row.frequency, 1) },
  { name: "Mean length", right: true, hint: "Bars of the spans that ended", show: (row) => <Maybe text={row.duration_bars === null ? DASH : `${fixed(row.duration_bars, 1)} bars`} why="none has ended" /> },
  ...REGIME_ORDER.map((next): Column<RegimeStatistics> => ({
    name: `to ${words(next)}`, right: true, hint: "Share of its ends that led there", show: (row) => <Maybe text={row.followed_by === null ? DASH : percent(row.followed_by[next] ?? 0, 0)} why="none has ended" />,
  })),
];

function Whole({ data }: { data: MarketRegimeView }) {
  const figures: ReadonlyArray<readonly [string, string]> = [
    ["Probability", percent(data.probability, 0)], ["Dispersion", percent(data.dispersion, 1)], ["Correlation", fixed(data.correlation, 2)],
    ...REGIME_ORDER.filter((regime) => (data.breadth[regime] ?? 0) > 0).map((regime) => [words(regime), percent(data.breadth[regime] ?? 0, 0)] as const),
  ];
  return (
    <dl className="flex flex-wrap gap-x-6 gap-y-2 p-3">
      <div><dt className="text-muted">Regime</dt><dd><RegimeName regime={data.regime} {...(data.reason === null ? {} : { detail: data.reason })} /></dd></div>
      {figures.map(([name, text]) => <div key={name}><dt className="text-muted">{name}</dt><dd>{text}</dd></div>)}
    </dl>
  );
}

/** How often each regime of one instrument came, how long it lasted and what followed it. */
function Figures({ symbols, timeframe }: { symbols: ReadonlyArray<string>; timeframe: string | null }) {
  const [chosen, choose] = useState<string | null>(null);
  const symbol = chosen ?? symbols[0];
  if (symbol === undefined) return null;
  const select = (
    <select className="field h-6" aria-label="Instrument" value={symbol} onChange={(event) => choose(event.target.value)}>
      {symbols.map((one) => <option key={one}>{one}</option>)}
    </select>
  );
  return (
    <ViewPanel<RegimeStatisticsView> title="Regime statistics" path={withQuery(`/regimes/statistics/${encodeURIComponent(symbol)}`, { timeframe })} className="shrink-0" aside={select} note={(data) => `bars of ${data.timeframe}`}>
      {(data) => <Table label="Regime statistics" columns={STATISTICS} rows={data.regimes} rowKey={(row) => row.regime} empty="No regime yet." />}
    </ViewPanel>
  );
}

function Statistics({ timeframe }: { timeframe: string | null }) {
  const data = useView<InstrumentsView>("/instruments", { moving: false }).data;
  return data === undefined ? null : <Figures symbols={data.instruments.map((one) => one.symbol)} timeframe={timeframe} />;
}

/** Which bars all panels but the instruments' speak of; nothing to choose where the feed's own are the only ones. */
function Timeframe({ timeframe, choose }: { timeframe: string | null; choose: (timeframe: string) => void }) {
  const data = useView<RegimesView>("/regimes", { moving: false }).data;
  if (data === undefined || data.timeframes.length < 2) return null;
  return (
    <label className="ml-auto flex items-baseline gap-2 whitespace-nowrap text-muted">
      Bars of
      <select className="field h-7" value={timeframe ?? data.timeframes[0]} onChange={(event) => choose(event.target.value)}>
        {data.timeframes.map((one) => <option key={one}>{one}</option>)}
      </select>
    </label>
  );
}

export default function Market() {
  const [timeframe, choose] = useState<string | null>(null);
  const asked = { timeframe };
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <PageTitle note="what is traded, how it moves, and in which regime">Market</PageTitle>
        <Timeframe timeframe={timeframe} choose={choose} />
      </div>
      <ViewPanel<RegimesView> title="Regimes" path={withQuery("/regimes", asked)} className="shrink-0" note={(data) => `bars of ${data.timeframe}`}>
        {(data) => <Table label="Regimes" columns={REGIMES} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<MarketRegimeView> title="All instruments together" path={withQuery("/regimes/market", asked)} className="shrink-0" note={(data) => `breadth over ${count(data.instruments)} instruments, bars of ${data.timeframe}`}>
        {(data) => <Whole data={data} />}
      </ViewPanel>
      <ViewPanel<IndicatorsView> title="Indicators" path={withQuery("/indicators", asked)} className="shrink-0" note={() => "at the last close"}>
        {(data) => <Table label="Indicators" columns={INDICATORS} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <Statistics timeframe={timeframe} />
      <ViewPanel<RegimeCalibrationView> title="Calibration" path={withQuery("/regimes/calibration", asked)} className="shrink-0" note={(data) => `confidence against labels that became known, bars of ${data.timeframe}`}>
        {(data) => <Table label="Calibration" columns={CALIBRATION} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<InstrumentsView> title="Instruments" path="/instruments" className="shrink-0">
        {(data) => <Table label="Instruments" columns={INSTRUMENTS} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <PagedPanel<RegimeChangesView> key={timeframe} title="Regime changes" path="/regimes/changes" query={asked} className="shrink-0">
        {(data) => <Table label="Regime changes" columns={CHANGES} rows={data.changes} rowKey={(row) => row.number} empty="No regime has changed yet." />}
      </PagedPanel>
    </>
  );
}
