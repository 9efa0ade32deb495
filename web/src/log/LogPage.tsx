// The live log of a build: only the rows on screen exist, it follows until somebody scrolls up, and it can be searched.
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  useCallback,
  useDeferredValue,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { buildPath } from "../api/client";
import { build as buildQuery } from "../api/queries";
import type { Line } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { useStream, useStreamState } from "../live/LiveBuild";
import { OlderLines } from "../live/older";
import { useActions } from "../shell/kept";
import { setQuery, useQueryValue } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { cx } from "../ui/cx";
import { Page, PageHead } from "../ui/Page";
import { Empty, Skeleton } from "../ui/States";
import { clock, count, short } from "../ui/words";
import { runsOf } from "./ansi";
import { Found } from "./found";
import styles from "./log.module.css";

const ROW = 24;
const NEAR = 2 * ROW;
const PASSING_MS = 60;

export function LogPage({ id }: { readonly id: string }) {
  const stream = useStream();
  const { lines: version, link } = useStreamState();
  const build = useQuery(buildQuery(id)).data;
  const task = useQueryValue("of");
  const at = Number(useQueryValue("line")) || 0;
  const [level, setLevel] = useState("");
  const [search, setSearch] = useState("");
  const [hit, setHit] = useState(0);
  const [follows, setFollows] = useState(at === 0);
  const [seen, setSeen] = useState(0);
  const [wraps, setWraps] = useState(false);
  const needle = useDeferredValue(search.trim());
  const box = useRef<HTMLElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const lines = stream.log;

  useEffect(() => {
    stream.wantLog(true);
    return () => stream.wantLog(false);
  }, [stream]);

  // Lines only grow; when old ones were let go, everything is looked at anew.
  const { dropped, first } = lines;
  // biome-ignore lint/correctness/useExhaustiveDependencies: other first lines are another log
  const found = useMemo(
    () => new Found({ task, level, search: needle }),
    [task, level, needle, dropped, first],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that there are new lines
  const { hits, upto } = useMemo(() => {
    found.look(lines.all);
    return { hits: found.hits, upto: found.upto };
  }, [found, lines, version]);
  const total = found.narrows ? found.shown.length : lines.all.length;
  // What is searched or narrowed is looked for in all lines, also in those that nobody has scrolled to.
  useEffect(() => {
    if (found.looks && link !== "connecting") stream.wantWholeLog();
  }, [found, link, stream]);

  const placeOf = useCallback((row: number) => (found.narrows ? (found.shown[row] ?? -1) : row), [found]);
  // The same function each time: with another one the places of all rows are counted anew.
  const keyOf = useCallback((row: number) => lines.first + placeOf(row), [lines, placeOf]);
  const rows = useVirtualizer({
    count: total,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
    getItemKey: keyOf,
  });

  useEffect(() => {
    if (follows && total > 0) rows.scrollToIndex(total - 1, { align: "end" });
  }, [follows, total, rows]);

  const [, setFailures] = useState(0);
  const older = useMemo(
    () =>
      new OlderLines(
        id,
        (read, after) => stream.takeLines(read, after),
        () => setFailures((told) => told + 1),
      ),
    [id, stream],
  );
  const missing = rows
    .getVirtualItems()
    .map((row) => placeOf(row.index))
    .filter((place) => !lines.all[place]);
  const wanted = missing.map((place) => first + place).join(" ");
  useEffect(() => {
    if (!wanted) return;
    // Rows that only pass by are not read.
    const timer = setTimeout(() => older.want(wanted.split(" ").map(Number)), PASSING_MS);
    return () => clearTimeout(timer);
  }, [older, wanted]);

  const shownAt = useRef(0);
  useEffect(() => {
    if (!at || shownAt.current === at) return;
    const row = found.narrows
      ? found.shown.findIndex((place) => lines.first + place >= at)
      : Math.max(0, at - lines.first);
    if (row < 0 || row >= total) return;
    shownAt.current = at;
    rows.scrollToIndex(row, { align: "center" });
  }, [at, found, lines, rows, total]);

  // Whoever scrolls up wants to read: new lines then wait below.
  const top = useRef(0);
  const scrolled = () => {
    const element = box.current;
    if (!element) return;
    const upwards = element.scrollTop < top.current - 2;
    // The browser may not have the height of new rows yet, and would say that this is the end.
    const below = rows.getTotalSize() - element.scrollTop - element.clientHeight;
    top.current = element.scrollTop;
    if (below <= NEAR) setFollows(true);
    else if (upwards && follows) {
      setFollows(false);
      setSeen(total);
    }
  };

  const jump = useCallback(
    (step: number) => {
      if (hits.length === 0) return;
      const next = (hit + step + hits.length) % hits.length;
      setHit(next);
      setFollows(false);
      setSeen(total);
      rows.scrollToIndex(hits[next] ?? 0, { align: "center" });
    },
    [hit, hits, rows, total],
  );

  useActions(
    useMemo(
      () => [
        { id: "search-log", title: "Search the log", keys: "/", run: () => input.current?.focus() },
        { id: "next-hit", title: "Next place found", keys: "n", run: () => jump(1) },
        { id: "last-hit", title: "Place found before", keys: "N", run: () => jump(-1) },
        { id: "follow", title: "Follow the newest lines", keys: "G", run: () => setFollows(true) },
      ],
      [jump],
    ),
  );

  const typed = (event: KeyboardEvent) => {
    if (event.key === "Enter") jump(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      setSearch("");
      input.current?.blur();
    } else return;
    event.preventDefault();
  };
  const showAll = () => {
    setLevel("");
    setQuery("of", "");
  };
  const current = hits[Math.min(hit, hits.length - 1)];
  const name = short(id);

  return (
    <Page size="window">
      <PageHead title="Log" of={build?.title}>
        <LinkChip />
        <span className={styles.quiet}>
          {count(total, "line")}
          {found.looks && upto < lines.all.length && (
            <>, looked through {Math.floor((100 * upto) / lines.all.length)} %</>
          )}
        </span>
        <div className={styles.tools}>
          <div className={styles.search}>
            <input
              ref={input}
              type="search"
              aria-label="Search the log"
              placeholder="Search  /"
              value={search}
              onChange={(event) => {
                setSearch(event.target.value);
                setHit(0);
              }}
              onKeyDown={typed}
            />
            {needle && (
              <span aria-live="polite">
                {hits.length ? `${Math.min(hit, hits.length - 1) + 1}/${hits.length}` : "none"}
              </span>
            )}
          </div>
          <select aria-label="Which lines" value={level} onChange={(event) => setLevel(event.target.value)}>
            <option value="">All lines</option>
            <option value="warning">Warnings and errors</option>
            <option value="error">Errors</option>
          </select>
          <select
            aria-label="Of which task"
            value={task}
            onChange={(event) => setQuery("of", event.target.value)}
          >
            <option value="">All tasks</option>
            {build?.tasks?.map((one) => (
              <option key={one.id} value={one.id}>
                {one.id}
              </option>
            ))}
          </select>
          <label className={styles.check}>
            <input type="checkbox" checked={wraps} onChange={() => setWraps(!wraps)} />
            Wrap
          </label>
        </div>
      </PageHead>
      {lines.dropped > 0 && (
        <p className={styles.note}>
          {count(lines.dropped, "older line")} are not in this page.{" "}
          <Command line={`buildwright logs ${name}`} />
        </p>
      )}
      {lines.gone > 0 && (
        <p className={styles.note}>{count(lines.gone, "older line")} are not kept any more.</p>
      )}
      {older.failed && (
        <p className={styles.note} role="alert">
          Some older lines could not be read. <Button onClick={() => older.again()}>Try again</Button>
        </p>
      )}
      <section
        ref={box}
        className={styles.box}
        onScroll={scrolled}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
        tabIndex={0}
        aria-label="Lines of the log"
      >
        {total === 0 &&
          (link === "connecting" || (found.looks && upto < lines.all.length) ? (
            <Skeleton widths={[60, 80, 40, 70]} />
          ) : (
            <None id={id} narrows={found.narrows} onAll={showAll} />
          ))}
        <div className={styles.all} style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const line = lines.all[placeOf(row.index)];
            return (
              <div
                key={row.key}
                ref={wraps && line ? rows.measureElement : null}
                data-index={row.index}
                aria-busy={line || older.hasFailed(first + placeOf(row.index)) ? undefined : true}
                className={cx(
                  styles.row,
                  wraps && styles.wrapped,
                  row.index === current && needle && styles.current,
                  line?.seq === at && styles.linked,
                  line && line.level !== "info" && styles[line.level],
                )}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                {line ? (
                  <Row line={line} needle={needle} />
                ) : (
                  <span className={styles.quiet}>
                    {older.hasFailed(first + placeOf(row.index)) ? "not read" : "…"}
                  </span>
                )}
              </div>
            );
          })}
        </div>
      </section>
      <footer className={styles.foot}>
        <Command line={`buildwright logs --follow ${name}${task ? ` --task ${task}` : ""}`} />
        <a href={`${buildPath(id, "/logs")}?limit=500&tail=true`} target="_blank" rel="noreferrer">
          The newest as JSON
        </a>
        {!follows && total > 0 && (
          <Button look="primary" className={styles.follow} onClick={() => setFollows(true)}>
            {total > seen ? `${count(total - seen, "new line")}, follow` : "Follow"}
          </Button>
        )}
      </footer>
    </Page>
  );
}

