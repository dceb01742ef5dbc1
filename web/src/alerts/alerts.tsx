import { useState } from "react";
import { Choice } from "../parts/choice";
import { StateWord, When } from "../parts/cells";
import { PlainCommand } from "../parts/command";
import { count, exact, percent, words } from "../parts/format";
import { SeverityMark } from "../parts/figures";
import { PageTitle } from "../parts/panel";
import { type Column, PagedPanel, Table, ViewPanel } from "../parts/table";
import { rest } from "../wire/rest";
import type { EpisodeState, EpisodeView, EpisodesView, PublishedNumber, Rule, RulesView } from "../wire/types";
import { NewRule } from "./rule";

/** A published number as people write it: shares in per cent. */
function rounded(number: string, value: number): string {
  return number.endsWith("_fraction") ? percent(value, 1) : exact(Number(value.toPrecision(5)));
}

/** "performance.drawdown_fraction" as "drawdown". */
function numberName(number: string): string {
  return words(number.slice(number.indexOf(".") + 1).replace(/_(fraction|count)$/, "")).toLowerCase();
}

const EPISODES: ReadonlyArray<Column<EpisodeView>> = [
  { name: "Severity", lead: true, show: (row) => <SeverityMark severity={row.severity} /> },
  { name: "Alert", wrap: true, show: (row) => <span><span className="font-medium">{row.text}</span><span className="block text-xs text-faint">{row.subject}, <span title={row.metric}>{numberName(row.metric)}</span></span></span> },
  { name: "Value", right: true, show: (row) => rounded(row.metric, row.value) },
  { name: "Threshold", right: true, show: (row) => rounded(row.metric, row.threshold) },
  { name: "State", show: (row) => <span><StateWord state={row.state} />{row.state === "acknowledged" && row.acknowledged_by !== null && <span className="block text-xs text-faint">by {row.acknowledged_by}</span>}{row.state === "resolved" && <span className="block text-xs text-faint">{row.resolved_by === null ? "by itself" : `by ${row.resolved_by}`}</span>}</span> },
  { name: "Category", show: (row) => words(row.category) },
  { name: "Raised", right: true, show: (row) => <When at={row.raised_at} /> },
  { name: "Resolved", right: true, show: (row) => <When at={row.resolved_at} why="still open" /> },
  { name: "Note", wrap: true, show: (row) => <span className="text-muted">{row.note}</span> },
  { name: "", right: true, show: (row) => row.state !== "resolved" && (
    <span className="flex justify-end gap-1">
      {row.state === "firing" && <PlainCommand name="Take on" label={`Take on: ${row.text}, ${row.subject}`} send={() => rest.post(`/alerts/${encodeURIComponent(row.episode_id)}/acknowledge`, { note: "" })} />}
      <PlainCommand name="Resolve" label={`Resolve: ${row.text}, ${row.subject}`} send={() => rest.post(`/alerts/${encodeURIComponent(row.episode_id)}/resolve`, { note: "" })} />
    </span>
  ) },
];

const RULE_COLUMNS: ReadonlyArray<Column<Rule>> = [
  { name: "Rule", lead: true, show: (row) => <span className="font-medium">{row.rule_id}</span> },
  { name: "Severity", show: (row) => <SeverityMark severity={row.severity} /> },
  { name: "Category", show: (row) => words(row.category) },
  { name: "Fires when", show: (row) => <span><span title={row.number}>{numberName(row.number)}</span> {row.comparison} {rounded(row.number, row.threshold)}{row.for_bars > 1 ? ` for ${row.for_bars} bars` : ""}</span> },
  { name: "Clears at", right: true, show: (row) => row.clear === null ? <span className="text-faint" title="resolves at the threshold itself">threshold</span> : rounded(row.number, row.clear) },
  { name: "Subject", show: (row) => row.subject ?? <span className="text-faint">each on its own</span> },
  { name: "", right: true, show: (row) => <PlainCommand name="Remove" label={`Remove the rule ${row.rule_id}; its open alerts are resolved`} send={() => rest.remove(`/alerts/rules/${encodeURIComponent(row.rule_id)}`)} /> },
];

const NUMBERS: ReadonlyArray<Column<PublishedNumber>> = [
  { name: "Number", lead: true, show: (row) => <code className="font-mono text-xs">{row.name}</code> },
  { name: "Meaning", wrap: true, show: (row) => <span className="text-muted">{row.meaning}</span> },
  { name: "Unit", show: (row) => row.unit },
  { name: "Per", show: (row) => row.subject },
  { name: "Clock", show: (row) => words(row.clock) },
];

type Which = EpisodeState | "all";

export default function Alerts() {
  const [state, setState] = useState<Which>("all");
  return (
    <>
      <PageTitle note="what asks for a person">Alerts</PageTitle>
      <PagedPanel<EpisodesView> key={state} title="Inbox" path="/alerts" query={{ state: state === "all" ? null : state }} className="shrink-0"
        note={(data) => `${count(data.fired)} fired, ${count(data.resolved)} resolved`}
        aside={<Choice<Which> label="Which alerts" value={state} choose={setState} options={[["all", "All"], ["firing", "Firing"], ["acknowledged", "Taken on"], ["resolved", "Resolved"]]} />}>
        {(data) => <Table label="Alerts" columns={EPISODES} rows={data.episodes} rowKey={(row) => row.episode_id} empty={state === "all" ? "Nothing has fired. All rules below are watching." : "None stands there now."} />}
      </PagedPanel>
      <ViewPanel<RulesView> title="Rules" path="/alerts/rules" moving={false} className="shrink-0" note={(data) => `${data.rules.length}`}>
        {(data) => (
          <>
            <Table label="Rules" columns={RULE_COLUMNS} rows={data.rules} rowKey={(row) => row.rule_id} empty="No rule is set, so nothing can fire." />
            <NewRule numbers={data.numbers} />
            <details className="border-t border-line">
              <summary className="px-3 py-2 text-muted hover:text-text">The {data.numbers.length} numbers that a rule may watch</summary>
              <Table label="Numbers" columns={NUMBERS} rows={data.numbers} rowKey={(row) => row.name} empty="No number is published." />
            </details>
          </>
        )}
      </ViewPanel>
    </>
  );
}
