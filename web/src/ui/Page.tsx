// A page: its parts below each other, under a head that names it. And facts, which many pages have: a name over a value.
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./page.module.css";
import { Said } from "./Said";

interface PageProps {
  /** How wide it may be: tables and pictures by default, `text`, `all` there is, or `window`, which is as high too. */
  readonly size?: "text" | "all" | "window";
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

export function Page({ size, className, children }: PageProps) {
  return <div className={cx(styles.page, size && styles[size], className)}>{children}</div>;
}

interface HeadProps {
  readonly title: string;
  /** What it is the page of. */
  readonly of?: string | undefined;
  readonly children?: ReactNode;
}

export function PageHead({ title, of, children }: HeadProps) {
  return (
    <header className={styles.head}>
      <h1>
        <Said text={title} />
        {of && (
          <span>
            {" "}
            <Said text={of} />
          </span>
        )}
      </h1>
      {children}
    </header>
  );
}

export function Facts({
  className,
  children,
}: {
  readonly className?: string | undefined;
  readonly children: ReactNode;
}) {
  return <dl className={cx(styles.facts, className)}>{children}</dl>;
}

export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
