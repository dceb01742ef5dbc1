// A router of forty lines: the path chooses the page, the query holds what the page shows.
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function changed(): void {
  listeners.forEach((listener) => listener());
}

window.addEventListener("popstate", changed);

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  changed();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** One parameter of the address and a way to set it. */
export function useParameter(name: string): [string | null, (value: string | null) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const set = (value: string | null): void => {
    const parameters = new URLSearchParams(location.search);
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
    const text = parameters.toString();
    navigate(location.pathname + (text ? `?${text}` : ""), { replace: true });
  };
  return [new URLSearchParams(search).get(name), set];
}
