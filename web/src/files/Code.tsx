// The text of one file: only the lines on the screen exist, with the colours that the server gives them, and who wrote
// which of them last.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { FileView, LineTouch } from "../api/types";
import { buildAddress } from "../shell/router";
import { cx } from "../ui/cx";
import { lookOf } from "./colours";
import styles from "./files.module.css";

const ROW = 22;

interface Props {
  readonly build: string;
  readonly file: FileView;
  readonly wraps: boolean;
}

export function Code({ build, file, wraps }: Props) {
  const box = useRef<HTMLElement>(null);
  const lines = file.lines ?? [];
  const touched = useMemo(() => {
    const found = new Map<number, LineTouch>();
    for (const one of file.touched)
      for (let line = one.first; line <= one.last; line += 1) found.set(line, one);
    return found;
  }, [file.touched]);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  return (
    <section
      ref={box}
      className={styles.code}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
      tabIndex={0}
      aria-label={`Text of ${file.path}`}
    >
      <div className={styles.all} style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start, key }) => {
          const touch = touched.get(index + 1);
          return (
            <div
              key={key}
              ref={wraps ? rows.measureElement : null}
              data-index={index}
              className={cx(styles.line, wraps && styles.wrapped, touch && styles.touched)}
              style={{ transform: `translateY(${start}px)` }}
            >
              <Writer build={build} touch={touch} first={touch?.first === index + 1} />
              <span className={styles.number}>{index + 1}</span>
              <code>
                {lines[index]?.map(([kind, text], place) => {
                  const look = lookOf(kind);
                  return (
                    // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a line never change
                    <span key={place} className={look ? styles[look] : undefined}>
                      {text}
                    </span>
                  );
                })}
              </code>
            </div>
          );
        })}
      </div>
    </section>
  );
}

interface WriterProps {
  readonly build: string;
  readonly touch: LineTouch | undefined;
  readonly first: boolean;
}

/** Who wrote a line last; named at the first line of theirs. */
function Writer({ build, touch, first }: WriterProps) {
  if (!touch) return <span className={styles.writer} />;
  const words = [
    `${touch.title || touch.task}, attempt ${touch.attempt} by ${touch.agent}`,
    ...touch.requirements,
    touch.commit.slice(0, 9),
  ].join("\n");
  return (
    <span className={styles.writer} title={words}>
      {first && <a href={`${buildAddress(build)}?task=${encodeURIComponent(touch.task)}`}>{touch.task}</a>}
    </span>
  );
}
