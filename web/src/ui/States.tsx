// What stands where there is nothing yet, nothing at all, or something went wrong.
import type { ReactNode } from "react";
import { Command } from "./Command";
import styles from "./ui.module.css";

/** Bars in the shape of what will come. `widths` are in percent, a row each. */
export function Skeleton({ widths }: { readonly widths: readonly number[] }) {
  return (
    <div aria-hidden="true" style={{ display: "grid", gap: 14, padding: 16 }}>
      {widths.map((width, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows have nothing else
        <span key={place} className={styles.skeleton} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}

interface EmptyProps {
  readonly children: ReactNode;
  readonly command?: string | undefined;
  readonly button?: ReactNode | undefined;
}

export function Empty({ children, command, button }: EmptyProps) {
  return (
    <div className={styles.empty}>
      <p>{children}</p>
      {button}
      {command && <Command line={command} />}
    </div>
  );
}

interface ProblemProps {
  readonly message: string;
  readonly fix?: string | undefined;
  readonly button?: ReactNode | undefined;
}

export function Problem({ message, fix, button }: ProblemProps) {
  return (
    <div className={styles.problem} role="alert">
      <p>{message}</p>
      {fix && <p>{fix}</p>}
      {button}
    </div>
  );
}
