// What the WebSocket carries, in terms of the deck's own types.
import type { Event, Point, Slice } from "./types";

export type { Event, FeedView, FillBrief, OverviewView, Point, SessionView, Slice } from "./types";

/** Open, high, low, close, volume (null where the source has none). */
export type BarTuple = readonly [number, number, number, number, number | null];

export type EventKind =
  | "order_accepted" | "order_refused" | "order_filled" | "order_cancelled" | "regime_changed" | "risk_event"
  | "alert_raised" | "alert_resolved" | "alert_acknowledged" | "halted" | "resumed" | "limits_changed" | "risk_response"
  | "rebalance" | "task_failed" | "feed_ended" | "breaker_changed" | "books_differ" | "books_adjusted" | "limit_set" | "signal_ended" | "condition_changed" | "risk_level" | "credit_changed" | "cluster_changed" | "stop_distance_changed" | "position_size_changed" | "capital";

export interface MarketSnapshot { readonly symbols: ReadonlyArray<string>; readonly timeframe: string; readonly slices: ReadonlyArray<Slice> }
export interface EquitySnapshot { readonly agents: ReadonlyArray<string>; readonly points: ReadonlyArray<Point> }
export interface EventsSnapshot { readonly events: ReadonlyArray<Event> }
