// Where a comment on lines is written.
import { useEffect, useId, useRef, useState } from "react";
import { Button } from "../ui/Button";
import type { Commenting, Writing } from "./HunkRows";
import styles from "./review.module.css";

interface Props extends Pick<Commenting, "onWrite" | "onAdd"> {
  readonly where: Writing;
  readonly task: string;
  /** The first and the last line that can be meant. */
  readonly numbers: readonly [number, number];
}

export function CommentBox({ where, task, numbers, onWrite, onAdd }: Props) {
  const [text, setText] = useState("");
  const id = useId();
  const box = useRef<HTMLTextAreaElement>(null);
  const before = useRef(document.activeElement as HTMLElement | null);
  useEffect(() => box.current?.focus(), []);
  const close = () => {
    onWrite(null);
    before.current?.focus?.();
  };
  const add = () => {
    if (!text.trim()) return;
    const { path, side, line, end } = where;
    onAdd({ path, side, line, end_line: end > line ? end : 0, text: text.trim(), task });
    close();
  };
  const bounded = (value: string) => Math.min(Math.max(Number(value) || numbers[0], numbers[0]), numbers[1]);
  return (
    <form
      className={styles.box}
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) add();
        else return;
        event.preventDefault();
      }}
    >
      <p>
        <label htmlFor={id}>
          Comment on {where.side === "old" ? "old lines" : "lines"} of {where.path}
        </label>
        <label>
          from{" "}
          <input
            type="number"
            min={numbers[0]}
            max={where.end}
            value={where.line}
            onChange={(event) =>
              onWrite({ ...where, line: Math.min(bounded(event.target.value), where.end) })
            }
          />
        </label>
        <span>to {where.end}</span>
      </p>
      <textarea
        ref={box}
        id={id}
        rows={3}
        maxLength={5_000}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <p>
        <Button type="submit" look="primary" disabled={!text.trim()}>
          Add to the draft
        </Button>
        <Button onClick={close}>Cancel</Button>
        <span className={styles.quiet}>Ctrl Enter adds it, Escape closes</span>
      </p>
    </form>
  );
}
