// A command on a button: asks when it matters, says what went wrong, reads the tables again.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { refresh } from "../live/queries";
import { wordsOf } from "../wire/rest";

/** A command that needs a reason; the reason goes into the audit log. */
export function ReasonCommand({ name, ask, send }: { name: string; ask: string; send: (reason: string) => Promise<unknown> }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const command = useMutation({
    mutationFn: () => send(reason.trim()),
    onSuccess: () => {
      setOpen(false);
      setReason("");
    },
    onSettled: refresh,
  });
  if (!open) return <button type="button" className="button h-6" onClick={() => setOpen(true)}>{name}</button>;
  return (
    <form className="flex flex-wrap items-center justify-end gap-1.5" onSubmit={(event) => {
      event.preventDefault();
      if (reason.trim() !== "") command.mutate();
    }}>
      <input className="field h-6 w-40" aria-label={ask} placeholder={ask} value={reason} autoFocus maxLength={200} onChange={(event) => setReason(event.target.value)} onKeyDown={(event) => event.key === "Escape" && setOpen(false)} />
      <button type="submit" className="button button-main h-6" disabled={reason.trim() === "" || command.isPending}>{name}</button>
      <button type="button" className="button h-6" onClick={() => setOpen(false)}>Leave</button>
      {command.error !== null && <span role="alert" className="basis-full text-right text-xs text-stop-text">{wordsOf(command.error)}</span>}
    </form>
  );
}

/** A command that asks nothing more. */
export function PlainCommand({ name, label, send }: { name: string; label: string; send: () => Promise<unknown> }) {
  const command = useMutation({ mutationFn: send, onSettled: refresh });
  return (
    <span className="inline-flex flex-col items-end">
      <button type="button" className="button h-6" aria-label={label} disabled={command.isPending} onClick={() => command.mutate()}>{command.isPending ? "Sent" : name}</button>
      {command.error !== null && <span role="alert" className="text-xs text-stop-text">{wordsOf(command.error)}</span>}
    </span>
  );
}
