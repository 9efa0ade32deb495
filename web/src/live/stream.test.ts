import { ws } from "msw";
import { afterEach, expect, test, vi } from "vitest";
import { served, server } from "../testing/server";
import { BuildStream } from "./stream";

served();

const link = ws.link(/^ws:\/\/127\.0\.0\.1:8321\/ws\/devteam/);
type Client = Parameters<Parameters<typeof link.addEventListener>[1]>[0]["client"];

interface Met {
  /** Addresses that were opened, in order. */
  readonly asked: URLSearchParams[];
  readonly said: Record<string, unknown>[];
  readonly clients: Client[];
}

const open: BuildStream[] = [];
afterEach(() => {
  for (const stream of open.splice(0)) stream.close();
});

/** A server whose answer to each new connection is `greet`. */
function meeting(greet: (client: Client, number: number) => void): Met {
  const met: Met = { asked: [], said: [], clients: [] };
  server.use(
    link.addEventListener("connection", ({ client }) => {
      met.asked.push(client.url.searchParams);
      met.clients.push(client);
      client.addEventListener("message", (event) => met.said.push(JSON.parse(String(event.data))));
      greet(client, met.clients.length);
    }),
  );
  return met;
}

function stream() {
  const news: boolean[] = [];
  const made = new BuildStream("3fa9", {
    onNews: (resync) => news.push(resync),
    onFrame: (flush) => setTimeout(flush, 0),
  });
  open.push(made);
  return { made, news };
}

const frame = (type: string, payload: object) =>
  JSON.stringify({ type, ts: "2026-01-01T00:00:00Z", projectId: "p", payload });
const hello = (resume: string, cursor: string) => frame("hello", { resume, cursor });
const event = (seq: number) => frame("execution-update", { seq, event: "task.started", cursor: `e${seq}` });
const lines = (...seqs: number[]) =>
  frame("execution-log", {
    cursor: `l${seqs.at(-1)}`,
    lines: seqs.map((seq) => ({
      seq,
      ts: "2026-01-01T00:00:00Z",
      task: "a",
      attempt: 1,
      kind: "agent",
      level: "info",
      text: `${seq}`,
    })),
  });

test("after a cut it goes on where it was, and what comes twice counts once", async () => {
  const met = meeting((client, number) => {
    client.send(hello(number === 1 ? "live" : "replay", number === 1 ? "c0" : "l3"));
    if (number === 1) {
      for (const text of [event(1), lines(1, 2, 3)]) client.send(text);
      setTimeout(() => client.close(1011, "the store does not answer"), 20);
    } else for (const text of [lines(2, 3, 4), event(1), event(2)]) client.send(text);
  });
  const { made } = stream();
  made.wantLog(true);
  made.open();
  await vi.waitFor(() => expect(made.log.all.map((line) => line?.seq)).toEqual([1, 2, 3, 4]), 5_000);
  expect(met.asked.map((query) => [query.get("after"), query.get("last")])).toEqual([
    [null, "1000"],
    ["l3", null],
  ]);
  expect(met.asked[1]?.get("build")).toBe("3fa9");
  expect(made.state().link).toBe("live");
});

test("when the server cannot replay, everything is read anew", async () => {
  const met = meeting((client, number) => {
    client.send(hello(number === 1 ? "live" : "reset", "new"));
    if (number === 1) {
      client.send(lines(7, 8));
      setTimeout(() => client.close(1001, "the server ends"), 20);
    }
    client.addEventListener("message", () => client.send(lines(1)));
  });
  const { made, news } = stream();
  made.wantLog(true);
  made.open();
  await vi.waitFor(() => expect(made.log.all.map((line) => line?.seq)).toEqual([1]), 5_000);
  expect(news.at(-1) || news.includes(true)).toBe(true);
  expect(met.said).toContainEqual({
    type: "subscribe",
    payload: { topics: ["events", "log"], last: 1_000 },
  });
});

