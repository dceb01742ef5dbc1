// Tables over REST: read again at most once a second, when the deck has moved and the page is seen.
import { QueryClient, keepPreviousData, useQuery } from "@tanstack/react-query";
import { isSignedOut, rest } from "../wire/rest";
import { live } from "./store";

const PULSE_MS = 1_000;

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && !isSignedOut(error),
      retryDelay: 800,
      staleTime: PULSE_MS,
      refetchOnWindowFocus: true,
      networkMode: "always",
    },
    mutations: { networkMode: "always", retry: false },
  },
});

/** The present answer of `path`; `moving` answers are read again as the deck moves. */
export function useView<T>(path: string, { moving = true, enabled = true }: { moving?: boolean; enabled?: boolean } = {}) {
  return useQuery<T>({
    queryKey: [moving ? "moving" : "still", path],
    queryFn: () => rest.get<T>(path),
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** Reads again all that a command may have changed. */
export function refresh(): void {
  void queries.invalidateQueries();
}

export function startPulse(): () => void {
  let seen: unknown = null;
  const timer = window.setInterval(() => {
    const overview = live.get("overview");
    if (document.hidden || overview === null || overview === seen) return;
    seen = overview;
    void queries.invalidateQueries({ queryKey: ["moving"] }, { cancelRefetch: false });
  }, PULSE_MS);
  return () => window.clearInterval(timer);
}
