// What the shell keeps beside the server's data: actions of the page, toasts, words for the status region, choices.
import { useEffect, useSyncExternalStore } from "react";

class Kept<T> {
  #listeners = new Set<() => void>();
  constructor(public value: T) {}
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  set(value: T): void {
    this.value = value;
    for (const listener of this.#listeners) listener();
  }
}

function useKept<T>(kept: Kept<T>): T {
  return useSyncExternalStore(kept.subscribe, () => kept.value);
}

/** Something that a person can do here: in the palette, by its key, and as the command line that does the same. */
export interface Action {
  readonly id: string;
  readonly title: string;
  /** One key, or two after one another such as `g h`. */
  readonly keys?: string;
  readonly command?: string | undefined;
  readonly run: () => void;
}

const actions = new Kept<readonly Action[]>([]);

/** Offer actions while a component is shown. `mine` must be made by `useMemo`. */
export function useActions(mine: readonly Action[]): void {
  useEffect(() => {
    actions.set([...actions.value, ...mine]);
    return () => actions.set(actions.value.filter((one) => !mine.includes(one)));
  }, [mine]);
}

export function useAllActions(): readonly Action[] {
  return useKept(actions);
}

export function currentActions(): readonly Action[] {
  return actions.value;
}

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly fix?: string | undefined;
  readonly bad?: boolean;
  /** The build that it is about, if it is about one. */
  readonly about?: string;
  /** Takes back what the toast tells of. */
  readonly undo?: () => void;
}

const toasts = new Kept<readonly Toast[]>([]);
const MOST_TOASTS = 4;
let newest = 0;

export function toast(what: Omit<Toast, "id">): void {
  newest += 1;
  toasts.set([...toasts.value, { ...what, id: newest }].slice(-MOST_TOASTS));
  announce(what.fix ? `${what.text} ${what.fix}` : what.text);
}

/** Something was done with a build since: what was done with it before cannot be taken back any more. */
export function forgetUndo(about: string): void {
  toasts.set(toasts.value.filter((one) => !one.undo || one.about !== about));
}

export function dismiss(id: number): void {
  toasts.set(toasts.value.filter((one) => one.id !== id));
}

export function useToasts(): readonly Toast[] {
  return useKept(toasts);
}

const spoken = new Kept("");

/** Say something to those who do not see the page. There is one place for it, and it never interrupts. */
export function announce(words: string): void {
  spoken.set(words);
}

export function useAnnounced(): string {
  return useKept(spoken);
}

export type Theme = "system" | "light" | "dark";

/** A choice of the user that this browser remembers, as far as it may. */
class Choice<T extends string> extends Kept<T> {
  constructor(
    readonly name: string,
    readonly allowed: readonly T[],
    usual: T,
  ) {
    super(usual);
    try {
      const found = localStorage.getItem(name) as T | null;
      if (found && allowed.includes(found)) this.value = found;
    } catch {
      // a browser that keeps nothing: the usual choice
    }
  }
  choose(value: T): void {
    this.set(value);
    try {
      localStorage.setItem(this.name, value);
    } catch {
      // it holds for this page
    }
  }
}

const theme = new Choice<Theme>("theme", ["system", "light", "dark"], "system");
const singleKeys = new Choice<"on" | "off">("single-keys", ["on", "off"], "on");

export function showTheme(): void {
  const root = document.documentElement;
  if (theme.value === "system") delete root.dataset.theme;
  else root.dataset.theme = theme.value;
}

export function chooseTheme(value: Theme): void {
  theme.choose(value);
  showTheme();
}

export const useTheme = (): Theme => useKept(theme);
export const useSingleKeys = (): "on" | "off" => useKept(singleKeys);
export const chooseSingleKeys = (value: "on" | "off"): void => singleKeys.choose(value);
export const singleKeysAreOn = (): boolean => singleKeys.value === "on";
