// How work goes, and the work that comes by itself, as plain live tables.
import { Names, StateWord, When } from "../parts/cells";
import { ReasonCommand } from "../parts/command";
import { DASH, count, percent, words } from "../parts/format";
import { Maybe } from "../parts/figures";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { rest } from "../wire/rest";
import type { OutcomeView, QueueView, ScheduleView, SchedulesView, SpanView, TimelineView, WaitView, WorkBoundView, WorkBoundsView, WorkReport, WorkView } from "../wire/types";

const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;

const QUEUES: ReadonlyArray<Column<QueueView>> = [
  { name: "Priority", lead: true, show: (row) => words(row.priority) },
  { name: "Ready", right: true, show: (row) => count(row.ready) },
  { name: "Oldest", right: true, hint: "Waiting, machine time", show: (row) => <Maybe text={row.oldest_ms === null ? DASH : seconds(row.oldest_ms)} why="none waits" /> },
  { name: "Longest allowed", right: true, show: (row) => <Maybe text={row.longest_ms === null ? DASH : seconds(row.longest_ms)} why="no bound: the others wait for it" /> },
];

const WAITS: ReadonlyArray<Column<WaitView>> = [
  { name: "Priority", lead: true, show: (row) => words(row.priority) },
  { name: "Tasks", right: true, show: (row) => count(row.tasks) },
  { name: "Mean", right: true, show: (row) => seconds(row.mean_ms) },
  { name: "Half within", right: true, show: (row) => seconds(row.p50_ms) },
  { name: "99 % within", right: true, show: (row) => seconds(row.p99_ms) },
  { name: "Worst", right: true, show: (row) => seconds(row.worst_ms) },
];

const OUTCOMES: ReadonlyArray<Column<OutcomeView>> = [
  { name: "Type or agent", lead: true, show: (row) => words(row.name) },
  { name: "Tasks", right: true, show: (row) => count(row.tasks) },
  { name: "Completed", right: true, show: (row) => count(row.completed) },
  { name: "Success", right: true, hint: "Of what ended by work", show: (row) => <Maybe text={percent(row.success_fraction, 1)} why="none ended yet" /> },
  { name: "Retries", right: true, show: (row) => count(row.retries) },
  { name: "Dead", right: true, show: (row) => count(row.dead) },
  { name: "Moved", right: true, show: (row) => count(row.moves) },
  { name: "Deadlines", right: true, hint: "Met / missed", show: (row) => <Maybe text={row.met + row.missed === 0 ? DASH : `${count(row.met)} / ${count(row.missed)}`} why="none had a deadline" /> },
  { name: "Mean work", right: true, show: (row) => <Maybe text={row.worked_ms === null ? DASH : seconds(row.worked_ms)} why="none completed yet" /> },
];

const took = (from: string, to: string | null) => (to === null ? DASH : seconds(Date.parse(to) - Date.parse(from)));

const SPANS: ReadonlyArray<Column<SpanView>> = [
  { name: "Task", lead: true, show: (row) => <span><span className="font-medium">{row.title}</span><span className="block text-xs text-faint">{words(row.type)}, {row.priority}</span></span> },
  { name: "Agent", show: (row) => row.agent ?? DASH },
  { name: "State", show: (row) => <StateWord state={row.state} /> },
  { name: "Began", right: true, show: (row) => <When at={row.started_at} /> },
  { name: "Waited", right: true, hint: "Ready until then, machine time", show: (row) => took(row.ready_at, row.started_at) },
  { name: "Took", right: true, show: (row) => <Maybe text={took(row.started_at, row.ended_at)} why="it goes on" /> },
];

const BOUNDS: ReadonlyArray<Column<WorkBoundView>> = [
  { name: "Work", lead: true, show: (row) => `${row.scope} ${row.subject}` },
  { name: "Held", right: true, show: (row) => `${count(row.running)}${row.max_running === null ? "" : ` / ${count(row.max_running)}`}` },
  { name: "A minute", right: true, show: (row) => <Maybe text={row.per_minute === null ? DASH : count(row.per_minute)} why="any number" /> },
  { name: "Next", right: true, show: (row) => (row.free_in_ms ? `in ${seconds(row.free_in_ms)}` : "now") },
];

const SCHEDULES: ReadonlyArray<Column<ScheduleView>> = [
  { name: "Schedule", lead: true, show: (row) => <span><span className="font-medium">{row.name}</span><span className="block text-xs text-faint">{row.title}</span></span> },
  { name: "When", wrap: true, show: (row) => <Names names={Object.entries(row.trigger).filter(([, value]) => value !== null).map(([name, value]) => (name === "kind" ? String(value) : `${name} ${value}`))} /> },
  { name: "Next", right: true, show: (row) => <When at={row.next_at} why={row.done ? "it will not fire again" : "with a bar or an event"} /> },
  { name: "Fired", right: true, show: (row) => count(row.fired) },
  { name: "Skipped", right: true, hint: "Its task before was open still, or the queue full", show: (row) => count(row.skipped) },
  { name: "By", show: (row) => row.by },
  { name: "", right: true, show: (row) => <ReasonCommand name="Remove" ask={`Why remove ${row.name}?`} send={(reason) => rest.post(`/schedules/${encodeURIComponent(row.name)}/remove`, { reason })} /> },
];

export function Work() {
  return (
    <>
      <ViewPanel<WorkView> title="Queues" path="/work" className="shrink-0" note={(data) => `${data.late > 0 ? `${count(data.late)} late, ` : ""}${data.dead_letters > 0 ? `${count(data.dead_letters)} dead letters, ` : ""}${data.utilisation === null ? "no agent" : `${percent(data.utilisation, 0)} of all slots in use`}`}>
        {(data) => <Table label="Queues" columns={QUEUES} rows={data.queues} rowKey={(row) => row.priority} empty="No queue." />}
      </ViewPanel>
      <ViewPanel<WorkReport> title="How work went" path="/work/report" className="shrink-0" note={(data) => `${count(data.tasks)} tasks${data.completed_per_minute === null ? "" : `, ${data.completed_per_minute.toFixed(1)} done a minute`}`}>
        {(data) => (
          <>
            <Table label="Waits by priority" columns={WAITS} rows={data.waits} rowKey={(row) => row.priority} empty="No task was claimed yet." />
            <Table label="Outcomes by type and agent" columns={OUTCOMES} rows={[...data.types, ...data.agents]} rowKey={(row) => row.name} empty="No task was submitted yet." />
          </>
        )}
      </ViewPanel>
      <PagedPanel<TimelineView> title="When it was done" path="/work/timeline" className="shrink-0" note={() => "the last attempt of each task, machine time"}>
        {(data) => <Table label="When it was done" columns={SPANS} rows={data.spans} rowKey={(row) => row.task_id} empty="No task was claimed yet." />}
      </PagedPanel>
      <ViewPanel<WorkBoundsView> title="Bounds on work" path="/work/bounds" className="shrink-0">
        {(data) => <Table label="Bounds on work" columns={BOUNDS} rows={data.bounds} rowKey={(row) => `${row.scope} ${row.subject}`} empty="Work is not bounded. Bound some with quarterdeck work bound." />}
      </ViewPanel>
    </>
  );
}

export function Schedules() {
  return (
    <ViewPanel<SchedulesView> title="Schedules" path="/schedules" className="shrink-0" note={(data) => `${data.schedules.length}`}>
      {(data) => <Table label="Schedules" columns={SCHEDULES} rows={data.schedules} rowKey={(row) => row.name} empty="No work comes by itself. Add some with quarterdeck schedules add." />}
    </ViewPanel>
  );
}
