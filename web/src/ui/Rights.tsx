// What the reader may not do to the build or project that a page is about, as the server says it: an act and why not.
import { createContext, type ReactNode, useContext } from "react";
import { sentence } from "./words";

export type Act = "say" | "review" | "start" | "steer" | "change";

const NONE: Readonly<Record<string, string>> = {};
const Refusals = createContext(NONE);

interface Props {
  /** As the server says it; undefined until it has. */
  readonly refused: Readonly<Record<string, string>> | undefined;
  readonly children: ReactNode;
}

export function Rights({ refused, children }: Props) {
  return <Refusals value={refused ?? NONE}>{children}</Refusals>;
}

/** Why the reader may not do this here, "" for who may. */
export function useRefused(act: Act | undefined): string {
  const refused = useContext(Refusals);
  return (act && refused[act]) || "";
}

/** Says why what stands beside it cannot be used; nothing to who may. */
export function Refused({ act }: { readonly act: Act }) {
  const why = useRefused(act);
  return why ? <p role="note">{sentence(why)}.</p> : null;
}
