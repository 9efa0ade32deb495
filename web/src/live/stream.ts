// The stream of one build over one WebSocket: it resumes after every cut, drops what came twice, and hands on what
// came in batches, once for each frame of the screen. It knows no page.
import type { Frame, Line } from "../api/types";
import { waitBefore } from "./backoff";
import { Lines } from "./lines";

export type Link = "connecting" | "live" | "polling" | "ended" | "signed-out" | "refused";

export interface StreamState {
  readonly link: Link;
  /** When the last frame came, in milliseconds since 1970; 0 before the first. */
  readonly heardAt: number;
  /** Why it was refused, "" otherwise. */
  readonly why: string;
  /** Counts changes of the log. */
  readonly lines: number;
}

export interface StreamHooks {
  /** Events have happened: what is known of the build is old. `resync` says that nothing known counts any more. */
  readonly onNews: (resync: boolean) => void;
  readonly socket?: (address: string) => WebSocket;
  readonly now?: () => number;
  readonly onFrame?: (flush: () => void) => void;
}

const WATCHDOG_MS = 10_000;
const PING_MS = 15_000;
export const POLL_MS = 2_000;
const HIDDEN_MS = 500;
/** With so many lines at once there are more behind them: drawing each frame of them would keep the rest waiting. */
const MANY_LINES = 200;
const FLOOD_MS = 100;
/** Of a log these lines come at once, the newest; older ones when they are scrolled to, or all when it is searched. */
const NEWEST_LINES = 1_000;
/** Tries without a connection after which the pages ask again and again instead. */
const TRIES_BEFORE_POLLING = 2;
const FINAL: Record<number, Link> = {
  1000: "ended",
  4401: "signed-out",
  4400: "refused",
  4403: "refused",
  4404: "refused",
};

export class BuildStream {
  readonly log = new Lines();
  #state: StreamState = { link: "connecting", heardAt: 0, why: "", lines: 0 };
  #hooks: Required<StreamHooks>;
  #listeners = new Set<() => void>();
  #socket: WebSocket | undefined;
  #timers: Record<"retry" | "dog" | "ping" | "poll", ReturnType<typeof setTimeout> | undefined>;
  #waiting: Frame[] = [];
  #flushing = false;
  #floods = false;
  #wantsLog = false;
  /** Where the stream stands; with the log on, where both stand. */
  #cursor = "";
  #logCursor = "";
  /** Whether all of the log is wanted, from its first line on. */
  #whole = false;
  /** What the connection was last asked for: by its address, or by a subscription. */
  #askedFor = "";
  /** A subscription was asked for, and frames of the one before may still come. */
  #awaits = false;
  #seen = 0;
  #tries = 0;
  #closed = true;

