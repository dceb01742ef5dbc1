// The REST side: plain fetch, problem documents as errors.

const BASE = "/api/v1";
const TIMEOUT_MS = 15_000;

export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string | null;
  readonly field: string | null;
  readonly accepted: string | null;
}

/** The deck answered with a refusal or an error. */
export class RequestRefused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "RequestRefused";
  }
}

/** The deck did not answer at all. */
export class Unreachable extends Error {
  constructor(why: string) {
    super(why);
    this.name = "Unreachable";
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  let body: Partial<Problem> = {};
  if ((answer.headers.get("content-type") ?? "").includes("json")) {
    body = (await answer.json().catch(() => ({}))) as Partial<Problem>;
  }
  return {
    title: body.title ?? answer.statusText,
    status: answer.status,
    detail: body.detail ?? "",
    code: body.code ?? null,
    field: body.field ?? null,
    accepted: body.accepted ?? null,
  };
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(BASE + path, {
      method,
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: body === undefined ? { accept: "application/json" } : { accept: "application/json", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Unreachable(error instanceof DOMException && error.name === "TimeoutError" ? "The deck did not answer in time." : "The deck cannot be reached.");
  }
  if (!answer.ok) throw new RequestRefused(await problemOf(answer));
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

export const rest = {
  get: <T>(path: string) => ask<T>("GET", path),
  post: <T>(path: string, body: unknown = {}) => ask<T>("POST", path, body),
  remove: <T>(path: string) => ask<T>("DELETE", path, {}),
};

/** A key that makes a repeated command harmless. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof RequestRefused && error.problem.status === 401;
}

/** A path with its query; undefined and null parts are left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | null | undefined>>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `${path}?${text}` : path;
}
