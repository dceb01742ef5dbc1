// One WebSocket for the whole page: subscribe, check sequence numbers, reconnect.

export type Topic = "overview" | "market" | "equity" | "events";
export const TOPICS: ReadonlyArray<Topic> = ["overview", "market", "equity", "events"];

export type Incoming =
  | { readonly type: "snapshot" | "delta"; readonly topic: Topic; readonly seq: number; readonly data: unknown }
  | { readonly type: "ping" }
  | { readonly type: "error"; readonly code: string; readonly detail: string };

export interface Listener {
  heard(message: Incoming & { readonly topic: Topic }): void;
  connected(): void;
  disconnected(): void;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
const SILENCE_MS = 25_000;
/** The deck closes with this when events were missed: begin anew. */
const RESYNC = 4408;

export class Socket {
  private socket: WebSocket | null = null;
  private sequence = new Map<Topic, number>();
  /** The last event's number on the line before this one: what follows it is asked for. */
  private resume: number | null = null;
  private failures = 0;
  private retry: number | undefined;
  private watch: number | undefined;
  private closed = false;

  constructor(private readonly listener: Listener) {}

  open(): void {
    this.closed = false;
    this.connect();
    document.addEventListener("visibilitychange", this.sayVisibility);
    window.addEventListener("online", this.hurry);
  }

  close(): void {
    this.closed = true;
    document.removeEventListener("visibilitychange", this.sayVisibility);
    window.removeEventListener("online", this.hurry);
    window.clearTimeout(this.retry);
    window.clearTimeout(this.watch);
    this.socket?.close();
  }

  private readonly hurry = (): void => {
    if (this.socket !== null || this.closed) return;
    this.failures = 0;
    window.clearTimeout(this.retry);
    this.connect();
  };

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.socket = socket;
    this.listenForSilence();
    socket.onopen = () => {
      this.failures = 0;
      if (this.resume !== null) this.sequence.set("events", this.resume);
      this.send({ op: "subscribe", topics: TOPICS, ...(this.resume === null ? {} : { since: { events: this.resume } }) });
      if (document.hidden) this.sayVisibility();
      this.listener.connected();
    };
    socket.onmessage = (event: MessageEvent<string>) => this.receive(event.data);
    socket.onclose = (event) => this.lost(socket, event.code === RESYNC);
  }

  private lost(socket: WebSocket, missed: boolean): void {
    if (this.socket !== socket) return;
    this.socket = null;
    this.resume = missed ? null : (this.sequence.get("events") ?? this.resume);
    this.sequence.clear();
    window.clearTimeout(this.watch);
    if (this.closed) return;
    this.listener.disconnected();
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.failures += 1;
    // Half fixed, half random: many tabs must not come back in the same instant.
    this.retry = window.setTimeout(() => this.connect(), longest / 2 + Math.random() * (longest / 2));
  }

  private receive(text: string): void {
    this.listenForSilence();
    const message = JSON.parse(text) as Incoming;
    if (message.type === "ping" || message.type === "error") return;
    const last = this.sequence.get(message.topic);
    if (message.type === "delta" && last === undefined) return;
    if (message.type === "delta" && message.seq !== (last ?? 0) + 1) {
      this.sequence.delete(message.topic);
      this.send({ op: "unsubscribe", topics: [message.topic] });
      this.send({ op: "subscribe", topics: [message.topic] });
      return;
    }
    this.sequence.set(message.topic, message.seq);
    this.listener.heard(message);
  }

  private send(body: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(body));
  }

  private readonly sayVisibility = (): void => {
    this.send({ op: "visibility", visible: !document.hidden });
  };

  /** The deck pings every 10 s; a line that stays silent much longer is dead. */
  private listenForSilence(): void {
    window.clearTimeout(this.watch);
    this.watch = window.setTimeout(() => {
      const socket = this.socket;
      socket?.close();
      if (socket) this.lost(socket, false);
    }, SILENCE_MS);
  }
}
