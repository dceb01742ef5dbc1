import { type ReactNode, memo, useState } from "react";
import { useLive } from "../live/store";
import { count, day, words } from "../parts/format";
import { SeverityMark } from "../parts/figures";
import { Choice } from "../parts/choice";
import { Empty, Panel, Skeleton } from "../parts/panel";
import type { Event, EventKind } from "../wire/live";
import { RefusalCard } from "./refusal";

type Filter = "all" | "refusals" | "fills" | "regimes" | "alerts";

const KINDS: Readonly<Record<Exclude<Filter, "all">, ReadonlyArray<EventKind>>> = {
  refusals: ["order_refused"],
  fills: ["order_filled"],
  regimes: ["regime_changed"],
  alerts: ["alert_raised", "alert_resolved", "alert_acknowledged", "risk_event", "breaker_changed", "books_differ", "halted", "resumed"],
};

const MARKS: Readonly<Partial<Record<string, readonly [string, string, string]>>> = {
  order_accepted: ["✓", "text-muted", "accepted"],
  order_refused: ["✕", "text-down", "refused"],
  order_filled: ["⇄", "text-up", "filled"],
  order_cancelled: ["–", "text-faint", "cancelled"],
  regime_changed: ["≈", "text-brass", "regime"],
  risk_event: ["△", "text-warn", "risk"],
  alert_raised: ["!", "text-warn", "alert"],
  alert_resolved: ["✓", "text-good", "resolved"],
  alert_acknowledged: ["✓", "text-muted", "taken on"],
  halted: ["■", "text-stop-text", "stopped"],
  resumed: ["▶", "text-good", "re-armed"],
  breaker_changed: ["⌁", "text-warn", "breaker"],
  books_differ: ["≠", "text-stop-text", "broker"],
  books_adjusted: ["=", "text-brass", "broker"],
  limit_set: ["↕", "text-brass", "limit"],
  signal_ended: ["–", "text-faint", "signal"],
  limits_changed: ["↕", "text-muted", "limits"],
  condition_changed: ["◐", "text-muted", "condition"],
  cluster_changed: ["⋈", "text-muted", "cluster"],
  stop_distance_changed: ["↕", "text-muted", "stop distance"],
  position_size_changed: ["↕", "text-muted", "position size"],
  capital: ["⇄", "text-muted", "capital"],
  credit_changed: ["¤", "text-muted", "credit"],
  risk_level: ["▲", "text-muted", "level"],
  risk_response: ["⛨", "text-warn", "response"],
  rebalance: ["◔", "text-muted", "portfolio"],
  task_failed: ["✕", "text-warn", "task"],
  feed_ended: ["◼", "text-brass", "feed"],
};

const SHOWN = 80;

/** The limits that one bar moved as one line: there may be as many as instruments, and nobody is asked to do anything. */
function gathered(events: ReadonlyArray<Event>): ReadonlyArray<Event> {
  const rows: Event[] = [];
  for (const event of events) {
    const last = rows[rows.length - 1];
    if (event.kind !== "limits_changed" || last?.kind !== event.kind || last.at_ms !== event.at_ms) rows.push(event);
    else {
      const before = last.symbol === null ? last.text : moved(last);
      rows[rows.length - 1] = { ...last, symbol: null, title: "", text: `${before} · ${moved(event)}` };
    }
  }
  return rows.map((row) => row.title === "" ? { ...row, title: `${count(row.text.split(" · ").length)} position limits have moved` } : row);
}

function moved(event: Event): string {
  return event.title.replace(": position limit is now", "");
}

export function EventsPanel() {
  const events = useLive("events");
  const [filter, setFilter] = useState<Filter>("all");
  const latest = events?.find((event) => event.kind === "order_refused" && event.order !== null);
  // The last refusal stands above the list already.
  const rows = gathered(events ?? []).filter((event) => filter === "all" || ((KINDS[filter] as ReadonlyArray<string>).includes(event.kind) && !(filter === "refusals" && event === latest))).slice(0, SHOWN);
  return (
    <Panel title="Events" flush className="min-h-0 flex-1"
      aside={<Choice label="Which events" value={filter} choose={setFilter} options={[["all", "All"], ["refusals", "Refusals"], ["fills", "Fills"], ["regimes", "Regimes"], ["alerts", "Alerts"]]} />}>
      {events === null ? <Skeleton rows={8} /> : (
        <div className="flex h-full min-h-0 flex-col">
          {latest?.order && (filter === "all" || filter === "refusals") && (
            <div className="stale-able shrink-0 border-b border-line bg-raised/50">
              <p className="label px-3 pt-2">Last refusal, {day(latest.at_ms)}</p>
              <RefusalCard order={latest.order} />
            </div>
          )}
          {rows.length === 0 ? (filter !== "refusals" || latest === undefined) && <Empty>{filter === "all" ? "Nothing has happened yet." : "None among the last events."}</Empty> : (
            <ul className="stale-able min-h-40 flex-1 overflow-y-auto max-xl:max-h-96" tabIndex={0} aria-label="Events, newest first">
              {rows.map((event) => <Row key={event.id} event={event} />)}
            </ul>
          )}
        </div>
      )}
    </Panel>
  );
}

const Row = memo(function Row({ event }: { event: Event }) {
  const [mark, tone, word] = MARKS[event.kind] ?? ["·", "text-muted", words(event.kind).toLowerCase()];
  const { title } = event;
  const loud = event.severity !== "info" && event.kind !== "order_refused";
  const line = (
    <>
      <span aria-hidden="true" className={`w-3 shrink-0 text-center font-semibold ${tone}`}>{mark}</span>
      <span className="min-w-0 flex-1">
        <span className="flex items-baseline gap-2">
          <span className="truncate font-medium" title={title}>{title}</span>
          {loud && <span className="text-2xs"><SeverityMark severity={event.severity} /></span>}
          <span className="ml-auto shrink-0 text-2xs text-faint">{day(event.at_ms)}</span>
        </span>
        {event.text !== "" && <span className="block truncate text-xs text-muted"><span className="sr-only">{word}: </span>{event.text}</span>}
      </span>
    </>
  );
  if (event.kind === "order_refused" && event.order !== null) return <li className="border-b border-line"><Refusal event={event}>{line}</Refusal></li>;
  return <li className="flex gap-2 border-b border-line px-3 py-1.5" title={event.text}>{line}</li>;
});

function Refusal({ event, children }: { event: Event; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className="flex w-full gap-2 px-3 py-1.5 text-left -outline-offset-2 hover:bg-hover">{children}</button>
      {open && event.order !== null && <div className="bg-raised/50"><RefusalCard order={event.order} /></div>}
    </>
  );
}
