// Says how the page hears of news, and how old what it shows is.
import { useQueryClient } from "@tanstack/react-query";
import { ofBuild } from "../api/queries";
import { Icon, type Mark } from "../ui/Badge";
import { cx } from "../ui/cx";
import ui from "../ui/ui.module.css";
import { useTick } from "../ui/useTick";
import { age } from "../ui/words";
import { useStream, useStreamState } from "./LiveBuild";
import type { Link } from "./stream";

const WORDS: Record<Link, [string, Mark, string]> = {
  connecting: ["connecting", "busy", "amber"],
  live: ["live", "done", "green"],
  polling: ["asks every 2 s", "busy", "amber"],
  ended: ["complete", "done", "plain"],
  "signed-out": ["signed out", "failed", "red"],
  refused: ["refused", "failed", "red"],
};

export function LinkChip() {
  const { link, why } = useStreamState();
  const id = useStream().build;
  const at = useQueryClient().getQueryState([...ofBuild(id), "status"])?.dataUpdatedAt ?? 0;
  const now = useTick(link === "live" ? 1_000 : 200);
  const [words, mark, tone] = WORDS[link];
  const old = link === "live" || link === "ended" || !at ? "" : ` · shown: ${age(now - at)} old`;
  const title = why || (at ? `Read ${age(now - at)} ago` : "Nothing read yet");
  if (link === "signed-out") return <a href="/sign-in">Your session is over: sign in again</a>;
  return (
    <span className={cx(ui.badge, tone !== "plain" && ui[tone])} title={title} data-link={link}>
      <Icon mark={mark} />
      {words}
      {link === "live" && at > 0 && <Fresh />}
      {old}
    </span>
  );
}

/** The age of what a live page shows: since the last frame, as nothing has happened that it does not show. */
function Fresh() {
  const { heardAt } = useStreamState();
  const now = useTick(1_000);
  return <span>· {age(Math.max(0, now - heardAt))}</span>;
}
