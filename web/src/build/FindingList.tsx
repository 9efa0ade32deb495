// What was found wrong, line by line; a long list scrolls in its place, also by keyboard.
import styles from "./build.module.css";

export function FindingList({ lines }: { readonly lines: readonly string[] }) {
  return (
    <section
      className={styles.findings}
      aria-label="What was found"
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
