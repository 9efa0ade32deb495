// A command line that does what a button does, ready to be copied.
import { useState } from "react";
import { copied } from "./copy";
import styles from "./ui.module.css";

export function Command({ line }: { readonly line: string }) {
  const [said, setSaid] = useState("");
  const copy = async () => setSaid((await copied(line)) ? "Copied" : "Not copied");
  return (
    <span className={styles.command}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long line scrolls, also by keyboard */}
      <code tabIndex={0}>{line}</code>
      <button
        type="button"
        onClick={() => void copy()}
        onBlur={() => setSaid("")}
        aria-label={`Copy: ${line}`}
      >
        {said || "Copy"}
      </button>
    </span>
  );
}
