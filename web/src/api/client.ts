// Requests to the server that these pages come from. Refusals become `Refusal`, which people can read.

/** A refusal of the server: what happened, and the one thing to do. `status` 0 means that no answer came. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fix: string,
  ) {
    super(message);
    this.name = "Refusal";
  }
}

const AWAY = "The server does not answer.";

async function answered<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    // `fix` then names commands, which the pages show.
    answer = await fetch(path, {
      ...init,
      headers: { Accept: "application/json", Prefer: "fix=commands", ...init.headers },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, AWAY, "See whether it runs: buildwright health");
  }
  const text = await answer.text();
  if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
  throw refusalIn(answer.status, text);
}

export function refusalIn(status: number, text: string): Refusal {
  try {
    const said = JSON.parse(text) as { detail?: unknown; title?: unknown; fix?: unknown };
    return new Refusal(status, String(said.detail ?? said.title ?? AWAY), String(said.fix ?? ""));
  } catch {
    return new Refusal(status, `The server answered with ${status}.`, "Try again.");
  }
}

/** Read a path. Throws `Refusal`. */
export function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answered<T>(path, signal ? { signal } : {});
}

/** Ask for something to be done. Throws `Refusal`. */
export function ask<T>(path: string, body: unknown = undefined): Promise<T> {
  return change<T>("POST", path, body);
}

/** Ask for a change by another method than POST. Throws `Refusal`. */
export function change<T>(method: string, path: string, body: unknown = undefined): Promise<T> {
  if (body === undefined) return answered<T>(path, { method });
  const headers = { "Content-Type": "application/json" };
  return answered<T>(path, { method, body: JSON.stringify(body), headers });
}

/** Put something in the place of what is there. Throws `Refusal`. */
export function put<T>(path: string, body: unknown, version = ""): Promise<T> {
  const headers = { "Content-Type": "application/json", ...(version && { "If-Match": version }) };
  return answered<T>(path, { method: "PUT", body: JSON.stringify(body), headers });
}

/** What went wrong, as people read it. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(0, String(error), "");
}

/** The path of a project, or of a part of it. */
export function projectPath(id: string, part = ""): string {
  return `/projects/${encodeURIComponent(id)}${part}`;
}

/** The path of a build, or of a part of it. */
export function buildPath(id: string, part = ""): string {
  return `/api/builds/${encodeURIComponent(id)}${part}`;
}
