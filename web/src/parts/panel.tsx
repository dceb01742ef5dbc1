import type { ReactNode } from "react";
import { Unreachable, wordsOf } from "../wire/rest";

export function Panel({ title, aside, note, children, className = "", flush = false }: {
  title: string; aside?: ReactNode; note?: ReactNode; children: ReactNode; className?: string; flush?: boolean;
}) {
  return (
    <section aria-label={title} className={`panel flex min-w-0 flex-col ${className}`}>
      <header className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-1">
        <h2 className="text-sm font-semibold">{title}</h2>
        {note !== undefined && <span className="text-xs text-faint">{note}</span>}
        {aside !== undefined && <div className="ml-auto flex min-w-0 items-center gap-2">{aside}</div>}
      </header>
      <div className={`min-h-0 flex-1 ${flush ? "" : "p-3"}`}>{children}</div>
    </section>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="px-3 py-6 text-center text-faint">{children}</p>;
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div role="alert" className="flex flex-wrap items-center justify-center gap-3 px-3 py-6 text-center">
      <span className="text-muted">{error instanceof Unreachable ? "" : "The deck refused: "}{wordsOf(error)}</span>
      {retry && <button type="button" className="button" onClick={retry}>Try again</button>}
    </div>
  );
}

export function Skeleton({ rows = 4 }: { rows?: number }) {
  return (
    <div aria-busy="true" aria-label="Loading" role="status" className="flex flex-col gap-2 p-3">
      {Array.from({ length: rows }, (_, row) => <div key={row} className="skeleton h-5" />)}
    </div>
  );
}

export function PageTitle({ children, note }: { children: ReactNode; note: ReactNode }) {
  return (
    <div className="flex flex-wrap items-baseline gap-x-3 px-0.5">
      <h1 className="text-base font-semibold">{children}</h1>
      <p className="text-faint">{note}</p>
    </div>
  );
}
