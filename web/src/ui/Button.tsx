import type { ButtonHTMLAttributes } from "react";
import { cx } from "./cx";
import { type Act, useRefused } from "./Rights";
import styles from "./ui.module.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: "plain" | "primary" | "danger" | "bare";
  /** What it does to the build or project of the page: it cannot be used by who may not, and its title says why. */
  readonly act?: Act;
}

export function Button({ look = "plain", act, className, ...more }: Props) {
  const refused = useRefused(act);
  return (
    <button
      type="button"
      className={cx(styles.button, look !== "plain" && styles[look], className)}
      {...more}
      {...(refused && { disabled: true, title: refused })}
    />
  );
}
