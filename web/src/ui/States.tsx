// What stands where there is nothing yet, nothing at all, or something went wrong.
import type { ReactNode } from "react";
import { Button } from "./Button";
import { Command } from "./Command";
import { Panel } from "./Panel";
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

interface ReadProps<T> {
  readonly from: {
    readonly data: T | undefined;
    readonly error: Error | null;
    readonly refetch: () => unknown;
  };
  /** Of the bars that stand there before. */
  readonly widths: readonly number[];
  /** The heading over the bars, for what comes in panels. */
  readonly title?: string;
  readonly children: (data: T) => ReactNode;
}

/** What was read of the server; before it is there, bars in its shape, or why it is not and a way to try again. */
export function Read<T>({ from, widths, title, children }: ReadProps<T>) {
  const { data, error } = from;
  if (data !== undefined) return children(data);
  if (error) {
    const fix = "fix" in error ? String(error.fix) : undefined;
    const again = <Button onClick={() => void from.refetch()}>Try again</Button>;
    return <Problem message={error.message} fix={fix} button={again} />;
  }
  const bars = <Skeleton widths={widths} />;
  return title ? <Panel title={title}>{bars}</Panel> : bars;
}
