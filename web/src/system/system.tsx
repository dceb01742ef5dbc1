import type { ReactNode } from "react";
import { Id, Names, StateWord, When } from "../parts/cells";
import { count, instant, words } from "../parts/format";
import { PageTitle, Panel } from "../parts/panel";
import { type Column, PagedPanel, Shown, Table } from "../parts/table";
import { useView } from "../live/queries";
import type { AuditRecordView, AuditView, ComponentView, SystemView } from "../wire/types";

const COMPONENTS: ReadonlyArray<Column<ComponentView>> = [
  { name: "#", right: true, fit: true, show: (row) => <span className="text-faint">{row.order}</span> },
  { name: "Component", lead: true, show: (row) => <span className="font-medium">{row.name}</span> },
  { name: "Phase", show: (row) => <StateWord state={row.phase} /> },
  { name: "Needs", wrap: true, show: (row) => <Names names={row.needs} /> },
  { name: "Since", right: true, show: (row) => <When at={row.since} /> },
  { name: "Detail", wrap: true, show: (row) => <span className="text-muted">{row.detail}</span> },
];

const AUDIT: ReadonlyArray<Column<AuditRecordView>> = [
  { name: "#", right: true, fit: true, lead: true, show: (row) => count(row.sequence) },
  { name: "When", show: (row) => <When at={row.at} /> },
  { name: "What", show: (row) => <span className="font-medium whitespace-nowrap">{row.kind}</span> },
  { name: "Who", show: (row) => row.actor },
  { name: "Record", wrap: true, show: (row) => (
    <details className="max-w-2xl text-left"><summary className="truncate font-mono text-xs text-muted max-md:max-w-56">{JSON.stringify(row.body)}</summary>
      <pre className="mt-1 overflow-x-auto rounded bg-ground p-2 font-mono text-xs whitespace-pre-wrap">{JSON.stringify(row.body, null, 2)}</pre></details>
  ) },
  { name: "Hash", hint: "SHA-256 over this record and the hash before it", show: (row) => <Id id={row.hash} /> },
];

function bytes(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${(value / 1e6).toFixed(0)} MB`;
}

function Facts({ title, facts }: { title: string; facts: ReadonlyArray<readonly [string, ReactNode]> }) {
  return (
    <Panel title={title}>
      <dl className="stale-able grid grid-cols-[auto_1fr] gap-x-6 gap-y-1">
        {facts.map(([name, value]) => <div key={name} className="contents"><dt className="text-faint">{name}</dt><dd className="min-w-0 text-right font-medium break-words">{value}</dd></div>)}
      </dl>
    </Panel>
  );
}

function Parts({ view }: { view: SystemView }) {
  const { run, feed, journal } = view;
  return (
    <>
      <Panel title="Components" flush className="shrink-0" note={view.ready ? <span className="text-good">all ready; the gate may open</span> : <span className="text-warn">not ready</span>}>
        <Table label="Components" columns={COMPONENTS} rows={[...view.components].sort((a, b) => a.order - b.order)} rowKey={(row) => row.name} empty="No component is registered." />
      </Panel>
      <div className="grid shrink-0 gap-2 md:gap-2.5 lg:grid-cols-2 xl:grid-cols-4">
        <Facts title="Feed" facts={[["State", words(feed.state)], ["Bars", `${count(feed.slice + 1)} of ${count(feed.slices)}`], ["Market time", instant(feed.at)], ["Speed", feed.speed === null ? "as fast as the deck keeps up" : `${feed.speed} bars a second`]]} />
        <Facts title="Run" facts={[
          ["Run", <code key="run" className="font-mono text-xs">{run.run}</code>], ["Source", run.source], ["Feed digest", <Id key="feed" id={run.feed_digest} />], ["Seed", run.seed], ["Started", instant(run.started_at)],
          ["Closed", run.closed ? "yes: nothing from outside moved it" : <span key="closed" title="only closed runs promise equal hashes">no{run.first_outside === null ? "" : `: ${run.first_outside}`}</span>],
          ["Disk left", run.free_bytes === null ? <span key="disk" className="text-faint" title="the system does not say">—</span> : bytes(run.free_bytes)],
        ]} />
        <Facts title="Journal" facts={[["Newest step on disk", count(journal.durable_step)], ["Waiting", count(journal.pending_steps)], ["Steps", count(journal.steps)], ["Commits", count(journal.commits)]]} />
        <Facts title="Versions" facts={[...Object.entries(view.versions), ["charts", <a key="charts" className="underline" href="https://www.tradingview.com/" target="_blank" rel="noreferrer noopener">TradingView Lightweight Charts™</a>]]} />
      </div>
    </>
  );
}

export default function System() {
  const view = useView<SystemView>("/system");
  return (
    <>
      <PageTitle note="what runs, since when, and what was recorded">System</PageTitle>
      <Shown query={view} rows={8}>{(data) => <Parts view={data} />}</Shown>
      <PagedPanel<AuditView> title="Audit log" path="/audit" query={{ partition: "paper" }} className="shrink-0" note={() => "each record's hash binds all before it"}>
        {(data) => <Table label="Audit log" columns={AUDIT} rows={data.records} rowKey={(row) => row.sequence} empty="Nothing has been recorded yet." />}
      </PagedPanel>
    </>
  );
}
