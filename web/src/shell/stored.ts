// What this browser remembers of a page, such as a draft: it is there again after the page is loaded anew.
import { useCallback, useState } from "react";

function found<T>(name: string, usual: T): T {
  try {
    const text = localStorage.getItem(name);
    return text === null ? usual : (JSON.parse(text) as T);
  } catch {
    return usual; // a browser that keeps nothing, or something that is none of ours
  }
}

/** A value and the way to change it. `usual` is what it is at first; a value like that is not kept. */
export function useStored<T extends object>(
  name: string,
  usual: T,
): readonly [T, (change: (before: T) => T) => void] {
  const [value, setValue] = useState(() => found(name, usual));
  const change = useCallback(
    (made: (before: T) => T) =>
      setValue((before) => {
        const after = made(before);
        try {
          const text = JSON.stringify(after);
          if (text === JSON.stringify(usual)) localStorage.removeItem(name);
          else localStorage.setItem(name, text);
        } catch {
          // it holds for this page
        }
        return after;
      }),
    [name, usual],
  );
  return [value, change];
}
