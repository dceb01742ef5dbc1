// The gate's rules in plain words.
import type { Code } from "../wire/types";

export const RULES: Readonly<Record<Code, { readonly name: string; readonly says: string }>> = {
  NOT_AUTHORISED: { name: "Not authorised", says: "This key may not submit orders." },
  STALE_EPOCH: { name: "Stopped", says: "Trading was stopped after the agent last looked, so its orders no longer count." },
  NOT_OPEN: { name: "Trading not open", says: "Orders pass only while trading is open." },
  UNKNOWN_INSTRUMENT: { name: "Unknown instrument", says: "The deck does not trade this symbol." },
  INVALID_NUMBER: { name: "Not a usable number", says: "Quantity and price must be positive, finite numbers." },
  TICK_SIZE: { name: "Off the tick", says: "The price is not a multiple of the instrument's tick." },
  LOT_SIZE: { name: "Off the lot", says: "The quantity is not a multiple of the instrument's lot." },
  MIN_NOTIONAL: { name: "Too small", says: "The order is worth less than the smallest allowed." },
  STALE_DATA: { name: "Data too old", says: "The last bar is too old to judge an order by." },
  ORDER_NOTIONAL: { name: "Order too large", says: "One order may not be worth more than this." },
  PRICE_COLLAR: { name: "Price too far away", says: "The price is too far from the last close." },
  POSITION_LIMIT: { name: "Position too large", says: "The position would exceed its limit in this instrument." },
  GROSS_EXPOSURE: { name: "Too much exposure", says: "All positions together would exceed the limit on gross exposure." },
  ORDER_RATE: { name: "Too many orders", says: "The agent has used up its orders for this window." },
  DAILY_LOSS: { name: "Daily loss reached", says: "The agent has lost as much today as it may." },
  BUYING_POWER: { name: "Not enough buying power", says: "The account cannot pay for this order." },
  ORDER_TERMS: { name: "Terms do not go together", says: "The order's terms contradict one another." },
  POST_ONLY: { name: "Would not rest", says: "A post-only order must rest away from the market." },
  REDUCE_ONLY: { name: "Would not only reduce", says: "A reduce-only order closes at most the position held on the other side." },
  STALE_SIGNAL: { name: "Signal no longer open", says: "The signal that the order follows has expired, ended, or is not this agent's." },
  SELF_TRADE: { name: "Against our own order", says: "The order could trade with a resting order of another of the deck's agents." },
  FROZEN: { name: "Instrument stopped", says: "While the instrument is stopped only reducing orders pass." },
  DUPLICATE_KEY: { name: "Key used before", says: "The idempotency key belongs to another order." },
};