test("a client that was too slow comes back with the cursor of the reset", async () => {
  const met = meeting((client, number) => {
    client.send(hello("live", "c0"));
    if (number > 1) return;
    client.send(frame("reset", { after: "here", why: "slow" }));
    setTimeout(() => client.close(1013, "too slow"), 20);
  });
  const { made } = stream();
  made.open();
  await vi.waitFor(() => expect(met.asked).toHaveLength(2), 5_000);
  expect(met.asked[1]?.get("after")).toBe("here");
});

test("an ended build, a session that is over and a refusal are not tried again", async () => {
  for (const [code, expected] of [
    [1000, "ended"],
    [4401, "signed-out"],
    [4404, "refused"],
  ] as const) {
    server.resetHandlers();
    const met = meeting((client) => {
      client.send(hello("live", "c0"));
      client.close(code, "because");
    });
    const { made } = stream();
    made.open();
    await vi.waitFor(() => expect(made.state().link).toBe(expected), 5_000);
    await new Promise((done) => setTimeout(done, 1_600));
    expect(met.asked).toHaveLength(1);
  }
});

test("the log is asked for when a page shows it, its newest lines first, and the next time from where it was", async () => {
  const met = meeting((client) => {
    client.send(hello("live", "c0"));
    client.addEventListener("message", (message) => {
      const { topics, last } = JSON.parse(String(message.data)).payload;
      client.send(frame("subscribed", { resume: "live", cursor: "s" }));
      if (topics.includes("log") && last) client.send(lines(1, 2));
    });
  });
  const { made } = stream();
  made.open();
  await vi.waitFor(() => expect(made.state().link).toBe("live"));
  made.wantLog(true);
  await vi.waitFor(() => expect(made.log.last).toBe(2));
  made.wantLog(false);
  made.wantLog(true);
  await vi.waitFor(() => expect(met.said).toHaveLength(3));
  expect(met.said.map((one) => one.payload)).toEqual([
    { topics: ["events", "log"], last: 1_000 },
    { topics: ["events"] },
    { topics: ["events", "log"], after: "l2" },
  ]);
});

test("a log that is wanted while the connection is being made is asked for once it is there", async () => {
  for (const whole of [false, true]) {
    server.resetHandlers();
    const met = meeting((client) => {
      client.send(hello("live", "c0"));
      client.addEventListener("message", () => {
        client.send(frame("subscribed", { resume: "live", cursor: "s" }));
        client.send(lines(1, 2));
      });
    });
    const { made } = stream();
    if (whole) made.wantLog(true);
    made.open();
    if (whole) made.log.span(1, 9);
    if (whole) made.wantWholeLog();
    else made.wantLog(true);
    await vi.waitFor(() => expect(made.log.loaded).toBe(2));
    expect(met.said.map((one) => one.payload)).toEqual([
      { topics: ["events", "log"], ...(whole ? { after: "start" } : { last: 1_000 }) },
    ]);
  }
});

test("a log that is wanted before the greeting of an open connection is asked for once", async () => {
  const met = meeting((client) => {
    setTimeout(() => client.send(hello("live", "c0")), 60);
    client.addEventListener("message", () => {
      client.send(frame("subscribed", { resume: "live", cursor: "s" }));
      client.send(lines(1, 2));
    });
  });
  const { made } = stream();
  made.open();
  await vi.waitFor(() => expect(met.clients).toHaveLength(1));
  await new Promise((done) => setTimeout(done, 20));
  made.wantLog(true);
  await vi.waitFor(() => expect(made.log.loaded).toBe(2));
  await vi.waitFor(() => expect(made.state().link).toBe("live"));
  await new Promise((done) => setTimeout(done, 100));
  expect(met.said).toHaveLength(1);
});

test("a log that is no longer wanted is not sent on after a reset", async () => {
  const met = meeting((client) => {
    setTimeout(() => client.send(hello("reset", "c0")), 60);
    client.addEventListener("message", () =>
      client.send(frame("subscribed", { resume: "live", cursor: "s" })),
    );
  });
  const { made } = stream();
  made.wantLog(true);
  made.open();
  made.wantLog(false);
  await vi.waitFor(() => expect(met.said.map((one) => one.payload)).toEqual([{ topics: ["events"] }]));
});

