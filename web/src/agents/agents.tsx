import { useState } from "react";
import { Choice } from "../parts/choice";
import { Id, Names, StateWord, When } from "../parts/cells";
import { ReasonCommand } from "../parts/command";
import { DASH, count, instant, percent, told, words } from "../parts/format";
import { Bar, Maybe } from "../parts/figures";
import { PageTitle } from "../parts/panel";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { idempotencyKey, rest } from "../wire/rest";
import type { AgentView, AgentsView, KeyView, KeysView, TaskState, TaskView, TasksView } from "../wire/types";
import { ConnectAgent } from "./connect";
import { Schedules, Work } from "./work";

const AGENTS: ReadonlyArray<Column<AgentView>> = [
  { name: "Agent", lead: true, show: (row) => <span><span className="font-medium">{row.agent}</span>{row.builtin && <span className="chip ml-2 text-faint">built in</span>}<span className="block text-xs text-faint">{row.label}</span></span> },
  { name: "State", show: (row) => <StateWord state={row.presence} /> },
  { name: "Load", hint: "Leases held over slots", show: (row) => <span className="flex items-center gap-2"><Bar share={row.utilisation} label={`${row.held} of ${row.slots} slots in use`} /><span className="whitespace-nowrap text-muted" title={row.long_slots === null ? undefined : `Long work fills at most ${row.long_slots}`}>{row.held} / {row.slots}</span></span> },
  { name: "Done", right: true, show: (row) => count(row.completed) },
  { name: "Failed", right: true, show: (row) => count(row.failed) },
  { name: "Stuck", right: true, hint: "Tasks held ten times as long as such work usually takes", show: (row) => <span className={row.stuck.length > 0 ? "text-down" : ""} title={row.stuck.join(", ")}>{count(row.stuck.length)}</span> },
  { name: "Success", right: true, show: (row) => <Maybe text={percent(row.success_fraction, 1)} why="no task finished yet" /> },
  { name: "Capabilities", wrap: true, show: (row) => <Names names={row.capabilities} /> },
  { name: "Seen", right: true, show: (row) => <When at={row.last_seen} why="never seen" /> },
  { name: "", right: true, show: (row) => row.state !== "ready"
    ? <ReasonCommand name="Resume" ask={`Why resume ${row.agent}?`} send={(reason) => rest.post(`/agents/${encodeURIComponent(row.agent)}/resume`, { reason })} />
    : <ReasonCommand name="Pause" ask={`Why pause ${row.agent}?`} send={(reason) => rest.post(`/agents/${encodeURIComponent(row.agent)}/pause`, { reason })} /> },
];

const TASKS: ReadonlyArray<Column<TaskView>> = [
  { name: "Task", lead: true, show: (row) => <span><span className="font-medium">{told(row.title)}</span><span className="block"><Id id={row.task_id} /></span></span> },
  { name: "Type", show: (row) => words(row.type) },
  { name: "Priority", show: (row) => words(row.priority) },
  { name: "State", show: (row) => <span><StateWord state={row.state} />{row.state === "leased" && row.progress_fraction !== null && <span className="block text-xs text-muted">{percent(row.progress_fraction, 0)} {row.note}</span>}</span> },
  { name: "Agent", show: (row) => <Maybe text={row.agent ?? DASH} why="not claimed" /> },
  { name: "Try", right: true, hint: "Leases that ended before the work began do not count", show: (row) => `${row.attempt - row.moves} / ${row.max_attempts}` },
  { name: "Why", wrap: true, show: (row) => <span className="text-muted">{told(row.why)}{row.reason !== null && row.reason !== "" && <span className="block text-down">{row.reason}</span>}</span> },
  { name: "Submitted", right: true, show: (row) => <When at={row.submitted_at} /> },
  { name: "", right: true, show: (row) => ["blocked", "delayed", "unmatchable", "ready", "leased"].includes(row.state) ? <ReasonCommand name="Cancel" ask="Why cancel it?" send={(reason) => rest.post(`/tasks/${encodeURIComponent(row.task_id)}/cancel`, { reason })} />
    : ["failed", "dead"].includes(row.state) && row.answered === null && <span className="flex justify-end gap-2">
        <ReasonCommand name="Redrive" ask="Why try it again?" send={(reason) => rest.post(`/tasks/${encodeURIComponent(row.task_id)}/redrive`, { reason, idempotency_key: idempotencyKey() })} />
        <ReasonCommand name="Dismiss" ask="Why is nothing more to be done?" send={(reason) => rest.post(`/tasks/${encodeURIComponent(row.task_id)}/dismiss`, { reason })} />
      </span> },
];

const KEYS: ReadonlyArray<Column<KeyView>> = [
  { name: "Key", lead: true, show: (row) => <code className="font-mono text-xs">qd_{row.prefix}_…</code> },
  { name: "Agent", show: (row) => row.agent },
  { name: "Scopes", wrap: true, show: (row) => <Names names={row.scopes} /> },
  { name: "Made", right: true, show: (row) => <When at={row.created_at} /> },
  { name: "", right: true, show: (row) => row.revoked_at === null
    ? <ReasonCommand name="Revoke" ask={`Why revoke ${row.prefix}?`} send={(reason) => rest.post(`/keys/${encodeURIComponent(row.prefix)}/revoke`, { reason })} />
    : <span className="text-faint">revoked {instant(row.revoked_at)}</span> },
];

type Which = TaskState | "all";

export default function Agents() {
  const [state, setState] = useState<Which>("all");
  return (
    <>
      <PageTitle note="who works here, what they do and why">Agents</PageTitle>
      <ViewPanel<AgentsView> title="Agents" path="/agents" className="shrink-0" note={(data) => `${data.agents.length}`}>
        {(data) => <Table label="Agents" columns={AGENTS} rows={data.agents} rowKey={(row) => row.agent} empty="No agent is registered. Connect yours below." />}
      </ViewPanel>
      <ConnectAgent />
      <PagedPanel<TasksView> key={state} title="Tasks" path="/tasks" query={{ state: state === "all" ? null : state }} className="shrink-0"
        note={(data) => Object.entries(data.counts).filter(([, value]) => value > 0).map(([name, value]) => `${count(value)} ${name}`).join(", ")}
        aside={<Choice<Which> label="Which tasks" value={state} choose={setState} options={[["all", "All"], ["ready", "Ready"], ["unmatchable", "Without an agent"], ["leased", "In hand"], ["completed", "Completed"], ["failed", "Failed"], ["dead", "Dead letters"]]} />}>
        {(data) => <Table label="Tasks" columns={TASKS} rows={data.tasks} rowKey={(row) => row.task_id} empty={state === "all" ? "No task has been submitted yet." : "No task stands there now."} />}
      </PagedPanel>
      <Work />
      <Schedules />
      <ViewPanel<KeysView> title="Keys" path="/keys" moving={false} className="shrink-0" note={() => "secrets are never shown again"}>
        {(data) => <Table label="Keys" columns={KEYS} rows={data.keys} rowKey={(row) => row.prefix} empty="No key has been issued." />}
      </ViewPanel>
    </>
  );
}
