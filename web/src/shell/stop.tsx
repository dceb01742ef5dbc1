// The stop: always in the same place; hold for one second, or press Enter twice.
import { useMutation } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { refresh, useView } from "../live/queries";
import { useLive } from "../live/store";
import { count, fixed, instant } from "../parts/format";
import { Icon } from "../parts/icons";
import { RequestRefused, rest, wordsOf } from "../wire/rest";
import type { RearmView, StandingStop, StopView } from "../wire/types";

const HOLD_MS = 1_000;
const ARMED_MS = 4_000;

export function useStop(): StopView | null {
  return useLive("overview")?.stop ?? null;
}

export function StopControl() {
  const stop = useStop();
  const [holding, setHolding] = useState(false);
  const [armed, setArmed] = useState(false);
  const [hint, setHint] = useState(false);
  const timer = useRef<number | undefined>(undefined);
  const raise = useMutation({
    mutationFn: () => rest.post<StopView>("/gate/stop", { reason: "stopped by hand on the dashboard" }),
    onSettled: refresh,
  });
  useEffect(() => () => window.clearTimeout(timer.current), []);
  useEffect(() => {
    if (!armed && !hint) return;
    const end = window.setTimeout(() => {
      setArmed(false);
      setHint(false);
    }, ARMED_MS);
    return () => window.clearTimeout(end);
  }, [armed, hint]);

  const fire = (): void => {
    setHolding(false);
    setArmed(false);
    setHint(false);
    raise.mutate();
  };
  const press = (): void => {
    if (raise.isPending) return;
    setHolding(true);
    timer.current = window.setTimeout(fire, HOLD_MS);
  };
  const release = (): void => {
    if (!holding) return;
    window.clearTimeout(timer.current);
    setHolding(false);
    setHint(true);
  };
  // A key kept down repeats; only two separate presses count.
  const key = (event: KeyboardEvent): void => {
    if (event.repeat) event.preventDefault();
    if (event.key === "Escape") setArmed(false);
  };
  const second = (): void => {
    if (raise.isPending) return;
    if (armed) fire();
    else setArmed(true);
  };

  const stopped = stop?.stopped === true;
  const text = raise.isPending ? "STOPPING" : stopped ? "STOPPED" : armed ? "ENTER = STOP" : holding ? "HOLD" : "STOP";
  const said = raise.error !== null ? wordsOf(raise.error) : armed ? "Press Enter once more to stop trading." : hint ? "Hold for one second to stop trading." : "";
  return (
    <div className="relative">
      <button type="button" aria-label={`${text}. Stop all trading: hold for one second, or press Enter twice.`} title="Hold for one second, or press Enter twice"
        aria-describedby="stop-said" disabled={raise.isPending}
        onPointerDown={(event) => event.button === 0 && press()} onPointerUp={release} onPointerLeave={release} onPointerCancel={release}
        onKeyDown={key} onContextMenu={(event) => event.preventDefault()}
        // A click without a pointer comes from a key or a screen reader.
        onClick={(event) => event.detail === 0 && second()}
        className={`relative flex h-9 min-w-[106px] touch-none items-center justify-center gap-1.5 overflow-hidden rounded-md border px-3 text-[13px] font-bold tracking-wider select-none ${stopped ? "border-stop bg-stop-soft text-stop-text" : "border-stop bg-stop text-white hover:brightness-110"} ${armed ? "ring-2 ring-focus ring-offset-2 ring-offset-panel" : ""}`}>
        {holding && <span aria-hidden="true" className="hold-fill absolute inset-0 bg-white/30" />}
        <Icon name="stop" size={15} /><span className="relative">{text}</span>
      </button>
      <p id="stop-said" role="status" className={said === "" ? "sr-only" : `absolute top-full right-0 z-40 mt-2 w-max max-w-64 rounded-md border border-line-strong bg-panel px-3 py-2 shadow-(--shadow) ${raise.error ? "text-stop-text" : ""}`}>{said}</p>
    </div>
  );
}