  constructor(
    readonly build: string,
    hooks: StreamHooks,
  ) {
    this.#timers = { retry: undefined, dog: undefined, ping: undefined, poll: undefined };
    this.#hooks = {
      socket: (address) => new WebSocket(address),
      now: Date.now,
      onFrame: onNextFrame,
      ...hooks,
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): StreamState => this.#state;

  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    document.addEventListener("visibilitychange", this.#wake);
    window.addEventListener("online", this.#wake);
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#wake);
    window.removeEventListener("online", this.#wake);
    for (const name of ["retry", "dog", "ping", "poll"] as const) this.#stop(name);
    this.#drop();
  }

  /** Ask for the lines of the log too, or no more. */
  wantLog(wanted: boolean): void {
    if (wanted === this.#wantsLog) return;
    this.#wantsLog = wanted;
    if (this.#state.link === "ended" && wanted && this.log.loaded === 0) this.#connect();
    this.#subscribe();
  }

  /** Ask for all lines of the log that this tab does not have. */
  wantWholeLog(): void {
    if (this.#whole || this.log.isWhole) return;
    this.#whole = true;
    this.#logCursor = "start";
    if (this.#state.link === "ended") this.#connect();
    else this.#subscribe();
  }

  /** Take older lines that were read by themselves: all that there are behind the number `after`, up to a limit. */
  takeLines(lines: readonly Line[], after: number): void {
    const before = this.log.version;
    const first = lines[0]?.seq ?? this.log.last + 1;
    if (first > after + 1) this.log.span(first, this.log.last);
    this.log.add(lines);
    if (this.log.version !== before) this.#set({ lines: this.log.version });
  }

  #subscribe(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#awaits = true;
    this.#askedFor = JSON.stringify(this.#wanted());
    this.#send({ type: "subscribe", payload: this.#wanted() });
  }

  #wanted(): { topics: string[]; after?: string; last?: number } {
    return { topics: this.#topics(), ...this.#start() };
  }

  /** From where the log is wanted: where it was, or with its newest lines. */
  #start(): { after?: string; last?: number } {
    if (!this.#wantsLog) return {};
    return this.#logCursor ? { after: this.#logCursor } : { last: NEWEST_LINES };
  }

  #topics(): string[] {
    return this.#wantsLog ? ["events", "log"] : ["events"];
  }

  #connect(): void {
    this.#stop("retry");
    this.#drop();
    this.#awaits = false;
    this.#askedFor = JSON.stringify(this.#wanted());
    const { after = this.#cursor, last } = this.#start();
    const query = new URLSearchParams({ build: this.build, topics: this.#topics().join(",") });
    if (after) query.set("after", after);
    if (last) query.set("last", String(last));
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.#hooks.socket(`${scheme}://${location.host}/ws/devteam?${query}`);
    this.#socket = socket;
    socket.onmessage = (message) => this.#socket === socket && this.#heard(String(message.data));
    socket.onclose = (event) => this.#socket === socket && this.#lost(event.code, event.reason);
    this.#arm();
    if (this.#state.link !== "polling") this.#set({ link: "connecting" });
  }

  /** Let go of a connection without waiting for it. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close();
  }

  #heard(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    this.#stop("dog");
    this.#waiting.push(frame);
    if (this.#flushing) return;
    this.#flushing = true;
    const next = () => this.#hooks.onFrame(() => this.#flush());
    if (this.#floods) setTimeout(next, FLOOD_MS);
    else next();
  }

  #flush(): void {
    this.#flushing = false;
    const frames = this.#waiting;
    this.#waiting = [];
    if (this.#closed) return;
    let news = false;
    let resync = false;
    const lines: Line[] = [];
    for (const { type, payload } of frames) {
      if (type === "hello" || type === "subscribed") {
        this.#awaits &&= type === "hello";
        // The address may have the beginning of the id only; the stream is of this one build.
        const [oldest] = Object.values(payload.oldest ?? {});
        const [head] = Object.values(payload.head ?? {});
        this.log.span(oldest?.line ?? 0, head?.line ?? 0);
        resync = this.#greeted(payload.resume ?? "live") || resync;
        // A page has asked for more since this connection was begun.
        if (type === "hello" && this.#askedFor !== JSON.stringify(this.#wanted())) this.#subscribe();
        news ||= type === "hello";
      } else if (type === "execution-update" && (payload.seq ?? 0) > this.#seen) {
        this.#seen = payload.seq ?? 0;
        news = true;
      } else if (type === "execution-log") {
        lines.push(...(payload.lines ?? []));
      }
      const place = type === "reset" ? payload.after : payload.cursor;
      if (place) {
        this.#cursor = place;
        if (this.#wantsLog && !this.#awaits && type !== "hello" && type !== "subscribed")
          this.#logCursor = place;
      }
    }
    this.#floods = lines.length >= MANY_LINES;
    this.log.add(lines);
    this.#set({ heardAt: this.#hooks.now(), lines: this.log.version });
    if (news || resync) this.#hooks.onNews(resync);
  }

  /** The answer to a connection: nothing was missed, what was missed follows, or all has to be read anew. */
  #greeted(resume: string): boolean {
    this.#tries = 0;
    this.#stop("poll");
    this.#set({ link: "live", why: "" });
    this.#ping();
    if (resume !== "reset") return false;
    this.#seen = 0;
    this.#logCursor = this.#whole ? "start" : "";
    this.log.clear();
    if (this.#wantsLog) this.#subscribe();
    return true;
  }

  #lost(code: number, reason: string): void {
    this.#stop("dog");
    this.#stop("ping");
    if (this.#waiting.length) this.#flush();
    this.#socket = undefined;
    const final = FINAL[code];
    if (final) {
      this.#stop("poll");
      this.#set({ link: final, why: final === "refused" ? reason : "" });
      this.#hooks.onNews(false);
      return;
    }
    this.#again();
  }

  #again(): void {
    this.#tries += 1;
    const polls = this.#tries > TRIES_BEFORE_POLLING;
    this.#set({ link: polls ? "polling" : "connecting" });
    if (polls && this.#timers.poll === undefined) this.#poll();
    this.#stop("retry");
    this.#timers.retry = setTimeout(() => this.#connect(), waitBefore(this.#tries));
  }

  #poll(): void {
    this.#hooks.onNews(false);
    this.#timers.poll = setTimeout(() => this.#poll(), POLL_MS);
  }

  /** Give up a connection on which nothing comes. */
  #arm(): void {
    this.#stop("dog");
    this.#timers.dog = setTimeout(() => {
      this.#drop();
      this.#again();
    }, WATCHDOG_MS);
  }

  #ping(): void {
    this.#stop("ping");
    this.#timers.ping = setTimeout(() => {
      this.#send({ type: "ping" });
      this.#arm();
      this.#ping();
    }, PING_MS);
  }

  /** The tab is looked at again, or the network is back: see at once whether the connection still stands. */
  readonly #wake = (): void => {
    if (document.visibilityState === "hidden" || this.#closed) return;
    if (this.#timers.retry !== undefined) this.#connect();
    else if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#send({ type: "ping" });
      this.#arm();
    }
  };

  #send(frame: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #stop(name: "retry" | "dog" | "ping" | "poll"): void {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = undefined;
  }

  #set(change: Partial<StreamState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Once for each frame of the screen; a tab that nobody sees has none. */
function onNextFrame(flush: () => void): void {
  if (document.visibilityState === "hidden") setTimeout(flush, HIDDEN_MS);
  else requestAnimationFrame(flush);
}
