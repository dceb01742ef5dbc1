// Cells that several tables share.
import type { OrderStatus, Side } from "../wire/types";
import { DASH, instant } from "./format";
import { Unknown } from "./figures";

export function When({ at, why = "not yet" }: { at: string | null; why?: string }) {
  return at === null ? <Unknown why={why} /> : <time dateTime={at} className="whitespace-nowrap text-muted" title={at}>{instant(at)}</time>;
}

export function SideWord({ side }: { side: Side }) {
  return side === "buy"
    ? <span className="whitespace-nowrap text-up"><span aria-hidden="true" className="mr-1 text-[0.75em]">▲</span>Buy</span>
    : <span className="whitespace-nowrap text-down"><span aria-hidden="true" className="mr-1 text-[0.75em]">▼</span>Sell</span>;
}

const TONES: Readonly<Record<string, string>> = {
  filled: "text-up", completed: "text-good", ready: "text-good", running: "text-good", working: "text-text", leased: "text-text", acknowledged: "text-muted",
  refused: "text-down", failed: "text-down", withheld: "text-down", firing: "text-warn", paused: "text-warn", degraded: "text-warn", cancelled: "text-faint", expired: "text-faint", resolved: "text-faint", blocked: "text-faint", delayed: "text-faint", skipped: "text-faint", dead: "text-down", draining: "text-warn", quarantined: "text-down", gone: "text-faint",
};

export function StateWord({ state }: { state: OrderStatus | string }) {
  return <span className={`font-medium whitespace-nowrap ${TONES[state] ?? "text-muted"}`}>{state.replaceAll("_", " ")}</span>;
}

export function Names({ names }: { names: ReadonlyArray<string> }) {
  if (names.length === 0) return <span className="text-faint">{DASH}</span>;
  return <span className="flex flex-wrap gap-1 max-md:justify-end">{names.map((name) => <span key={name} className="chip font-normal text-muted">{name}</span>)}</span>;
}

/** A long identity, shortened in sight and whole in its title. */
export function Id({ id }: { id: string }) {
  const short = id.length > 18 ? `…${id.slice(-14)}` : id;
  return <code className="font-mono text-xs whitespace-nowrap text-muted" title={id}>{short}</code>;
}
