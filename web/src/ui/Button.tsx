import type { ButtonHTMLAttributes } from "react";
import { cx } from "./cx";
import styles from "./ui.module.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: "plain" | "primary" | "danger" | "bare";
}

export function Button({ look = "plain", className, ...more }: Props) {
  return (
    <button
      type="button"
      className={cx(styles.button, look !== "plain" && styles[look], className)}
      {...more}
    />
  );
}
