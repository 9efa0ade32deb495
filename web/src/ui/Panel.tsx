import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./ui.module.css";

interface Props {
  readonly title: string;
  readonly count?: string | number | undefined;
  readonly aside?: ReactNode | undefined;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

/** A part of a page under a heading. */
export function Panel({ title, count, aside, className, children }: Props) {
  return (
    <section className={cx(styles.panel, className)} aria-label={title}>
      <header className={styles.panelHead}>
        <h2>
          {title} {count !== undefined && <span className={styles.count}>{count}</span>}
        </h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
