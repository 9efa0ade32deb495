// Asking for a change of a plan: one request; a refusal stays on the page, at the table.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { ask as asked, buildPath, type Refusal, refusalOf } from "../api/client";
import { ofBuild } from "../api/queries";
import { announce, toast } from "../shell/kept";

export interface Change {
  /** The last part of the path, such as `merge`. */
  readonly part: string;
  readonly body: object;
  readonly done: string;
}

export interface Changing {
  readonly busy: boolean;
  readonly refused: Refusal | null;
  /** Whether it was done. */
  readonly ask: (change: Change) => Promise<boolean>;
  readonly forget: () => void;
}

export function useChange(build: string): Changing {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const ask = useCallback(
    async (change: Change): Promise<boolean> => {
      setBusy(true);
      setRefused(null);
      try {
        await asked(buildPath(build, `/${change.part}`), change.body);
        toast({ text: change.done });
        return true;
      } catch (error) {
        const why = refusalOf(error);
        setRefused(why);
        announce(`${why.message} ${why.fix}`);
        return false;
      } finally {
        setBusy(false);
        await client.refetchQueries({ queryKey: ofBuild(build), type: "active" }, { throwOnError: false });
      }
    },
    [build, client],
  );
  const forget = useCallback(() => setRefused(null), []);
  return { busy, refused, ask, forget };
}
