// The live state of the page. Messages are gathered and shown ten times a second, never faster.
import { useSyncExternalStore } from "react";
import type { EquitySnapshot, Event, EventsSnapshot, MarketSnapshot, OverviewView, Point, Slice } from "../wire/live";
import { type Incoming, Socket, type Topic } from "./socket";

const FLUSH_MS = 100;
const KEPT_SLICES = 3_000;
const KEPT_POINTS = 3_000;
const KEPT_EVENTS = 500;
const STALE_MS = 5_000;

export type Connection = "connecting" | "live" | "lost";

/** `reset` counts the snapshots: when it moves, a chart starts anew instead of appending. */
export interface MarketState { readonly symbols: ReadonlyArray<string>; readonly timeframe: string; readonly slices: ReadonlyArray<Slice>; readonly reset: number }
export interface EquityState { readonly agents: ReadonlyArray<string>; readonly points: ReadonlyArray<Point>; readonly reset: number }

interface State {
  overview: OverviewView | null;
  market: MarketState | null;
  equity: EquityState | null;
  /** Newest first. */
  events: ReadonlyArray<Event> | null;
  connection: Connection;
  /** When the last overview arrived, on this machine's monotonic clock. */
  overviewAt: number | null;
  stale: boolean;
}

type Field = keyof State;

class Live {
  private state: State = {
    overview: null, market: null, equity: null, events: null, connection: "connecting", overviewAt: null, stale: false,
  };
  private readonly listeners = new Map<Field, Set<() => void>>();
  private pending: Array<Incoming & { readonly topic: Topic }> = [];
  private timer: number | undefined;
  private clock: number | undefined;
  private readonly socket = new Socket({
    heard: (message) => {
      this.pending.push(message);
      this.timer ??= window.setTimeout(this.flush, FLUSH_MS);
    },
    connected: () => this.set({ connection: "live" }),
    disconnected: () => {
      this.flush();
      this.set({ connection: "lost" });
      this.judgeAge();
      this.onLost?.();
    },
  });

  /** Called when the line is lost: perhaps it was the session that ended. */
  onLost: (() => void) | null = null;

  open(): void {
    this.socket.open();
    this.clock = window.setInterval(this.judgeAge, 1_000);
  }

  close(): void {
    this.socket.close();
    window.clearInterval(this.clock);
  }

  get<F extends Field>(field: F): State[F] {
    return this.state[field];
  }

  subscribe(field: Field, listener: () => void): () => void {
    const set = this.listeners.get(field) ?? new Set();
    this.listeners.set(field, set.add(listener));
    return () => set.delete(listener);
  }

  private set(change: Partial<State>): void {
    const before = this.state;
    this.state = { ...before, ...change };
    for (const field of Object.keys(change) as Field[]) {
      if (before[field] !== this.state[field]) this.listeners.get(field)?.forEach((listener) => listener());
    }
  }

  private readonly judgeAge = (): void => {
    const { connection, overview, overviewAt } = this.state;
    if (overview === null || overviewAt === null) return;
    const moving = overview.feed.state === "running" || overview.feed.state === "warming_up";
    // A slow replay is quiet between its bars; that is not staleness.
    const patience = overview.feed.speed ? Math.max(STALE_MS, 2_500 / overview.feed.speed) : STALE_MS;
    this.set({ stale: connection !== "live" || (moving && performance.now() - overviewAt > patience) });
  };

  private readonly flush = (): void => {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    const messages = this.pending;
    this.pending = [];
    const change: Partial<State> = {};
    for (const message of messages) {
      if (message.type === "ping" || message.type === "error") continue;
      const whole = message.type === "snapshot";
      switch (message.topic) {
        case "overview":
          change.overview = message.data as OverviewView;
          change.overviewAt = performance.now();
          change.stale = false;
          break;
        case "market":
          change.market = appendMarket(change.market ?? this.state.market, message.data as MarketSnapshot, whole);
          break;
        case "equity":
          change.equity = appendEquity(change.equity ?? this.state.equity, message.data as EquitySnapshot, whole);
          break;
        case "events":
          change.events = appendEvents(change.events ?? this.state.events, message.data as EventsSnapshot);
          break;
      }
    }
    this.set(change);
  };
}

function appendMarket(before: MarketState | null, data: MarketSnapshot, whole: boolean): MarketState | null {
  if (whole) return { symbols: data.symbols, timeframe: data.timeframe, slices: data.slices, reset: (before?.reset ?? 0) + 1 };
  if (before === null) return null;
  return { ...before, slices: joined(before.slices, data.slices, KEPT_SLICES) };
}

function appendEquity(before: EquityState | null, data: EquitySnapshot, whole: boolean): EquityState | null {
  if (whole) return { agents: data.agents, points: data.points, reset: (before?.reset ?? 0) + 1 };
  if (before === null) return null;
  // Agents may join while the page is open.
  const names = new Set([...before.agents, ...Object.keys(data.points[data.points.length - 1]?.equity ?? {})]);
  const agents = names.size === before.agents.length ? before.agents : [...names];
  return { ...before, agents, points: joined(before.points, data.points, KEPT_POINTS) };
}

function joined<T extends { readonly slice: number }>(old: ReadonlyArray<T>, fresh: ReadonlyArray<T>, most: number): ReadonlyArray<T> {
  const last = old[old.length - 1]?.slice ?? -1;
  const news = fresh.filter((item) => item.slice > last);
  return news.length === 0 ? old : [...old, ...news].slice(-most);
}

/** A snapshot after a reconnect continues the list: no event is lost and none is shown twice. */
function appendEvents(before: ReadonlyArray<Event> | null, data: EventsSnapshot): ReadonlyArray<Event> {
  const old = before ?? [];
  const known = new Set(old.map((event) => event.id));
  const news = data.events.filter((event) => !known.has(event.id));
  return news.length === 0 ? old : [...news.reverse(), ...old].slice(0, KEPT_EVENTS);
}

export const live = new Live();

export function useLive<F extends Field>(field: F): State[F] {
  return useSyncExternalStore((listener) => live.subscribe(field, listener), () => live.get(field));
}
