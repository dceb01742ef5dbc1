import type { IconName } from "../parts/icons";

export interface Page {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  /** Shown in the bottom bar of a narrow screen; the others are under "More". */
  readonly first: boolean;
}

export const PAGES: ReadonlyArray<Page> = [
  { path: "/", name: "Overview", icon: "overview", first: true },
  { path: "/agents", name: "Agents", icon: "agents", first: false },
  { path: "/trading", name: "Trading", icon: "trading", first: true },
  { path: "/risk", name: "Risk & safety", icon: "risk", first: true },
  { path: "/market", name: "Market", icon: "market", first: false },
  { path: "/performance", name: "Performance", icon: "performance", first: false },
  { path: "/alerts", name: "Alerts", icon: "alerts", first: true },
  { path: "/system", name: "System", icon: "system", first: false },
];
