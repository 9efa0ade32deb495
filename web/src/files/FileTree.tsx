// The tree of files: only the rows on the screen exist, and the keys are those of every tree.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import type { Tree } from "../api/types";
import { cx } from "../ui/cx";
import { count } from "../ui/words";
import styles from "./files.module.css";
import { foldersOf, matching, rowsOf, type TreeRow, treeOf } from "./tree";

const ROW = 28;
/** Folders are open at first if all files make at most this many rows. */
const FEW = 60;

interface Props {
  readonly tree: Tree;
  readonly chosen: string;
  readonly filter: React.RefObject<HTMLInputElement | null>;
  readonly onChoose: (path: string) => void;
}

export function FileTree({ tree, chosen, filter, onChoose }: Props) {
  const [typed, setTyped] = useState("");
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState("");
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const files = tree.files;
  const found = useMemo(() => matching(files, typed), [files, typed]);
  const rows = useMemo(() => {
    const around = new Set(foldersOf(chosen));
    const usual = (folder: string) => Boolean(typed.trim()) || files.length <= FEW || around.has(folder);
    return rowsOf(treeOf(found), (folder) => usual(folder) !== turned.has(folder));
  }, [found, turned, typed, files, chosen]);
  const place = Math.max(
    0,
    rows.findIndex((row) => row.path === (at || chosen)),
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another file was chosen, also from elsewhere
  useEffect(() => {
    if (chosen && rows[place]) virtual.scrollToIndex(place, { align: "auto" });
  }, [chosen]);

  const turn = (row: TreeRow) =>
    setTurned((before) => {
      const after = new Set(before);
      if (!after.delete(row.path)) after.add(row.path);
      return after;
    });
  const choose = (row: TreeRow) => {
    setAt(row.path);
    if (row.file) onChoose(row.path);
    else turn(row);
  };
  const move = (next: number) => {
    const row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
    if (!row) return;
    setAt(row.path);
    virtual.scrollToIndex(rows.indexOf(row), { align: "auto" });
  };
  const pressed = (event: KeyboardEvent) => {
    const row = rows[place];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const outside = () => rows.findLastIndex((one, index) => index < place && one.level < row.level);
    if (event.key === "ArrowDown") move(place + 1);
    else if (event.key === "ArrowUp") move(place - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(rows.length - 1);
    else if (event.key === "ArrowRight") row.file || row.open ? move(place + 1) : turn(row);
    else if (event.key === "ArrowLeft") row.open ? turn(row) : move(Math.max(outside(), 0));
    else if (event.key === "Enter" || event.key === " ") choose(row);
    else return;
    event.preventDefault();
  };
  return (
    <div className={styles.treeSide}>
      <input
        ref={filter}
        type="search"
        aria-label="Find a file"
        placeholder="Find a file  /"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
      <p className={styles.quiet} aria-live="polite">
        {count(found.length, "file")}
        {typed.trim() ? ` of ${files.length}` : ""}
        {tree.omitted > 0 && `, and ${count(tree.omitted, "more")}`}
      </p>
      <div
        ref={box}
        role="tree"
        aria-label="Files"
        tabIndex={0}
        className={styles.tree}
        aria-activedescendant={rows[place] ? `${id}-${place}` : undefined}
        onKeyDown={pressed}
      >
        <div className={styles.all} role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            return (
              row && (
                // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the tree
                <div
                  key={row.path}
                  id={`${id}-${index}`}
                  role="treeitem"
                  tabIndex={-1}
                  aria-level={row.level}
                  aria-posinset={row.place}
                  aria-setsize={row.of}
                  aria-expanded={row.file ? undefined : row.open}
                  aria-selected={row.path === chosen}
                  className={cx(styles.item, index === place && styles.at)}
                  style={{ transform: `translateY(${start}px)`, paddingLeft: 8 + 14 * (row.level - 1) }}
                  title={row.path}
                  onClick={() => choose(row)}
                >
                  <span aria-hidden="true" className={styles.arrow}>
                    {row.file ? "" : row.open ? "▾" : "▸"}
                  </span>
                  <span className={styles.itemName}>{row.name}</span>
                  <Mark row={row} />
                </div>
              )
            );
          })}
        </div>
      </div>
      {tree.deleted.length > 0 && (
        <details className={styles.gone}>
          <summary>{count(tree.deleted.length, "file")} of the base gone</summary>
          <ul>
            {tree.deleted.slice(0, 200).map((path) => (
              <li key={path}>
                <code>{path}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Mark({ row }: { readonly row: TreeRow }) {
  if (row.file?.mark) {
    return <span className={cx(styles.mark, styles[row.file.mark])}>{row.file.mark}</span>;
  }
  if (!row.file && row.touched && !row.open) {
    return (
      <span className={styles.dot} title="Something in it is new or changed">
        <span className="sr-only">something in it is new or changed</span>
      </span>
    );
  }
  return null;
}
