// One table for all pages: a real table on a wide screen, cards on a narrow one.
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useView } from "../live/queries";
import { withQuery } from "../wire/rest";
import { Empty, Failed, Panel, Skeleton } from "./panel";

export interface Column<Row> {
  readonly name: string;
  readonly show: (row: Row) => ReactNode;
  readonly right?: boolean;
  readonly fit?: boolean;
  readonly lead?: boolean;
  /** Text that may take several lines. */
  readonly wrap?: boolean;
  readonly hint?: string;
}

export function Table<Row>({ label, columns, rows, rowKey, empty }: {
  label: string; columns: ReadonlyArray<Column<Row>>; rows: ReadonlyArray<Row>; rowKey: (row: Row, place: number) => string | number; empty: ReactNode;
}) {
  if (rows.length === 0) return <Empty>{empty}</Empty>;
  return (
    <div className="stale-able max-h-[60vh] overflow-auto" tabIndex={0} role="group" aria-label={label}>
      <table className="rows rows-cards">
        <caption className="sr-only">{label}</caption>
        <thead>
          <tr>{columns.map((column) => <th key={column.name} scope="col" title={column.hint} className={column.right ? "right" : ""}>{column.name === "" ? <span className="sr-only">Actions</span> : column.name}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, place) => (
            <tr key={rowKey(row, place)}>
              {columns.map((column) => (
                <td key={column.name} data-label={column.name} className={`${column.right ? "right" : ""} ${column.fit ? "fit" : ""} ${column.lead ? "lead" : ""} ${column.wrap ? "wrap" : ""}`}>{column.show(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Shows what a query gave: waiting, refused or there. */
export function Shown<T>({ query, rows, children }: { query: UseQueryResult<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Skeleton {...(rows === undefined ? {} : { rows })} />;
}

/** A panel over one view. */
export function ViewPanel<T>({ title, note, aside, path, moving = true, className = "", children }: {
  title: string; note?: (data: T) => ReactNode; aside?: ReactNode; path: string; moving?: boolean; className?: string; children: (data: T) => ReactNode;
}) {
  const query = useView<T>(path, { moving });
  return (
    <Panel title={title} flush className={className} note={query.data !== undefined ? note?.(query.data) : undefined} aside={aside}>
      <Shown query={query}>{children}</Shown>
    </Panel>
  );
}

/** A panel over a paged view: the newest page moves, older ones stand still. */
export function PagedPanel<T extends { readonly next: number | null }>({ title, note, aside, path, query = {}, limit = 50, className = "", children }: {
  title: string; note?: (data: T) => ReactNode; aside?: ReactNode; path: string; query?: Readonly<Record<string, string | null>>; limit?: number;
  className?: string; children: (data: T) => ReactNode;
}) {
  const [trail, setTrail] = useState<ReadonlyArray<number>>([]);
  const before = trail[trail.length - 1];
  const view = useView<T>(withQuery(path, { ...query, limit, before }), { moving: before === undefined });
  const next = view.data?.next ?? null;
  const pager = (trail.length > 0 || next !== null) && (
    <span className="flex items-center gap-1">
      {trail.length > 0 && <button type="button" className="button h-6" onClick={() => setTrail([])}>Newest</button>}
      {trail.length > 0 && <button type="button" className="button h-6" onClick={() => setTrail(trail.slice(0, -1))}>Newer</button>}
      {next !== null && <button type="button" className="button h-6" onClick={() => setTrail([...trail, next])}>Older</button>}
    </span>
  );
  return (
    <Panel title={title} flush className={className} note={view.data !== undefined ? note?.(view.data) : undefined} aside={<>{aside}{pager}</>}>
      <Shown query={view}>{children}</Shown>
    </Panel>
  );
}
