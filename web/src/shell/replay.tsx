import { useMutation } from "@tanstack/react-query";
import { useLive } from "../live/store";
import { count, day } from "../parts/format";
import { Icon } from "../parts/icons";
import { rest, wordsOf } from "../wire/rest";

const SPEEDS: ReadonlyArray<readonly [string, string]> = [["1", "1 bar/s"], ["4", "4 bars/s"], ["10", "10 bars/s"], ["25", "25 bars/s"], ["100", "100 bars/s"], ["max", "Max"]];

interface ReplayChange { readonly action?: "pause" | "resume" | "step"; readonly speed?: number | "max" }

export function ReplayControls() {
  const overview = useLive("overview");
  const change = useMutation({ mutationFn: (body: ReplayChange) => rest.post<unknown>("/system/replay", body) });
  if (overview === null) return <div className="h-8 max-md:order-3 max-md:basis-full" />;
  const { feed } = overview;
  const paused = feed.state === "paused";
  const ended = feed.state === "ended";
  const speed = feed.speed === null ? "max" : String(feed.speed);
  const speeds = SPEEDS.some(([value]) => value === speed) ? SPEEDS : [[speed, `${speed} bars/s`] as const, ...SPEEDS];
  const share = feed.slices > 0 ? ((feed.slice + 1) / feed.slices) * 100 : 0;
  const note = ended ? "Replay ended" : feed.state === "warming_up" ? "Warming up" : paused ? "Paused" : "";
  return (
    <div className="flex min-w-0 items-center gap-2 max-md:order-3 max-md:basis-full">
      <div className="flex items-center">
        <button type="button" className="grid h-8 w-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-text" disabled={ended || change.isPending}
          aria-label={paused ? "Resume the replay" : "Pause the replay"} title={paused ? "Resume" : "Pause"} onClick={() => change.mutate({ action: paused ? "resume" : "pause" })}>
          <Icon name={paused ? "play" : "pause"} size={15} />
        </button>
        <button type="button" className="grid h-8 w-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-text" disabled={!paused || change.isPending}
          aria-label="Step one bar" title="Step one bar (while paused)" onClick={() => change.mutate({ action: "step" })}>
          <Icon name="step" size={15} />
        </button>
      </div>
      <label className="sr-only" htmlFor="replay-speed">Replay speed</label>
      <select id="replay-speed" className="h-7 rounded-md border border-line bg-raised px-1.5 text-xs" value={speed} disabled={ended || change.isPending}
        onChange={(event) => change.mutate({ speed: event.target.value === "max" ? "max" : Number(event.target.value) })}>
        {speeds.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
      <div className="flex min-w-0 flex-col gap-1 max-md:flex-1 max-md:items-end" title={`${overview.source}: bar ${count(feed.slice + 1)} of ${count(feed.slices)}`}>
        <span className="flex items-baseline gap-2 text-xs leading-none whitespace-nowrap">
          <span className="stale-able font-semibold">{day(overview.market_at)}</span>
          <span className="hidden text-faint sm:inline md:hidden lg:inline">{count(feed.slice + 1)} / {count(feed.slices)}</span>
          {note !== "" && <span className="font-medium text-brass">{note}</span>}
        </span>
        <svg viewBox="0 0 100 3" preserveAspectRatio="none" className="h-[3px] w-24 overflow-hidden rounded-full max-md:w-full lg:w-36" role="img" aria-label={`Replay at ${share.toFixed(0)} %`}>
          <rect width="100" height="3" fill="var(--line-strong)" /><rect width={share} height="3" fill="var(--brass)" />
        </svg>
      </div>
      {change.error !== null && <span role="alert" className="text-xs text-stop-text">{wordsOf(change.error)}</span>}
    </div>
  );
}
