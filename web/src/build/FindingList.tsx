// What was found wrong, line by line; a long list scrolls in its place, also by keyboard.
import styles from "./build.module.css";

interface Props {
  readonly lines: readonly string[];
  /** In what it was found: no two lists of a page have one name. */
  readonly of: string;
}

export function FindingList({ lines, of }: Props) {
  return (
    <section
      className={styles.findings}
      aria-label={`What was found in ${of}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
      tabIndex={0}
    >
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </section>
  );
}
