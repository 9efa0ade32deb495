// A window over the page: the browser keeps the focus inside, closes it on Escape and gives the focus back.
import { type ReactNode, useEffect, useRef } from "react";
import { cx } from "./cx";
import styles from "./ui.module.css";

interface Props {
  readonly label: string;
  readonly className?: string | undefined;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ label, className, onClose, children }: Props) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it too, by the browser
    <dialog
      ref={place}
      className={cx(styles.dialog, className)}
      aria-label={label}
      onCancel={onClose}
      onClick={(event) => event.target === place.current && onClose()}
    >
      {children}
    </dialog>
  );
}
