// A command line that does what a button does, ready to be copied.
import { useState } from "react";
import styles from "./ui.module.css";

export function Command({ line }: { readonly line: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(line).then(() => setCopied(true));
  };
  return (
    <span className={styles.command}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long line scrolls, also by keyboard */}
      <code tabIndex={0}>{line}</code>
      <button type="button" onClick={copy} onBlur={() => setCopied(false)} aria-label={`Copy: ${line}`}>
        {copied ? "Copied" : "Copy"}
      </button>
    </span>
  );
}
