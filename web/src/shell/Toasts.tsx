import { useEffect } from "react";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { dismiss, type Toast, useToasts } from "./kept";
import styles from "./shell.module.css";

const SHOWN_MS = 6_000;
const UNDO_MS = 12_000;

function One({ toast }: { readonly toast: Toast }) {
  const { id, undo, bad } = toast;
  useEffect(() => {
    if (bad) return;
    const timer = setTimeout(() => dismiss(id), undo ? UNDO_MS : SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, undo, bad]);
  return (
    <li className={cx(styles.toast, bad && styles.bad)}>
      <div>
        <p>{toast.text}</p>
        {toast.fix && <p className={styles.fix}>{toast.fix}</p>}
      </div>
      {undo && (
        <Button
          onClick={() => {
            dismiss(id);
            undo();
          }}
        >
          Undo
        </Button>
      )}
      <Button look="bare" aria-label="Close this message" onClick={() => dismiss(id)}>
        ✕
      </Button>
    </li>
  );
}

/** Messages about what was just done. */
export function Toasts() {
  const toasts = useToasts();
  return (
    <section aria-label="What was done">
      <ul className={styles.toasts}>
        {toasts.map((toast) => (
          <One key={toast.id} toast={toast} />
        ))}
      </ul>
    </section>
  );
}
