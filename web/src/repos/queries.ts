// What the page of repositories reads, and what it asks for.
import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { ask, Refusal, read } from "../api/client";
import type { Audit, AuditPage, Connected, Repositories } from "../api/types";
import { toast } from "../shell/kept";

const OPEN_MS = 1_000;
const IDLE_MS = 10_000;
/** With news: for what another server of a cluster does, which is not heard of. */
const LIVE_MS = 30_000;
const place = (id: string, part = "") => `/repos/${encodeURIComponent(id)}${part}`;

/** What news of an audit makes old: not what was found at GitHub. */
export const ofRepositories = {
  queryKey: ["repos"],
  type: "active",
  predicate: ({ queryKey }: { readonly queryKey: readonly unknown[] }) => queryKey[1] !== "found",
} as const;

const isOpen = (one: Audit) => one.status === "queued" || one.status === "running";

export const connected = (live = false) =>
  queryOptions({
    queryKey: ["repos", "connected"],
    queryFn: ({ signal }) => read<{ readonly items: readonly Connected[] }>("/repos/connected", signal),
    refetchInterval: live ? LIVE_MS : IDLE_MS,
  });

export const repositories = (search: string) =>
  queryOptions({
    queryKey: ["repos", "found", search],
    queryFn: ({ signal }) =>
      read<Repositories>(`/repos?limit=20&search=${encodeURIComponent(search)}`, signal),
    staleTime: 60_000,
  });

export const audits = (id: string, branch: string, live: boolean) =>
  queryOptions({
    queryKey: ["repos", id, "audits", branch],
    queryFn: ({ signal }) =>
      read<AuditPage>(place(id, `/audits?limit=30&branch=${encodeURIComponent(branch)}`), signal),
    refetchInterval: (query) => (live ? LIVE_MS : query.state.data?.items.some(isOpen) ? OPEN_MS : IDLE_MS),
  });

export const audit = (id: string, name: string, live: boolean) =>
  queryOptions({
    queryKey: ["repos", id, "audit", name],
    queryFn: ({ signal }) => read<Audit>(place(id, `/audits/${encodeURIComponent(name)}`), signal),
    refetchInterval: (query) =>
      query.state.data && isOpen(query.state.data) ? (live ? LIVE_MS : OPEN_MS) : false,
  });

/** `busy` is what is being asked for, "" for nothing. */
export function useConnecting(): {
  readonly busy: string;
  readonly connect: (name: string) => void;
  readonly disconnect: (one: Connected) => void;
} {
  const client = useQueryClient();
  const [busy, setBusy] = useState("");
  const asked = useCallback(
    async (what: string, path: string, body: object | undefined, done: string) => {
      setBusy(what);
      try {
        const answer = await ask<{ readonly note?: string }>(path, body);
        toast({ text: answer.note ? `${done} ${answer.note}` : done });
      } catch (error) {
        const refused = error instanceof Refusal ? error : new Refusal(0, String(error), "");
        toast({ text: refused.message, fix: refused.fix, bad: true });
      } finally {
        setBusy("");
        await client.refetchQueries({ queryKey: ["repos"], type: "active" }, { throwOnError: false });
      }
    },
    [client],
  );
  return {
    busy,
    connect: (name) => void asked(name, "/repos/connect", { name }, `${name} is connected.`),
    disconnect: (one) =>
      void asked(one.name, place(one.id, "/disconnect"), undefined, `${one.name} is disconnected.`),
  };
}
