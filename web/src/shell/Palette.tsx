// Every action of the page, every build and every project, found by typing.
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useMemo, useState } from "react";
import { builds, projects } from "../api/queries";
import { cx } from "../ui/cx";
import { Dialog } from "../ui/Dialog";
import { Said } from "../ui/Said";
import ui from "../ui/ui.module.css";
import { short } from "../ui/words";
import { type Action, useAllActions } from "./kept";
import { buildAddress, go, projectAddress } from "./router";
import styles from "./shell.module.css";

const MOST = 12;

/** Actions in which every typed word occurs, those that begin with it first. */
export function fitting(actions: readonly Action[], typed: string): Action[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one: Action) => `${one.title} ${one.command ?? ""}`.toLowerCase();
  const found = actions.filter((one) => words.every((word) => text(one).includes(word)));
  const begins = (one: Action) => (words[0] && text(one).startsWith(words[0]) ? 0 : 1);
  return found.sort((one, other) => begins(one) - begins(other)).slice(0, MOST);
}

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [place, setPlace] = useState(0);
  const id = useId();
  const actions = useAllActions();
  const known = useQuery(builds()).data?.items;
  const begun = useQuery(projects()).data?.items;
  const all = useMemo(
    () => [
      ...actions,
      ...(known ?? []).map((row) => ({
        id: row.build_id,
        title: `Build ${row.title || short(row.build_id)}`,
        command: `buildwright status ${short(row.build_id)}`,
        run: () => go(buildAddress(row.build_id)),
      })),
      ...(begun ?? []).map((one) => ({
        id: one.id,
        title: `Project ${one.name}`,
        run: () => go(projectAddress(one.id)),
      })),
    ],
    [actions, known, begun],
  );
  const shown = fitting(all, typed);
  const at = Math.min(place, shown.length - 1);
  const choose = (action: Action | undefined) => {
    if (!action) return;
    onClose();
    action.run();
  };
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPlace((at + step + shown.length) % Math.max(shown.length, 1));
    else if (event.key === "Enter") choose(shown[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog label="Find an action" className={styles.palette} onClose={onClose}>
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={shown[at] ? `${id}-${at}` : undefined}
        aria-label="Find an action, a build or a project"
        placeholder="Find an action, a build or a project"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setPlace(0);
        }}
        onKeyDown={pressed}
      />
      <div role="listbox" id={`${id}-list`} aria-label="Actions" className={styles.options}>
        {shown.map((action, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are those of the combobox
          <div
            key={action.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={cx(styles.option, index === at && styles.chosen)}
            onClick={() => choose(action)}
          >
            <span>
              <Said text={action.title} />
            </span>
            {action.command && <code>{action.command}</code>}
            {action.keys && <kbd className={ui.kbd}>{action.keys}</kbd>}
          </div>
        ))}
      </div>
      {shown.length === 0 && <p className={styles.none}>Nothing is called that.</p>}
    </Dialog>
  );
}
