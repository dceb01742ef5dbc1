import { exact, fixed, instant, percent, seconds, sentence } from "../parts/format";
import { RULES } from "../parts/rules";
import type { Breach, Code, Decimal, Decision, OrderView } from "../wire/types";

/** Units that the name of the rule says already. */
const WORDLESS: ReadonlySet<string> = new Set(["price", "count", "epoch", ""]);

/** A number with its unit, rounded for reading; the exact one is in its title. */
export function Measure({ value, unit }: { value: Decimal | null; unit: string | null }) {
  if (value === null) return <span className="text-faint" title="This rule has no such number">—</span>;
  const number = Number(value);
  if (unit?.startsWith("fraction")) {
    const rest = unit.slice("fraction".length).trim();
    return <span title={`${value} ${unit}`}>{percent(value, 2)}{rest !== "" && <>{" "}<span className="text-faint">{rest}</span></>}</span>;
  }
  const word = unit === null || WORDLESS.has(unit) ? "" : unit === "bars" && number === 1 ? "bar" : unit;
  const text = Math.abs(number) >= 1_000 ? fixed(number, 0) : exact(Number(number.toPrecision(6)));
  return <span title={`${value} ${unit ?? ""}`}>{text}{word !== "" && <>{" "}<span className="text-faint">{word}</span></>}</span>;
}

function retryText(decision: Decision): string {
  const when = decision.retry_at_market === null ? "" : ` (market ${instant(decision.retry_at_market)})`;
  if (decision.retry_after_s !== null) return `in ${seconds(decision.retry_after_s)}${when}`;
  if (when !== "") return `at market ${instant(decision.retry_at_market)}`;
  if (decision.retry_at_bars === null) return "waiting alone does not help";
  return decision.retry_at_bars === 1 ? "at the next bar" : `in ${decision.retry_at_bars} bars`;
}

/** Rules whose limit is an upper bound on what was attempted; only these can be drawn as a bar. */
const BOUNDS: ReadonlySet<Code> = new Set(["ORDER_NOTIONAL", "POSITION_LIMIT", "GROSS_EXPOSURE", "ORDER_RATE", "DAILY_LOSS", "BUYING_POWER"]);

function Gauge({ breach }: { breach: Breach }) {
  const attempted = Number(breach.attempted);
  const limit = Number(breach.limit);
  if (!BOUNDS.has(breach.code) || breach.attempted === null || breach.limit === null || !(attempted > 0) || !(limit > 0)) return null;
  const whole = Math.max(attempted, limit) * 1.06;
  const mark = (limit / whole) * 100;
  return (
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" className="mt-2 h-2 w-full" role="img" aria-label={`Attempted ${exact(attempted)} against a limit of ${exact(limit)}`}>
      <rect y="2" width="100" height="4" rx="1" fill="var(--line)" />
      <rect y="2" width={(Math.min(attempted, limit) / whole) * 100} height="4" fill="var(--muted)" />
      {attempted > limit && <rect x={mark} y="2" width={((attempted - limit) / whole) * 100} height="4" fill="var(--down)" />}
      <rect x={mark - 0.25} width="0.6" height="8" fill="var(--text)" />
    </svg>
  );
}

/** Why an order was refused, and what would pass. */
export function RefusalCard({ order }: { order: OrderView }) {
  const { decision } = order;
  const rule = decision.code === null ? null : RULES[decision.code];
  const first = decision.breaches[0];
  const numbered = decision.limit !== null || decision.used !== null;
  const others = decision.breaches.slice(1);
  const side = order.side === "buy" ? "Buy" : "Sell";
  return (
    <div className="px-3 py-2.5">
      <div className="flex flex-wrap items-baseline gap-x-2">
        <span className="font-semibold text-down">{rule?.name ?? "Refused"}</span>
        {decision.code !== null && <code className="rounded bg-raised px-1 font-mono text-2xs text-muted">{decision.code}</code>}
        <span className="ml-auto text-xs text-muted">{order.agent}: {side.toLowerCase()} {Number(order.quantity) > 0 ? `${exact(order.quantity)} ` : ""}{order.symbol}</span>
      </div>
      {/* A rule without numbers of its own is explained by the gate. */}
      <p className="mt-0.5 text-muted">{!numbered && first !== undefined && first.text !== "" ? `${sentence(first.text).replace(/\.$/, "")}.` : rule?.says}</p>
      {numbered && <dl className="mt-2 grid grid-cols-3 gap-2">
        {([["Attempted", decision.attempted], ["Limit", decision.limit], ["Used", decision.used]] as const).map(([name, value]) => (
          <div key={name}><dt className="label">{name}</dt><dd className="truncate font-semibold"><Measure value={value} unit={decision.unit} /></dd></div>
        ))}
      </dl>}
      {first !== undefined && <Gauge breach={first} />}
      <dl className="mt-2 grid grid-cols-[auto_1fr] gap-x-3 gap-y-0.5 text-xs">
        <dt className="text-faint">Would pass now</dt>
        <dd>{decision.max_allowed_now === null ? "not known" : Number(decision.max_allowed_now) === 0 ? "no order of this kind" : <>{side.toLowerCase()} at most <strong className="font-semibold">{exact(decision.max_allowed_now)}</strong> {order.symbol}</>}</dd>
        <dt className="text-faint">Retry</dt><dd>{retryText(decision)}</dd>
        {decision.next !== null && decision.next !== "" && <><dt className="text-faint">Next</dt><dd>{decision.next}</dd></>}
        {others.length > 0 && <><dt className="text-faint">Also broken</dt><dd>{others.map((breach) => RULES[breach.code].name.toLowerCase()).join(", ")}</dd></>}
      </dl>
    </div>
  );
}
