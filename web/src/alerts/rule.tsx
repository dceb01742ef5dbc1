import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { refresh } from "../live/queries";
import { SEVERITIES, words } from "../parts/format";
import { rest, wordsOf } from "../wire/rest";
import type { AlertCategory, Comparison, PublishedNumber, SaveRule, Severity } from "../wire/types";

const CATEGORIES: ReadonlyArray<AlertCategory> = ["trading", "risk", "performance", "system", "market", "agent", "portfolio"];

/** Saves a rule, or replaces the one of that name. */
export function NewRule({ numbers }: { numbers: ReadonlyArray<PublishedNumber> }) {
  const [open, setOpen] = useState(false);
  const save = useMutation({
    mutationFn: (body: SaveRule) => rest.post("/alerts/rules", body),
    onSuccess: () => setOpen(false),
    onSettled: refresh,
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    save.mutate({
      rule: {
        rule_id: text("rule_id"),
        category: text("category") as AlertCategory,
        severity: text("severity") as Severity,
        number: text("number"),
        comparison: text("comparison") as Comparison,
        threshold: Number(text("threshold")),
        clear: text("clear") === "" ? null : Number(text("clear")),
        for_bars: Number(text("for_bars")),
        subject: text("subject") === "" ? null : text("subject"),
        text: text("text"),
      },
    });
  };
  if (!open) return <div className="border-t border-line p-3"><button type="button" className="button" onClick={() => setOpen(true)}>New rule…</button></div>;
  return (
    <form onSubmit={submit} className="grid gap-3 border-t border-line p-3 sm:grid-cols-2 lg:grid-cols-5 lg:items-end">
      <label className="flex flex-col gap-1"><span className="label">Name</span><input name="rule_id" className="field" required maxLength={60} placeholder="drawdown-15" autoComplete="off" autoFocus /></label>
      <label className="flex flex-col gap-1 lg:col-span-2"><span className="label">Number to watch</span><select name="number" className="field" required>{numbers.map((one) => <option key={one.name} value={one.name}>{one.name} ({one.unit}, per {one.subject})</option>)}</select></label>
      <label className="flex flex-col gap-1"><span className="label">Fires when it is</span><select name="comparison" className="field"><option value="above">above</option><option value="below">below</option></select></label>
      <label className="flex flex-col gap-1"><span className="label">Threshold</span><input name="threshold" className="field" type="number" step="any" required /></label>
      <label className="flex flex-col gap-1"><span className="label">Severity</span><select name="severity" className="field" defaultValue="warning">{SEVERITIES.map((one) => <option key={one} value={one}>{words(one)}</option>)}</select></label>
      <label className="flex flex-col gap-1"><span className="label">Category</span><select name="category" className="field" defaultValue="risk">{CATEGORIES.map((one) => <option key={one} value={one}>{words(one)}</option>)}</select></label>
      <label className="flex flex-col gap-1"><span className="label">For bars</span><input name="for_bars" className="field" type="number" min={1} step={1} defaultValue={1} required /></label>
      <label className="flex flex-col gap-1"><span className="label">Clears at; empty: threshold</span><input name="clear" className="field" type="number" step="any" /></label>
      <label className="flex flex-col gap-1"><span className="label">Subject; empty: each</span><input name="subject" className="field" maxLength={60} autoComplete="off" /></label>
      <label className="flex flex-col gap-1 sm:col-span-2 lg:col-span-4"><span className="label">Text shown with the alert</span><input name="text" className="field" maxLength={200} autoComplete="off" /></label>
      <span className="flex gap-2"><button type="submit" className="button button-main" disabled={save.isPending || numbers.length === 0}>Save rule</button><button type="button" className="button" onClick={() => setOpen(false)}>Leave</button></span>
      {save.error !== null && <p role="alert" className="text-stop-text sm:col-span-2 lg:col-span-5">{wordsOf(save.error)}</p>}
    </form>
  );
}
