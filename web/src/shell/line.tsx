import { useEffect, useState } from "react";
import { useLive } from "../live/store";
import { seconds } from "../parts/format";

function useAge(): number | null {
  const at = useLive("overviewAt");
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 1_000);
    return () => window.clearInterval(timer);
  }, []);
  return at === null ? null : Math.max(0, now - at) / 1000;
}

/** Whether the line stands and how old the numbers are. */
export function LineState() {
  const connection = useLive("connection");
  const stale = useLive("stale");
  const overview = useLive("overview");
  const age = useAge();
  const still = overview !== null && (overview.feed.state === "paused" || overview.feed.state === "ended");
  const [text, colour] =
    connection === "lost" ? ["Offline", "text-stop-text"]
    : connection === "connecting" || overview === null ? ["Connecting", "text-muted"]
    : stale ? ["Stale", "text-warn"]
    : ["Live", "text-good"];
  const old = age === null ? "" : age < 1 ? "now" : seconds(Math.floor(age));
  const detail = connection === "lost" ? "The line to the deck is down; it is tried again by itself." : still ? "The replay stands still; the numbers are up to date." : "Age of the numbers on this page";
  return (
    <span className={`flex items-center gap-1.5 text-xs ${colour}`} title={detail}>
      <span aria-hidden="true">{connection === "lost" ? "○" : stale ? "◐" : "●"}</span>
      <span className="font-medium">{text}</span>
      <span className="hidden w-10 text-faint sm:inline">{still && !stale ? "" : old}</span>
    </span>
  );
}

export function LostLine() {
  const connection = useLive("connection");
  const stale = useLive("stale");
  if (connection !== "lost" && !stale) return null;
  return (
    <p role="status" className="rounded-lg border border-warn/50 bg-warn/10 px-3 py-2 text-warn">
      {connection === "lost"
        ? "The line to the deck is down. What you see is the last that was heard; it is tried again by itself. STOP goes another way and may still work."
        : "No word of the market for more than five seconds. The numbers are greyed because they may be old."}
    </p>
  );
}
