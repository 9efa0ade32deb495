// Keys: which action a key means. Keys of one letter do nothing while somebody types, and can be turned off.
import { useEffect, useRef } from "react";
import { type Action, currentActions, singleKeysAreOn } from "./kept";

const BETWEEN_MS = 1_200;

function typesText(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable]"));
}

/** Return the action of a key after the one before it, if it is one. */
export function actionFor(key: string, before: string, actions: readonly Action[]): Action | undefined {
  const two = before && actions.find((one) => one.keys === `${before} ${key}`);
  return two || actions.find((one) => one.keys === key);
}

export function useKeys(openPalette: () => void): void {
  const before = useRef({ key: "", at: 0 });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (typesText(event.target) || document.querySelector("dialog[open]") || !singleKeysAreOn()) return;
      const { key, at } = before.current;
      before.current = { key: event.key, at: event.timeStamp };
      const found = actionFor(event.key, event.timeStamp - at < BETWEEN_MS ? key : "", currentActions());
      if (!found) return;
      event.preventDefault();
      before.current = { key: "", at: 0 };
      found.run();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [openPalette]);
}