test("older lines come when all of the log is wanted, also after a cut on the way", async () => {
  const places = { oldest: { "3fa9-whole": { line: 1 } }, head: { "3fa9-whole": { line: 6 } } };
  const met = meeting((client, number) => {
    client.send(frame("hello", { resume: "live", cursor: "c0", ...places }));
    if (number === 1) client.send(lines(5, 6));
    client.addEventListener("message", (message) => {
      if (JSON.parse(String(message.data)).payload.after !== "start") return;
      client.send(event(9)); // of the subscription before
      setTimeout(() => client.close(1011, "the store does not answer"), 20);
    });
    if (number === 2) client.send(lines(1, 2, 3, 4, 5, 6));
  });
  const { made } = stream();
  made.wantLog(true);
  made.open();
  await vi.waitFor(() => expect(made.log.loaded).toBe(2));
  expect([made.log.first, made.log.last, made.log.isWhole]).toEqual([1, 6, false]);
  made.wantWholeLog();
  await vi.waitFor(() => expect(made.log.isWhole).toBe(true), 5_000);
  expect(met.asked[1]?.get("after")).toBe("start");
  made.wantWholeLog();
  expect(met.said).toHaveLength(1);
});

test("many frames are handed on at once", async () => {
  meeting((client) => {
    client.send(hello("replay", "c0"));
    for (let seq = 1; seq <= 400; seq += 1) client.send(event(seq));
  });
  const flushes: (() => void)[] = [];
  let news = 0;
  const made = new BuildStream("3fa9", {
    onNews: () => (news += 1),
    onFrame: (flush) => flushes.push(flush),
  });
  open.push(made);
  made.open();
  await vi.waitFor(() => expect(flushes).toHaveLength(1));
  await new Promise((done) => setTimeout(done, 100));
  expect(flushes).toHaveLength(1);
  flushes[0]?.();
  expect(news).toBe(1);
});

test("of a long log a few frames of the screen show much each, and the end of it comes at once", () => {
  vi.useFakeTimers();
  try {
    const socket = new FakeSocket();
    const flushes: (() => void)[] = [];
    const made = new BuildStream("3fa9", {
      onNews: () => undefined,
      onFrame: (flush) => flushes.push(flush),
      socket: () => socket as unknown as WebSocket,
    });
    open.push(made);
    made.open();
    const comes = (from: number, many: number) =>
      socket.onmessage?.({ data: lines(...Array.from({ length: many }, (_, place) => from + place)) });
    comes(1, 250);
    expect(flushes).toHaveLength(1);
    flushes[0]?.();
    for (const from of [251, 501, 751]) comes(from, 250);
    expect(flushes).toHaveLength(1);
    vi.advanceTimersByTime(100);
    expect(flushes).toHaveLength(2);
    flushes[1]?.();
    expect(made.log.last).toBe(1000);
    comes(1001, 1);
    vi.advanceTimersByTime(100);
    flushes[2]?.();
    comes(1002, 1);
    expect(flushes).toHaveLength(4);
  } finally {
    vi.useRealTimers();
  }
});

class FakeSocket extends EventTarget {
  readyState = 0;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  close() {}
  send() {}
}

test("where no connection can be opened it asks again and again, and says so", async () => {
  vi.useFakeTimers();
  try {
    let news = 0;
    const sockets: FakeSocket[] = [];
    const made = new BuildStream("3fa9", {
      onNews: () => (news += 1),
      socket: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
    });
    made.open();
    await vi.advanceTimersByTimeAsync(10_000); // the first is silent, and given up
    expect(made.state().link).toBe("connecting");
    await vi.advanceTimersByTimeAsync(30_000);
    expect(made.state().link).toBe("polling");
    expect(sockets.length).toBeGreaterThanOrEqual(3);
    const before = news;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(news - before).toBe(3);
    made.close();
    const opened = sockets.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(opened);
  } finally {
    vi.useRealTimers();
  }
});
