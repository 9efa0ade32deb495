import styles from "./ui.module.css";

interface Props {
  readonly total: number;
  readonly done: number;
  readonly busy: number;
  readonly failed: number;
  readonly label: string;
}

/** How much of a whole is done, failed and in work. The label says the same in words. */
export function Bar({ total, done, busy, failed, label }: Props) {
  const width = (part: number) => ({ width: `${(100 * part) / Math.max(total, 1)}%` });
  return (
    <div className={styles.bar} role="img" aria-label={label}>
      <span className={styles.doneShare} style={width(done)} />
      <span className={styles.failedShare} style={width(failed)} />
      <span className={styles.busyShare} style={width(busy)} />
    </div>
  );
}
