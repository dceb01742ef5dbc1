import { useState } from "react";
import { Icon } from "./icons";

/** A row of alternatives, one of them chosen. */
export function Choice<T extends string>({ label, options, value, choose }: {
  label: string; options: ReadonlyArray<readonly [T, string]>; value: T; choose: (value: T) => void;
}) {
  return (
    <div role="group" aria-label={label} className="flex max-w-full overflow-x-auto rounded-md border border-line">
      {options.map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => choose(option)}
          className={`h-6 shrink-0 px-2 text-xs whitespace-nowrap -outline-offset-2 ${option === value ? "bg-raised font-semibold text-text" : "text-faint hover:bg-hover hover:text-text"}`}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState<"copied" | "select it by hand" | null>(null);
  const copy = (): void => {
    const tell = (word: "copied" | "select it by hand"): void => {
      setDone(word);
      window.setTimeout(() => setDone(null), 2_000);
    };
    // Without https or localhost the browser offers no clipboard.
    if (!navigator.clipboard) tell("select it by hand");
    else navigator.clipboard.writeText(text).then(() => tell("copied"), () => tell("select it by hand"));
  };
  return (
    <button type="button" className="button h-6" onClick={copy} aria-label={`Copy ${what}`}>
      <Icon name={done === "copied" ? "check" : "copy"} size={14} /><span aria-live="polite">{done ?? "Copy"}</span>
    </button>
  );
}
