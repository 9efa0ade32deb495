// Which page an address is, and going there without a reload. Links are plain `a` elements: `App` follows them here.
import { useSyncExternalStore } from "react";

export type Place =
  | { readonly page: "home" | "new" | "spending" | "team" | "repositories" | "settings" }
  | { readonly page: "build" | BuildPart; readonly build: string }
  | { readonly page: "project" | ProjectPart; readonly project: string }
  | { readonly page: "nowhere" };

/** The pages of one build beside its overview. */
export type BuildPart = "plan" | "log" | "review" | "attempts" | "files" | "costs" | "complete";
/** The pages of one project beside its own. */
export type ProjectPart = "interview" | "contracts";

const BUILD = /^\/builds\/([A-Za-z0-9-]{1,64})(?:\/(plan|log|review|attempts|files|costs|complete))?$/;
const PROJECT = /^\/projects\/([A-Za-z0-9-]{1,64})(?:\/(interview|contracts))?$/;

export function placeOf(path: string): Place {
  if (path === "/") return { page: "home" };
  if (path === "/costs") return { page: "spending" };
  if (path === "/new" || path === "/team" || path === "/repositories" || path === "/settings") {
    return { page: path.slice(1) as "new" | "team" | "repositories" | "settings" };
  }
  const project = PROJECT.exec(path);
  if (project?.[1])
    return { page: (project[2] ?? "project") as "project" | ProjectPart, project: project[1] };
  const found = BUILD.exec(path);
  if (!found?.[1]) return { page: "nowhere" };
  return { page: (found[2] ?? "build") as "build" | BuildPart, build: found[1] };
}

export function projectAddress(id: string, part: "" | ProjectPart = ""): string {
  return `/projects/${encodeURIComponent(id)}${part && `/${part}`}`;
}

export function buildAddress(id: string, part: "" | BuildPart = ""): string {
  return `/builds/${encodeURIComponent(id)}${part && `/${part}`}`;
}

const listeners = new Set<() => void>();

function told(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

export function go(address: string, replace = false): void {
  if (address === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  told();
}

/** Change one part of the address after the `?`; "" takes it away. */
export function setQuery(name: string, value: string, replace = true): void {
  const query = new URLSearchParams(location.search);
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  go(location.pathname + (text && `?${text}`), replace);
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

export function useQueryValue(name: string): string {
  return useSyncExternalStore(subscribe, () => new URLSearchParams(location.search).get(name) ?? "");
}

/** Follow a click on a link of these pages; anything else is the browser's. */
export function followLink(event: MouseEvent): void {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (placeOf(link.pathname).page === "nowhere") return;
  // A place on this page: the browser leads there, and takes the focus along.
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}
