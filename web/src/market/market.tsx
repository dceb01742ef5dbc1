import { When } from "../parts/cells";
import { DASH, REGIME_ORDER, count, exact, fixed, percent, price, words } from "../parts/format";
import { Maybe, RegimeName, regimeColour } from "../parts/figures";
import { PageTitle } from "../parts/panel";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import type { IndicatorView, IndicatorsView, InstrumentView, InstrumentsView, RegimeChangeView, RegimeChangesView, RegimeView, RegimesView } from "../wire/types";

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
  { name: "Confidence", hint: "The calibrated probability of the regime", show: (row) => row.level === null ? <Maybe text={DASH} why={row.reason ?? "none"} /> : `${words(row.level)} (${percent(row.confidence, 0)})` },
  { name: "Evidence", show: (row) => <Shares row={row} /> },
  { name: "For", right: true, show: (row) => `${count(row.duration_bars)} bars` },
  { name: "Since", right: true, show: (row) => <When at={row.since} why={row.reason ?? "not yet"} /> },
];

const CHANGES: ReadonlyArray<Column<RegimeChangeView>> = [
  { name: "When", lead: true, show: (row) => <When at={row.at} /> },
  { name: "Symbol", show: (row) => <span className="font-medium">{row.symbol}</span> },
  { name: "From", show: (row) => <RegimeName regime={row.previous} /> },
  { name: "To", show: (row) => <RegimeName regime={row.regime} /> },
  { name: "Confidence", show: (row) => <span className="whitespace-nowrap">{words(row.level)} ({percent(row.confidence, 0)})</span> },
  { name: "Lasted", right: true, hint: "How long the previous regime lasted", show: (row) => `${count(row.duration_bars)} bars` },
  { name: "Triggered by", wrap: true, show: (row) => <span className="text-muted">{row.triggers.map((trigger) => `${trigger.feature} ${fixed(trigger.value, Math.abs(trigger.value) < 1 ? 4 : 2)} (${percent(trigger.contribution, 0)})`).join(", ")}</span> },
];

export default function Market() {
  return (
    <>
      <PageTitle note="what is traded, how it moves, and in which regime">Market</PageTitle>
      <ViewPanel<RegimesView> title="Regimes" path="/regimes" className="shrink-0">
        {(data) => <Table label="Regimes" columns={REGIMES} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<IndicatorsView> title="Indicators" path="/indicators" className="shrink-0" note={() => "at the last close"}>
        {(data) => <Table label="Indicators" columns={INDICATORS} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <ViewPanel<InstrumentsView> title="Instruments" path="/instruments" className="shrink-0">
        {(data) => <Table label="Instruments" columns={INSTRUMENTS} rows={data.instruments} rowKey={(row) => row.symbol} empty="There is no instrument." />}
      </ViewPanel>
      <PagedPanel<RegimeChangesView> title="Regime changes" path="/regimes/changes" className="shrink-0">
        {(data) => <Table label="Regime changes" columns={CHANGES} rows={data.changes} rowKey={(row) => row.number} empty="No regime has changed yet." />}
      </PagedPanel>
    </>
  );
}
