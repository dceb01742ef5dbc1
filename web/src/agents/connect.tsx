// Connect your agent: a fresh scoped paper key and one line to paste.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { refresh } from "../live/queries";
import { Choice, Copy } from "../parts/choice";
import { Panel } from "../parts/panel";
import { RequestRefused, rest, wordsOf } from "../wire/rest";
import type { KeyIssued, RegisterAgent } from "../wire/types";

const SCOPES = [
  ["read", "read", "see the market, limits and its own record"],
  ["work", "work", "claim and complete tasks"],
  ["signal", "signal", "state views"],
  ["order:paper", "orders on paper", "submit orders through the gate"],
] as const;

type Client = "claude" | "python" | "curl";

function lineFor(client: Client, key: string): string {
  const origin = location.origin;
  switch (client) {
    case "claude":
      return `claude mcp add --transport http quarterdeck ${origin}/mcp --header "Authorization: Bearer ${key}"`;
    case "python":
      return `python3 -c 'import urllib.request as u; print(u.urlopen(u.Request("${origin}/api/v1/briefing", headers={"Authorization": "Bearer ${key}"})).read().decode())'`;
    case "curl":
      return `curl -H "Authorization: Bearer ${key}" ${origin}/api/v1/briefing`;
  }
}

export function ConnectAgent() {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<ReadonlyArray<string>>(SCOPES.map(([scope]) => scope));
  const [capabilities, setCapabilities] = useState("");
  const [client, setClient] = useState<Client>("claude");
  const register = useMutation({
    mutationFn: () => rest.post<KeyIssued>("/agents", {
      name: name.trim(), scopes, capabilities: capabilities.split(",").map((one) => one.trim()).filter((one) => one !== ""),
    } satisfies RegisterAgent),
    onSuccess: refresh,
  });
  const issued = register.data;
  return (
    <Panel title="Connect your agent" note="over MCP or REST, on paper" className="shrink-0">
      {issued === undefined ? (
        <form className="grid gap-3 md:grid-cols-[1fr_1fr_auto_auto] md:items-end" onSubmit={(event) => {
          event.preventDefault();
          register.mutate();
        }}>
          <label className="flex flex-col gap-1"><span className="label">Name</span>
            <input className="field" value={name} required maxLength={40} placeholder="my-agent" autoComplete="off" spellCheck={false} onChange={(event) => setName(event.target.value)} />
          </label>
          <label className="flex flex-col gap-1"><span className="label">Capabilities, by comma; may be empty</span>
            <input className="field" value={capabilities} maxLength={200} autoComplete="off" spellCheck={false} onChange={(event) => setCapabilities(event.target.value)} />
          </label>
          <fieldset className="flex flex-wrap gap-x-4 gap-y-1 md:h-[30px] md:items-center">
            <legend className="label mb-1">The key may</legend>
            {SCOPES.map(([scope, word, says]) => (
              <label key={scope} className="flex items-center gap-1.5" title={says}>
                <input type="checkbox" className="accent-(--up)" checked={scopes.includes(scope)} disabled={scope === "read"}
                  onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))} />{word}
              </label>
            ))}
          </fieldset>
          <button type="submit" className="button button-main h-[30px]" disabled={name.trim() === "" || register.isPending}>Make a key</button>
          {register.error !== null && (
            <p role="alert" className="text-stop-text md:col-span-4">{wordsOf(register.error)}{register.error instanceof RequestRefused && register.error.problem.accepted ? ` Accepted: ${register.error.problem.accepted}.` : ""}</p>
          )}
        </form>
      ) : (
        <div className="flex flex-col gap-3">
          <p className="text-muted"><strong className="font-semibold text-text">{issued.agent}</strong> has a key. It is shown this once; the deck keeps only its hash.</p>
          <div className="flex items-center gap-2"><code className="field flex min-w-0 items-center overflow-x-auto font-mono text-xs whitespace-nowrap" tabIndex={0} aria-label="Key">{issued.key}</code><Copy text={issued.key} what="the key" /></div>
          <div className="flex flex-wrap items-center gap-2">
            <Choice<Client> label="How to connect" value={client} choose={setClient} options={[["claude", "Claude Code"], ["python", "Python"], ["curl", "curl"]]} />
            <span className="text-xs text-faint">{client === "claude" ? "paste into a terminal; then ask for its briefing" : "asks for the agent's briefing"}</span>
          </div>
          <div className="flex items-center gap-2"><code className="min-w-0 flex-1 overflow-x-auto rounded-md border border-line-strong bg-ground px-2.5 py-2 font-mono text-xs whitespace-pre" tabIndex={0} aria-label="Line to paste">{lineFor(client, issued.key)}</code><Copy text={lineFor(client, issued.key)} what="the line" /></div>
          <button type="button" className="button w-fit" onClick={() => {
            register.reset();
            setName("");
          }}>I have kept it</button>
        </div>
      )}
    </Panel>
  );
}
