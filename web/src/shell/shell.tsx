import { type ReactNode, useState } from "react";
import { useLive } from "../live/store";
import { Icon } from "../parts/icons";
import { AlertBell } from "./bell";
import { Link } from "./link";
import { LineState, LostLine } from "./line";
import { PAGES, type Page } from "./pages";
import { ReplayControls } from "./replay";
import { StopControl, StopReport } from "./stop";
import { RegimeChip } from "./symbol";
import { chooseTheme, useTheme } from "./theme";

export function Shell({ path, children }: { path: string; children: ReactNode }) {
  const stale = useLive("stale");
  const lost = useLive("connection") === "lost";
  return (
    <div data-stale={stale || lost} className="grid h-full grid-rows-[auto_1fr_auto] md:grid-cols-[auto_1fr] md:grid-rows-[auto_1fr]">
      <a href="#main" className="button sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2">Skip to the page</a>
      <Rail path={path} />
      <TopBar />
      <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-col gap-2 overflow-y-auto p-2 outline-none md:gap-2.5 md:p-2.5">
        <LostLine />
        <StopReport />
        {children}
      </main>
      <BottomBar path={path} />
    </div>
  );
}

function RailLink({ page, here }: { page: Page; here: boolean }) {
  return (
    <Link to={page.path} aria-current={here ? "page" : undefined} title={page.name}
      className={`flex h-9 items-center gap-2.5 rounded-md px-2.5 font-medium xl:pr-4 ${here ? "bg-raised text-text" : "text-muted hover:bg-hover hover:text-text"}`}>
      <span className={here ? "text-brass" : ""}><Icon name={page.icon} /></span>
      <span className="sr-only whitespace-nowrap xl:not-sr-only">{page.name}</span>
    </Link>
  );
}

function Rail({ path }: { path: string }) {
  return (
    <nav aria-label="Pages" className="hidden flex-col border-r border-line bg-panel md:row-span-2 md:flex">
      <div className="flex h-12 items-center gap-2 border-b border-line px-4 text-brass xl:px-4">
        <Icon name="helm" size={20} /><span className="sr-only font-semibold tracking-tight text-text xl:not-sr-only">Quarterdeck</span>
      </div>
      <div className="flex flex-1 flex-col gap-0.5 p-2">{PAGES.map((page) => <RailLink key={page.path} page={page} here={page.path === path} />)}</div>
      <div className="border-t border-line p-2"><ThemeChoice /></div>
    </nav>
  );
}

function ThemeChoice() {
  const theme = useTheme();
  const next = { dark: "light", light: "system", system: "dark" } as const;
  const icon = { dark: "moon", light: "sun", system: "screen" } as const;
  return (
    <button type="button" onClick={() => chooseTheme(next[theme])} aria-label={`Theme: ${theme}. Change to ${next[theme]}`} title={`Theme: ${theme}`}
      className="flex h-8 w-full items-center gap-2.5 rounded-md px-2.5 text-muted hover:bg-hover hover:text-text">
      <Icon name={icon[theme]} size={16} /><span aria-hidden="true" className="md:hidden xl:inline">{{ dark: "Dark", light: "Light", system: "System theme" }[theme]}</span>
    </button>
  );
}

function TopBar() {
  return (
    <header className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-panel px-2.5 py-1.5 md:h-12 md:flex-nowrap md:py-0">
      <Badges />
      <ReplayControls />
      <div className="ml-auto flex items-center gap-2 max-md:order-1 md:gap-3">
        <span className="hidden lg:block"><RegimeChip /></span>
        <LineState />
        <AlertBell />
        <StopControl />
      </div>
    </header>
  );
}

function Badges() {
  const overview = useLive("overview");
  const mode = overview?.mode ?? "";
  return (
    <div className="flex min-w-0 items-center gap-2.5 max-md:order-1">
      <span className="flex h-6 shrink-0 items-center gap-1.5 rounded-[5px] border border-brass/50 bg-brass/10 px-2 text-xs font-semibold tracking-wide text-brass uppercase">
        {mode === "" ? "Connecting" : <>{mode}<span aria-hidden="true">·</span>paper</>}
      </span>
      {overview && <span className="hidden max-w-64 truncate text-xs text-faint min-[1560px]:block" title={overview.source}>{overview.source}</span>}
    </div>
  );
}

function BottomBar({ path }: { path: string }) {
  const [open, setOpen] = useState(false);
  const rest = PAGES.filter((page) => !page.first);
  const inMore = rest.some((page) => page.path === path);
  const style = (here: boolean): string => `flex flex-1 flex-col items-center gap-0.5 py-1.5 text-2xs ${here ? "text-text" : "text-muted"}`;
  return (
    <nav aria-label="Pages" className="relative border-t border-line bg-panel pb-[env(safe-area-inset-bottom)] md:hidden">
      {open && (
        <div className="absolute right-2 bottom-full z-30 mb-2 w-52 rounded-lg border border-line-strong bg-panel p-2 shadow-(--shadow)">
          {rest.map((page) => (
            <Link key={page.path} to={page.path} onClick={() => setOpen(false)} aria-current={page.path === path ? "page" : undefined}
              className="flex h-11 items-center gap-3 rounded-md px-3 font-medium hover:bg-hover"><Icon name={page.icon} />{page.name}</Link>
          ))}
          <div className="mt-1 border-t border-line pt-1"><ThemeChoice /></div>
        </div>
      )}
      <div className="flex">
        {PAGES.filter((page) => page.first).map((page) => (
          <Link key={page.path} to={page.path} aria-current={page.path === path ? "page" : undefined} className={style(page.path === path)} onClick={() => setOpen(false)}>
            <span className={page.path === path ? "text-brass" : ""}><Icon name={page.icon} size={20} /></span>{page.name === "Risk & safety" ? "Risk" : page.name}
          </Link>
        ))}
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className={style(inMore || open)}><Icon name="more" size={20} />More</button>
      </div>
    </nav>
  );
}
