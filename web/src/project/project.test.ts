import { http } from "msw";
import { expect, test } from "vitest";
import { served, server } from "../testing/server";
import { requestOf } from "./BuildForm";
import { textsOf } from "./SpecBox";
import { heardIn, tell } from "./telling";

served();

const PATH = "http://127.0.0.1:8321/projects/p1/questionnaire";

test("events are taken as they are whole, and the rest waits", () => {
  const first = heardIn('event: reply\ndata: {"text": "He"}\n\nevent: re');
  expect(first.events).toEqual([{ kind: "reply", data: '{"text": "He"}' }]);
  expect(heardIn(`${first.rest}ply\ndata: 1\n\n`)).toEqual({
    events: [{ kind: "reply", data: "1" }],
    rest: "",
  });
  expect(heardIn("")).toEqual({ events: [], rest: "" });
});

function answering(text: string): void {
  server.use(http.post(PATH, () => new Response(text, { headers: { "Content-Type": "text/event-stream" } })));
}

test("a reply grows, may begin again, and ends with the interview", async () => {
  const piece = (text: string, again: boolean) =>
    `event: reply\ndata: ${JSON.stringify({ text, again })}\n\n`;
  answering(
    `${piece("Hel", true)}${piece("lo", false)}${piece("Anew", true)}event: state\ndata: {"name": "wc"}\n\n`,
  );
  const replies: string[] = [];
  const way = new AbortController();
  const after = await tell("p1", { message: "x" }, (text) => replies.push(text), way.signal);
  expect(replies).toEqual(["Hel", "Hello", "Anew"]);
  expect(after.name).toBe("wc");
});

test("a problem in the stream is a refusal, and so is a stream that is cut", async () => {
  const way = new AbortController();
  answering('event: problem\ndata: {"status": 502, "detail": "no model", "fix": "set a key"}\n\n');
  await expect(tell("p1", { message: "x" }, () => {}, way.signal)).rejects.toMatchObject({
    status: 502,
    message: "no model",
    fix: "set a key",
  });
  answering("event: reply\n");
  await expect(tell("p1", { message: "x" }, () => {}, way.signal)).rejects.toMatchObject({ status: 0 });
});

test("a build is asked for with what was said, and no more", () => {
  const wish = {
    agent: "direct",
    command: "x",
    budget: "",
    checks: "",
    deliver: "" as const,
    approve: true,
    anyBase: false,
  };
  expect(requestOf(wish, null)).toEqual({ options: { agent: "direct", approve_plan: true } });
  expect(
    requestOf(
      { ...wish, agent: "shell", budget: "2.50", checks: "\n make test \n\n", deliver: "pr", anyBase: true },
      { kind: "local_path", ref: " /home/ann/x " },
    ),
  ).toEqual({
    target_type: "local_path",
    target_ref: "/home/ann/x",
    options: {
      agent: "shell",
      agent_command: "x",
      limits: { budget_usd: "2.50" },
      checks: [{ name: "make test", command: "make test" }],
      accept_base: true,
      delivery: { kind: "pr" },
      approve_plan: true,
    },
  });
});

test("files that are dropped are read, and one that is too large is named", async () => {
  expect(await textsOf([new File(["# Hi"], "a.md")])).toEqual([{ path: "a.md", text: "# Hi" }]);
  const large = { name: "large.md", size: 10_000_000, text: async () => "" } as unknown as File;
  await expect(textsOf([large])).rejects.toThrow("large.md");
});