/** What each stop can prove, as long as any stands. */
export function StopReport() {
  const stop = useStop();
  if (stop === null || (!stop.stopped && stop.stops.length === 0)) return null;
  const told = stop.stops.some((one) => one.scope === "deck") || !stop.stopped;
  return (
    <section aria-label="Stop" className="flex flex-wrap items-center gap-x-6 gap-y-2 rounded-lg border border-stop bg-stop-soft px-3 py-2">
      <div className="flex min-w-48 flex-1 flex-col gap-2">
        {!told && <p role="status" className="font-semibold text-stop-text">Trading is stopped{stop.reason === null ? "" : `: ${stop.reason}`}</p>}
        {stop.stops.map((one) => <StandingReport key={`${one.scope} ${one.subject}`} stop={one} />)}
      </div>
      <Rearm stop={stop} />
    </section>
  );
}

function StandingReport({ stop }: { stop: StandingStop }) {
  const facts: ReadonlyArray<readonly [string, string]> = [
    ["accepted since", count(stop.accepted_since)],
    ...(stop.reduced_since > 0 ? [["only reducing", count(stop.reduced_since)] as const] : []),
    ["refused since", count(stop.refused_since)],
    ["cancelled", count(stop.cancelled)],
    ["in force after", stop.stop_ms === null ? "—" : `${fixed(stop.stop_ms, stop.stop_ms < 10 ? 2 : 0)} ms`],
    ["epoch", String(stop.epoch)],
  ];
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-1">
      <div className="min-w-48 flex-1">
        <p role="status" className="font-semibold text-stop-text">{stop.scope === "deck" ? "Trading is stopped" : `Stopped: ${stop.subject}`}</p>
        <p className="text-xs text-muted">by {stop.by} at {instant(stop.since)}{stop.reason === "" ? "" : `: ${stop.reason}`}</p>
      </div>
      <dl className="flex flex-wrap gap-x-6 gap-y-1">
        {facts.map(([name, value]) => (
          <div key={name}><dt className="label">{name}</dt><dd className="font-semibold">{value}</dd></div>
        ))}
      </dl>
    </div>
  );
}

function Rearm({ stop }: { stop: StopView }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button" onClick={() => {
        setOpen(true);
        dialog.current?.showModal();
      }}>Re-arm…</button>
      <dialog ref={dialog} aria-labelledby="rearm-title" onClose={() => setOpen(false)} className="panel w-[min(30rem,calc(100vw-2rem))] bg-panel p-0 text-text shadow-(--shadow)">
        {open && <RearmForm stop={stop} close={() => dialog.current?.close()} />}
      </dialog>
    </>
  );
}

type Subject = Pick<StandingStop, "scope" | "subject">;

function bodyOf(subject: Subject): Readonly<Record<string, string>> {
  return subject.scope === "deck" ? {} : { [subject.scope]: subject.subject };
}

