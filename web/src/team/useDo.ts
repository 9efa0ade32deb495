// One request of the team's page, then the page is read anew and a toast says what was done.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { change, Refusal } from "../api/client";
import type { TeamAction } from "../api/types";
import { toast } from "../shell/kept";

/** `act` does an action; `user` stands for `{user}` in its path. */
export function useDo(): { busy: boolean; act: (action: TeamAction, user?: string) => Promise<void> } {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const act = useCallback(
    async (action: TeamAction, user = ""): Promise<void> => {
      setBusy(true);
      try {
        const answer = await change<{ readonly address?: string } | undefined>(
          action.method,
          action.path.replace("{user}", encodeURIComponent(user)),
          action.body ?? undefined,
        );
        if (action.leads && answer?.address) {
          location.assign(answer.address);
          return;
        }
        toast({ text: `Done: ${action.words.toLowerCase()}` });
      } catch (error) {
        const refused = error instanceof Refusal ? error : new Refusal(0, String(error), "");
        toast({ text: refused.message, fix: refused.fix, bad: true });
      } finally {
        setBusy(false);
        await client.refetchQueries({ queryKey: ["team"] }, { throwOnError: false });
      }
    },
    [client],
  );
  return { busy, act };
}
