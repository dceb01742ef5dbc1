// A person makes our books the broker's in one subject; what was shown is sent back, so that a later difference is not booked.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { refresh, useView } from "../live/queries";
import type { AdjustmentView, AgentsView, DifferenceView } from "../wire/types";
import { rest, wordsOf } from "../wire/rest";

/** Opens a form beside a difference; a position may be booked to an agent, at a price and a fee, as a fill nobody told of. */
export function AdjustCommand({ row }: { row: DifferenceView }) {
  const [open, setOpen] = useState(false);
  if (!open) return <button type="button" className="button h-6" aria-label={`Adjust ${row.subject}`} onClick={() => setOpen(true)}>Adjust</button>;
  return <AdjustForm row={row} leave={() => setOpen(false)} />;
}

function AdjustForm({ row, leave }: { row: DifferenceView; leave: () => void }) {
  const agents = useView<AgentsView>("/agents");
  const [agent, setAgent] = useState("");
  const [price, setPrice] = useState("");
  const [fee, setFee] = useState("0");
  const [reason, setReason] = useState("");
  const position = row.subject.startsWith("position ");
  const booked = agent === "" ? {} : { agent, price: price.trim(), fee: fee.trim() };
  const ready = reason.trim() !== "" && (agent === "" || price.trim() !== "");
  const command = useMutation({
    mutationFn: () => rest.post<AdjustmentView>("/broker/adjust", { subject: row.subject, ours: row.ours, theirs: row.theirs, reason: reason.trim(), ...booked }),
    onSuccess: leave,
    onSettled: refresh,
  });
  return (
    <form className="flex flex-wrap items-center justify-end gap-1.5" aria-label={`Adjust ${row.subject}`} onKeyDown={(event) => event.key === "Escape" && leave()} onSubmit={(event) => {
      event.preventDefault();
      if (ready) command.mutate();
    }}>
      {position && <select className="field h-6 w-36" aria-label="Booked to" value={agent} onChange={(event) => setAgent(event.target.value)}>
        <option value="">the house</option>
        {(agents.data?.agents ?? []).map((one) => <option key={one.agent} value={one.agent}>{one.agent}</option>)}
      </select>}
      {agent !== "" && <input className="field h-6 w-24" aria-label="Price" placeholder="Price" inputMode="decimal" value={price} maxLength={40} onChange={(event) => setPrice(event.target.value)} />}
      {agent !== "" && <input className="field h-6 w-20" aria-label="Fee" placeholder="Fee" inputMode="decimal" value={fee} maxLength={40} onChange={(event) => setFee(event.target.value)} />}
      <input className="field h-6 w-40" aria-label="Why?" placeholder="Why?" value={reason} autoFocus maxLength={200} onChange={(event) => setReason(event.target.value)} />
      <button type="submit" className="button button-main h-6" disabled={!ready || command.isPending}>Adjust</button>
      <button type="button" className="button h-6" onClick={leave}>Leave</button>
      {command.error !== null && <span role="alert" className="basis-full text-right text-xs text-stop-text">{wordsOf(command.error)}</span>}
    </form>
  );
}
