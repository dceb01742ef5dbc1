// Dark by default; light or the system's choice on request, remembered in this browser.
import { useSyncExternalStore } from "react";

export type Theme = "dark" | "light" | "system";
const NAME = "quarterdeck.theme";
const THEMES: ReadonlyArray<Theme> = ["dark", "light", "system"];

const listeners = new Set<() => void>();
const bright = window.matchMedia("(prefers-color-scheme: light)");
let chosen: Theme = remembered();

function remembered(): Theme {
  try {
    const text = localStorage.getItem(NAME);
    return THEMES.find((theme) => theme === text) ?? "dark";
  } catch {
    return "dark";
  }
}

function shown(): "dark" | "light" {
  return chosen === "system" ? (bright.matches ? "light" : "dark") : chosen;
}

function apply(): void {
  document.documentElement.dataset["theme"] = shown();
  listeners.forEach((listener) => listener());
}

export function startTheme(): void {
  bright.addEventListener("change", apply);
  apply();
}

export function chooseTheme(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem(NAME, theme);
  } catch {
    // A browser that keeps nothing still shows the choice until the page closes.
  }
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => chosen);
}

/** The theme on screen; what draws on a canvas reads its colours anew when it changes. */
export function useShownTheme(): "dark" | "light" {
  return useSyncExternalStore(subscribe, shown);
}

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
