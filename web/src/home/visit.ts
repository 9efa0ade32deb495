// When the user was here before, as this browser remembers it. A visit ends when nobody has looked for a while.
const KEY = "last-visit";
const APART_MS = 10 * 60_000;

interface Visit {
  /** Time of the server's answer when this visit began to be kept, and of the visit before. */
  readonly at: string;
  readonly before: string;
}

function kept(): Visit {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Visit>;
    return { at: found.at ?? "", before: found.before ?? "" };
  } catch {
    return { at: "", before: "" };
  }
}

/** The time to tell news from: of the last look in the visit before this one; "" for the first visit. */
export function newsSince(now: number): string {
  const { at, before } = kept();
  return at && now - new Date(at).getTime() > APART_MS ? at : before;
}

/** Remember that the page of this time was looked at. */
export function looked(asOf: string, since: string): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ at: asOf, before: since }));
  } catch {
    // a browser that keeps nothing shows no news
  }
}
