import { useQuery } from "@tanstack/react-query";
import { type ComponentType, Suspense, lazy, useEffect } from "react";
import { queries, startPulse } from "./live/queries";
import { live } from "./live/store";
import { Overview } from "./overview/overview";
import { Skeleton } from "./parts/panel";
import { usePath } from "./router";
import { NotThere, SignedOut, Waiting } from "./shell/doors";
import { PAGES } from "./shell/pages";
import { Shell } from "./shell/shell";
import { isSignedOut, rest } from "./wire/rest";
import type { SessionView } from "./wire/live";

const SCREENS: Readonly<Record<string, ComponentType>> = {
  "/": Overview,
  "/agents": lazy(() => import("./agents/agents")),
  "/trading": lazy(() => import("./trading/trading")),
  "/risk": lazy(() => import("./risk/risk")),
  "/market": lazy(() => import("./market/market")),
  "/performance": lazy(() => import("./performance/performance")),
  "/alerts": lazy(() => import("./alerts/alerts")),
  "/system": lazy(() => import("./system/system")),
};

export function App() {
  const session = useQuery<SessionView>({
    queryKey: ["session"],
    queryFn: () => rest.get<SessionView>("/session"),
    retry: (_, error) => !isSignedOut(error),
    retryDelay: 1_500,
  });
  if (isSignedOut(session.error)) return <SignedOut />;
  if (session.data === undefined) return <Waiting tries={session.failureCount} why={session.failureReason} />;
  return <Deck />;
}

function Deck() {
  const path = usePath();
  useEffect(() => {
    live.onLost = () => void queries.invalidateQueries({ queryKey: ["session"] });
    live.open();
    const endPulse = startPulse();
    return () => {
      endPulse();
      live.close();
    };
  }, []);
  const place = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  const Screen = SCREENS[place];
  const page = PAGES.find((candidate) => candidate.path === place);
  useEffect(() => {
    document.title = page === undefined || page.path === "/" ? "Quarterdeck" : `${page.name} · Quarterdeck`;
    document.getElementById("main")?.scrollTo(0, 0);
  }, [page]);
  return (
    <Shell path={place}>
      <Suspense fallback={<Skeleton rows={8} />}>{Screen === undefined ? <NotThere path={path} /> : <Screen />}</Suspense>
    </Shell>
  );
}