function RearmForm({ stop, close }: { stop: StopView; close: () => void }) {
  const subjects: ReadonlyArray<Subject> = stop.stopped
    ? [{ scope: "deck", subject: "" }, ...stop.stops.filter((one) => one.scope !== "deck")]
    : stop.stops;
  const [chosen, setChosen] = useState(0);
  const [reason, setReason] = useState("");
  const [epoch, setEpoch] = useState("");
  const [read, setRead] = useState<string | null>(null);
  const subject = subjects[Math.min(chosen, subjects.length - 1)] ?? { scope: "deck", subject: "" };
  const body = bodyOf(subject);
  const listed = useView<RearmView>(`/gate/rearm?${new URLSearchParams(body).toString()}`);
  // The epoch on screen when the dialog opened: a stop raised meanwhile must be seen first.
  const [shown] = useState(stop.epoch);
  const rearm = useMutation({
    mutationFn: () => rest.post<StopView>("/gate/rearm", { epoch: shown, reason: reason.trim(), confirm: read, ...body }),
    onSuccess: close,
    onSettled: refresh,
  });
  const moved = shown !== stop.epoch;
  const confirmation = listed.isPlaceholderData ? null : (listed.data?.confirmation ?? null);
  const blocked = listed.data?.blocked ?? [];
  const confirmed = confirmation !== null && read === confirmation;
  const fits = epoch.trim() === String(shown) && reason.trim() !== "" && confirmed && blocked.length === 0 && !moved;
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      if (fits) rearm.mutate();
    }}>
      <header className="flex items-center border-b border-line px-4 py-3">
        <h2 id="rearm-title" className="text-base font-semibold">Re-arm trading</h2>
        <button type="button" className="ml-auto grid h-8 w-8 place-items-center rounded-md hover:bg-hover" aria-label="Close" onClick={close}><Icon name="close" /></button>
      </header>
      <div className="flex flex-col gap-4 p-4">
        {subjects.length > 1 && (
          <label className="flex flex-col gap-1"><span className="label">What to re-arm</span>
            <select className="field" value={chosen} onChange={(event) => {
              setChosen(Number(event.target.value));
              setRead(null);
            }}>
              {subjects.map((one, at) => <option key={`${one.scope} ${one.subject}`} value={at}>{one.scope === "deck" ? "The whole deck" : `${one.subject} only`}</option>)}
            </select>
          </label>
        )}
        <div>
          <p className="label">What resumes</p>
          {listed.data === undefined ? <p className="mt-1 text-muted">{listed.error === null ? "Looking…" : wordsOf(listed.error)}</p> : <Resumes listed={listed.data} cancelled={stop.cancelled} />}
        </div>
        {blocked.length > 0 && <p role="alert" className="text-stop-text">It would be refused now: {blocked.join("; ")}.</p>}
        <label className="flex flex-col gap-1"><span className="label">Reason, kept in the audit log</span>
          <input className="field" value={reason} onChange={(event) => setReason(event.target.value)} maxLength={200} required autoComplete="off" />
        </label>
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={confirmed} disabled={confirmation === null} onChange={(event) => setRead(event.target.checked ? confirmation : null)} />
          <span>I have read what resumes{read !== null && !confirmed ? ", which has changed since" : ""}</span>
        </label>
        <label className="flex flex-col gap-1"><span className="label">Type the epoch, {shown}, to confirm that this is the stop you mean</span>
          <input className="field" value={epoch} onChange={(event) => setEpoch(event.target.value)} inputMode="numeric" required autoComplete="off" />
        </label>
        {moved && <p role="alert" className="text-stop-text">Another stop was raised meanwhile (epoch {stop.epoch}). Close this and look again.</p>}
        {rearm.error !== null && <p role="alert" className="text-stop-text">{wordsOf(rearm.error)}{rearm.error instanceof RequestRefused && rearm.error.problem.code ? ` (${rearm.error.problem.code})` : ""}</p>}
      </div>
      <footer className="flex justify-end gap-2 border-t border-line px-4 py-3">
        <button type="button" className="button" onClick={close}>Keep it stopped</button>
        <button type="submit" className="button button-main" disabled={!fits || rearm.isPending}>{rearm.isPending ? "Re-arming" : "Re-arm"}</button>
      </footer>
    </form>
  );
}

function Resumes({ listed, cancelled }: { listed: RearmView; cancelled: number }) {
  return (
    <ul className="mt-1 list-disc pl-4 text-muted marker:text-faint">
      <li>{listed.agents.length === 0 ? "no agent may trade again by this alone" : <>orders of <span className="text-text">{listed.agents.join(", ")}</span></>}{listed.instruments.length === 0 ? "" : ` in ${listed.instruments.join(", ")}`}</li>
      <li>{listed.orders.length === 0 ? "no order is left working" : `${count(listed.orders.length)} orders that kept working: ${listed.orders.join(", ")}`}</li>
      <li>cancelled orders stay cancelled ({count(cancelled)}); refused ones are not sent again</li>
      {listed.remaining.length > 0 && <li>still stopped afterwards: {listed.remaining.join(", ")}</li>}
    </ul>
  );
}
