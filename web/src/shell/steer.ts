// Steering a build from a page: one request, then the page is read anew and a toast says what was done.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { ask, buildPath, Refusal } from "../api/client";
import { ofBuild } from "../api/queries";
import { forgetUndo, toast } from "./kept";

export interface Steering {
  /** The last part of the path, such as `pause`. */
  readonly part: string;
  readonly body?: object | undefined;
  /** What to say when it is done. */
  readonly done: string;
  readonly undo?: Steering | undefined;
}

export const STOP_DELIVERY = {
  title: "Stop the delivery",
  what: { part: "stop?wait_seconds=0", body: {}, done: "The delivery is being stopped." },
} as const;

/** `busy` is the part that is being asked for, "" for none. `steer` tells whether it was done. */
export function useSteer(id: string): { busy: string; steer: (what: Steering) => Promise<boolean> } {
  const client = useQueryClient();
  const [busy, setBusy] = useState("");
  const steer = useCallback(
    async (what: Steering): Promise<boolean> => {
      setBusy(what.part);
      try {
        await ask(buildPath(id, `/${what.part}`), what.body);
        const { undo } = what;
        forgetUndo(id);
        toast({ text: what.done, about: id, ...(undo && { undo: () => void steer(undo) }) });
        return true;
      } catch (error) {
        const refused = error instanceof Refusal ? error : new Refusal(0, String(error), "");
        toast({ text: refused.message, fix: refused.fix, bad: true });
        return false;
      } finally {
        setBusy("");
        await client.refetchQueries({ queryKey: ofBuild(id), type: "active" }, { throwOnError: false });
      }
    },
    [client, id],
  );
  return { busy, steer };
}
