// A place to type or choose something, under its name; what is wrong with it stands below.
import { type ReactNode, useId } from "react";
import styles from "./field.module.css";

interface Props {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly wrong?: string | undefined;
  /** What it is made of; it is given the ids that tie it to its words. */
  readonly children: (names: { readonly id: string; readonly "aria-describedby": string }) => ReactNode;
}

export function Field({ label, hint, wrong, children }: Props) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-more` })}
      <div id={`${id}-more`} className={styles.more}>
        {wrong ? (
          <p className={styles.wrong} role="alert">
            {wrong}
          </p>
        ) : (
          hint
        )}
      </div>
    </div>
  );
}
