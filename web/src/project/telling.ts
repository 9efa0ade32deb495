// One message to the interviewer, and its reply while it is written.
import { projectPath, Refusal, refusalIn } from "../api/client";
import type { Interview } from "../api/types";
import type { Dropped } from "./SpecBox";

export interface Message {
  readonly message: string;
  readonly material?: readonly Dropped[];
}

/** Something that the server says while it answers: the name of the event and its data, as JSON. */
export interface Heard {
  readonly kind: string;
  readonly data: string;
}

/** The whole events at the beginning of a text, and what is left of it. */
export function heardIn(text: string): { readonly events: readonly Heard[]; readonly rest: string } {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks.filter(Boolean).map((block) => {
    const lines = block.split("\n");
    const of = (name: string) =>
      lines
        .filter((line) => line.startsWith(`${name}: `))
        .map((line) => line.slice(name.length + 2))
        .join("\n");
    return { kind: of("event"), data: of("data") };
  });
  return { events, rest };
}

/** Tell the interviewer something; `onReply` is given the reply so far, again and again. Throws `Refusal`. */
export async function tell(
  project: string,
  said: Message,
  onReply: (text: string) => void,
  signal: AbortSignal,
): Promise<Interview> {
  const answer = await fetch(projectPath(project, "/questionnaire"), {
    method: "POST",
    body: JSON.stringify(said),
    headers: { "Content-Type": "application/json", Accept: "text/event-stream", Prefer: "fix=commands" },
    signal,
  });
  if (!answer.ok || !answer.body) throw refusalIn(answer.status, await answer.text());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let [text, reply] = ["", ""];
  for (;;) {
    const { value, done } = await reader.read();
    const { events, rest } = heardIn(text + (value ?? ""));
    text = rest;
    for (const { kind, data } of events) {
      if (kind === "state") return JSON.parse(data) as Interview;
      if (kind === "problem") throw refusalIn((JSON.parse(data) as { status: number }).status, data);
      const piece = JSON.parse(data) as { text: string; again: boolean };
      reply = piece.again ? piece.text : reply + piece.text;
      onReply(reply);
    }
    if (done) throw new Refusal(0, "The reply was cut off.", "Your answers are kept: go on.");
  }
}
