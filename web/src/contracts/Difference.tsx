// How two texts differ, line by line.
import { cx } from "../ui/cx";
import styles from "./contracts.module.css";

export function Difference({ text }: { readonly text: string }) {
  const shown = text.split("\n").slice(2); // the first two lines only name the two texts
  if (!text) return <p className={styles.quiet}>They are the same.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text scrolls, also by keyboard
    <pre className={styles.diff} tabIndex={0}>
      {shown.map((line, at) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its number
          key={at}
          className={cx(line.startsWith("+") && styles.more, line.startsWith("-") && styles.less)}
        >
          {`${line}\n`}
        </span>
      ))}
    </pre>
  );
}
