import { CandlePanel } from "./candles";
import { EquityPanel } from "./equity";
import { EventsPanel } from "./events";
import { Kpis } from "./kpis";
import { Leaderboard } from "./leaderboard";

export function Overview() {
  return (
    <>
      <h1 className="sr-only">Overview</h1>
      <Kpis />
      <div className="grid gap-2 max-xl:shrink-0 md:gap-2.5 xl:min-h-[620px] xl:flex-1 xl:grid-cols-[minmax(0,1fr)_minmax(484px,31%)]">
        <div className="grid min-h-0 min-w-0 grid-rows-[420px_380px] gap-2 md:gap-2.5 xl:grid-rows-[minmax(0,56fr)_minmax(0,44fr)]">
          <CandlePanel />
          <EquityPanel />
        </div>
        <div className="flex min-h-0 min-w-0 flex-col gap-2 md:gap-2.5">
          <Leaderboard />
          <EventsPanel />
        </div>
      </div>
    </>
  );
}
