// Numbers and words that carry meaning by shape as well as by colour.
import type { Regime, Severity } from "../wire/types";
import { DASH, direction, words } from "./format";

const COLOURS = { up: "text-up", down: "text-down", flat: "text-muted" } as const;
const ARROWS = { up: "▲", down: "▼", flat: "" } as const;

/** A gain or loss: sign, arrow and colour. */
export function Change({ value, text, arrow = true, why }: { value: number | string | null | undefined; text: string; arrow?: boolean; why?: string }) {
  if (text === DASH) return <Unknown why={why ?? "not known yet"} />;
  // What rounds to nothing is neither gain nor loss.
  const way = /[1-9]/.test(text) ? direction(value) : "flat";
  return (
    <span className={`whitespace-nowrap ${COLOURS[way]}`}>
      {arrow && ARROWS[way] !== "" && <span aria-hidden="true" className="mr-1 text-[0.7em]">{ARROWS[way]}</span>}
      {text}
    </span>
  );
}

/** A value that does not exist, with the reason at hand. */
export function Unknown({ why }: { why: string }) {
  return <span className="text-faint" title={why}><span aria-hidden="true">{DASH}</span><span className="sr-only">none: {why}</span></span>;
}

export function Maybe({ text, why }: { text: string; why: string }) {
  return text === DASH ? <Unknown why={why} /> : <>{text}</>;
}

const REGIME_COLOURS: Readonly<Record<Regime, string>> = {
  trending_up: "#3b8eea",
  breakout: "#22b8cf",
  recovery: "#5cc58c",
  ranging: "#8a94a6",
  low_volatility: "#b3a77a",
  volatile: "#b07ce8",
  trending_down: "#f08c3a",
  breakdown: "#e0567a",
  undetermined: "#4b5563",
};

export function regimeColour(regime: Regime): string {
  return REGIME_COLOURS[regime];
}

/** A coloured square; drawn as SVG because the page allows no inline styles. */
export function Swatch({ colour, round = false }: { colour: string; round?: boolean }) {
  return <svg width="9" height="9" viewBox="0 0 9 9" aria-hidden="true" className="shrink-0"><rect width="9" height="9" rx={round ? 4.5 : 2} fill={colour} /></svg>;
}

export function RegimeName({ regime, detail }: { regime: Regime; detail?: string }) {
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap" title={detail}>
      <Swatch colour={regimeColour(regime)} />{words(regime)}
    </span>
  );
}

const SEVERITY_STYLE: Readonly<Record<Severity, readonly [string, string]>> = {
  emergency: ["text-stop-text", "⬣"],
  critical: ["text-stop-text", "◆"],
  error: ["text-down", "■"],
  warning: ["text-warn", "▲"],
  info: ["text-muted", "●"],
};

export function SeverityMark({ severity, label = true }: { severity: Severity; label?: boolean }) {
  const [colour, shape] = SEVERITY_STYLE[severity];
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${colour}`}>
      <span aria-hidden="true" className="text-[0.75em]">{shape}</span>
      {label ? words(severity) : <span className="sr-only">{severity}</span>}
    </span>
  );
}

/** A horizontal share of 0 to 1. */
export function Bar({ share, colour = "var(--muted)", label }: { share: number; colour?: string; label: string }) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return (
    <svg viewBox="0 0 100 6" preserveAspectRatio="none" className="h-1.5 w-full min-w-14 overflow-hidden rounded-full" role="img" aria-label={label}>
      <rect width="100" height="6" fill="var(--line)" /><rect width={width} height="6" fill={colour} />
    </svg>
  );
}

const AGENT_COLOURS = 8;

/** The name of an agent's colour, by its place among all agents: who joins later takes the next one. */
export function agentColour(agents: ReadonlyArray<string>, agent: string): string {
  return `agent-${Math.max(agents.indexOf(agent), 0) % AGENT_COLOURS}`;
}

export function AgentSwatch({ agents, agent }: { agents: ReadonlyArray<string>; agent: string }) {
  return <Swatch colour={`var(--${agentColour(agents, agent)})`} round />;
}