function Row({ line, needle }: { readonly line: Line; readonly needle: string }) {
  return (
    <>
      <a className={styles.time} href={`?line=${line.seq}`} title={`${line.ts}: a link to this line`}>
        {clock(line.ts)}
      </a>
      <span
        className={styles.task}
        title={line.task && `${line.task}, attempt ${line.attempt}, ${line.kind}`}
      >
        {line.task || line.kind}
      </span>
      <code className={styles.text}>
        {runsOf(line.text).map((run, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: runs of one line never change
          <span key={place} className={run.look && cx(...run.look.split(" ").map((name) => styles[name]))}>
            <Marked text={run.text} needle={needle} />
          </span>
        ))}
      </code>
    </>
  );
}

function Marked({ text, needle }: { readonly text: string; readonly needle: string }) {
  if (!needle) return text;
  const lower = text.toLowerCase();
  const parts = [];
  let from = 0;
  for (
    let place = lower.indexOf(needle.toLowerCase());
    place >= 0;
    place = lower.indexOf(needle.toLowerCase(), from)
  ) {
    parts.push(text.slice(from, place), <mark key={place}>{text.slice(place, place + needle.length)}</mark>);
    from = place + needle.length;
  }
  return [...parts, text.slice(from)];
}

interface NoneProps {
  readonly id: string;
  readonly narrows: boolean;
  readonly onAll: () => void;
}

function None({ id, narrows, onAll }: NoneProps) {
  if (!narrows)
    return (
      <Empty command={`buildwright logs ${short(id)}`}>
        Nothing has been written yet. Lines appear here by themselves.
      </Empty>
    );
  return <Empty button={<Button onClick={onAll}>Show all lines</Button>}>No line is like that.</Empty>;
}
