// How numbers and words are written. What is not known is a dash, never a zero.
import type { Regime, Severity } from "../wire/types";

export const DASH = "—";
const MINUS = "−";

type Numeric = number | string | null | undefined;

function numberOf(value: Numeric): number | null {
  if (value === null || value === undefined || value === "") return null;
  const number = typeof value === "number" ? value : Number(value);
  return Number.isFinite(number) ? number : null;
}

const formats = new Map<string, Intl.NumberFormat>();

function format(lowest: number, highest: number): Intl.NumberFormat {
  const name = `${lowest}/${highest}`;
  let found = formats.get(name);
  if (found === undefined) {
    found = new Intl.NumberFormat("en-US", { minimumFractionDigits: lowest, maximumFractionDigits: highest });
    formats.set(name, found);
  }
  return found;
}

function signed(value: number, text: string, always: boolean): string {
  if (value < 0) return MINUS + text;
  return always && value > 0 ? `+${text}` : text;
}

export function count(value: Numeric): string {
  const number = numberOf(value);
  return number === null ? DASH : format(0, 0).format(number);
}

export function fixed(value: Numeric, digits = 2, { sign = false }: { sign?: boolean } = {}): string {
  const number = numberOf(value);
  if (number === null) return DASH;
  const rounded = Number(number.toFixed(digits));
  return signed(rounded, format(digits, digits).format(Math.abs(rounded)), sign);
}

/** A price or quantity: as many digits as it has, at most eight. */
export function exact(value: Numeric): string {
  const number = numberOf(value);
  if (number === null) return DASH;
  return signed(number, format(0, 8).format(Math.abs(number)), false);
}

/** The quantity of an order; one that was refused before its quantity could be read has none. */
export function asked(quantity: Numeric): string {
  return Number(quantity) > 0 ? exact(quantity) : DASH;
}

export function price(value: Numeric): string {
  const number = numberOf(value);
  if (number === null) return DASH;
  return signed(number, format(2, Math.abs(number) < 1 ? 6 : 4).format(Math.abs(number)), false);
}

/** Money; whole from 10,000 on, where cents only add noise. */
export function money(value: Numeric, { sign = false, whole }: { sign?: boolean; whole?: boolean } = {}): string {
  const number = numberOf(value);
  if (number === null) return DASH;
  return fixed(number, (whole ?? Math.abs(number) >= 10_000) ? 0 : 2, { sign });
}

export function percent(fraction: Numeric, digits = 2, { sign = false }: { sign?: boolean } = {}): string {
  const number = numberOf(fraction);
  return number === null ? DASH : `${fixed(number * 100, digits, { sign })} %`;
}

export function direction(value: Numeric): "up" | "down" | "flat" {
  const number = numberOf(value);
  if (number === null || number === 0) return "flat";
  return number > 0 ? "up" : "down";
}

/** Market dates are read in UTC: a daily bar belongs to its day, wherever one looks from. */
export function day(at: string | number | null | undefined): string {
  if (at === null || at === undefined) return DASH;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? DASH : date.toISOString().slice(0, 10);
}

export function instant(at: string | number | null | undefined): string {
  if (at === null || at === undefined) return DASH;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return DASH;
  const text = date.toISOString();
  if (text.endsWith("T00:00:00.000Z")) return text.slice(0, 10);
  return `${text.slice(0, 10)} ${text.slice(11, text.slice(17, 19) === "00" ? 16 : 19)}`;
}

export function seconds(value: number): string {
  if (value < 1) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 90) return `${fixed(value, value < 10 ? 1 : 0)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  return `${fixed(value / 3600, 1)} h`;
}

/** How many there are of what `noun` names. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A text of the deck with its regimes as they are written elsewhere on the page. */
export function told(text: string): string {
  return text.replaceAll("trending_", "trending ").replaceAll("low_volatility", "low volatility");
}

export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Words that are not written as they are spelt. */
const WRITTEN: Readonly<Record<string, string>> = { hrp: "HRP", var_breach: "VaR breach", min_cvar: "Min CVaR", "min-cvar": "Min CVaR", value_at_risk: "Value at risk" };

export function words(name: string): string {
  return WRITTEN[name] ?? sentence(name.replaceAll("_", " ").replaceAll("-", " "));
}

export const REGIME_ORDER: ReadonlyArray<Regime> = [
  "trending_up", "breakout", "recovery", "ranging", "low_volatility", "volatile", "trending_down", "breakdown", "undetermined",
];

export const SEVERITIES: ReadonlyArray<Severity> = ["emergency", "critical", "error", "warning", "info"];

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export function compactVolume(value: number | null): string {
  return value === null ? DASH : compact.format(value);
}
