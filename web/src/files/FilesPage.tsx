// The files of a build, at any moment of it: the tree, the text of one file, and the slider over the moments.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { buildPath } from "../api/client";
import { build as buildQuery, file as fileQuery, moments, tree, type When } from "../api/queries";
import type { FileView, Moments } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { toast, useActions } from "../shell/kept";
import { setQuery, useQueryValue } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { copied } from "../ui/copy";
import { Page, PageHead } from "../ui/Page";
import { Said } from "../ui/Said";
import { Empty, Read, Skeleton } from "../ui/States";
import { bytes, clock, count, short } from "../ui/words";
import { Code } from "./Code";
import { FileTree } from "./FileTree";
import styles from "./files.module.css";

export function FilesPage({ id }: { readonly id: string }) {
  const at = Math.max(0, Math.trunc(Number(useQueryValue("at")))) || 0;
  const of = useQueryValue("of") === "base" ? "base" : "merged";
  const path = useQueryValue("path");
  const when: When = useMemo(() => ({ at, of }), [at, of]);
  const known = useQuery(moments(id));
  const newest = known.data && (known.data.moments.at(-1)?.seq ?? 0);
  const found = useQuery({ ...tree(id, when, newest), placeholderData: keepPreviousData });
  const build = useQuery(buildQuery(id)).data;
  const filter = useRef<HTMLInputElement>(null);
  const title = build?.title ?? "";
  useEffect(() => {
    document.title = `${path ? `${path} · ` : ""}Files · ${title} - Buildwright`;
  }, [path, title]);
  useActions(
    useMemo(
      () => [
        { id: "find-file", title: "Find a file", keys: "/", run: () => filter.current?.focus() },
        {
          id: "base",
          title: of === "base" ? "Show the files with what has landed" : "Show the files before the build",
          keys: "b",
          run: () => setQuery("of", of === "base" ? "" : "base"),
        },
        { id: "now", title: "Show the files as they are now", run: () => setQuery("at", "") },
      ],
      [of],
    ),
  );
  return (
    <Page size="window" className={styles.page}>
      <PageHead title="Files" of={title}>
        <LinkChip />
        <fieldset className={styles.switch}>
          <legend className="sr-only">Which files</legend>
          {(["merged", "base"] as const).map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="of"
                checked={of === one}
                onChange={() => setQuery("of", one === "base" ? "base" : "")}
              />
              {one === "merged" ? "With what has landed" : "Before the build"}
            </label>
          ))}
        </fieldset>
      </PageHead>
      {of === "merged" && <Slider all={known.data?.moments ?? []} at={at} />}
      <Read
        from={known.error && !found.data ? { ...known, data: undefined } : found}
        widths={[30, 40, 35, 45, 30]}
      >
        {(all) =>
          all.files.length === 0 ? (
            <Empty command={`buildwright status ${short(id)}`}>There are no files at this moment.</Empty>
          ) : (
            <div className={styles.columns}>
              <FileTree
                tree={all}
                chosen={path}
                filter={filter}
                onChoose={(chosen) => setQuery("path", chosen)}
              />
              {path ? (
                <File key={path} id={id} path={path} when={when} newest={newest} />
              ) : (
                <div className={styles.file}>
                  <Empty command={`buildwright diff ${short(id)} --stat`}>Choose a file to read it.</Empty>
                </div>
              )}
            </div>
          )
        }
      </Read>
    </Page>
  );
}

function Slider({ all, at }: { readonly all: Moments["moments"]; readonly at: number }) {
  if (all.length === 0) return null;
  const place = placeOf(all, at);
  const one = all[place];
  return (
    <div className={styles.slider}>
      <label htmlFor="moment">Moment</label>
      <input
        id="moment"
        type="range"
        min={0}
        max={all.length - 1}
        value={place}
        aria-valuetext={one ? `${one.words}, ${clock(one.at)}` : undefined}
        onChange={(event) => {
          const next = Number(event.target.value);
          setQuery("at", next === all.length - 1 ? "" : String(all[next]?.seq ?? ""));
        }}
      />
      <p>
        <span>
          <strong>{place + 1}</strong> of {all.length} · <Said text={one?.words ?? ""} />
        </span>
        <span className={styles.quiet}>
          {one && clock(one.at)}
          {at > 0 ? ` · event ${at}` : " · now"}
        </span>
        {at > 0 && <Button onClick={() => setQuery("at", "")}>Now</Button>}
      </p>
    </div>
  );
}

/** The last moment at or before an event; the last one of all for 0, which is now. */
function placeOf(all: Moments["moments"], at: number): number {
  if (at === 0) return all.length - 1;
  return Math.max(
    0,
    all.findLastIndex((one) => one.seq <= at),
  );
}

interface FileProps {
  readonly id: string;
  readonly path: string;
  readonly when: When;
  readonly newest: number | undefined;
}

function File({ id, path, when, newest }: FileProps) {
  const found = useQuery({ ...fileQuery(id, path, when, newest), placeholderData: keepPreviousData });
  const [wraps, setWraps] = useState(false);
  const copy = () => {
    void copied(path).then((is) =>
      toast(is ? { text: "The path is copied." } : { text: `It cannot be copied here: ${path}`, bad: true }),
    );
  };
  useActions(
    useMemo(
      () => [{ id: "wrap", title: "Wrap long lines", keys: "w", run: () => setWraps((before) => !before) }],
      [],
    ),
  );
  const query = new URLSearchParams({ path, at: String(when.at), of: when.of });
  return (
    <section className={styles.file} aria-label={path}>
      <header className={styles.fileHead}>
        <h2>{path}</h2>
        {found.data && <Facts file={found.data} />}
        <div className={styles.fileTools}>
          <label>
            <input type="checkbox" checked={wraps} onChange={() => setWraps(!wraps)} />
            Wrap
          </label>
          <Button onClick={copy}>Copy path</Button>
          <a href={buildPath(id, `/raw?${query}`)} download>
            Raw
          </a>
        </div>
      </header>
      {found.error ? (
        <Empty
          button={when.at > 0 ? <Button onClick={() => setQuery("at", "")}>Show it now</Button> : undefined}
        >
          {found.error.message}.
        </Empty>
      ) : !found.data ? (
        <Skeleton widths={[60, 80, 40, 70]} />
      ) : (
        <>
          {found.data.note && <p className={styles.note}>{found.data.note}</p>}
          {found.data.lines && <Code build={id} file={found.data} wraps={wraps} />}
        </>
      )}
      <footer className={styles.foot}>
        <Command line={`buildwright diff ${short(id)}${found.data?.task ? ` ${found.data.task}` : ""}`} />
      </footer>
    </section>
  );
}

function Facts({ file }: { readonly file: FileView }) {
  return (
    <span className={styles.quiet}>
      {bytes(file.size_bytes)}
      {file.lines && ` · ${count(file.lines.length, "line")}`}
      {file.language && ` · ${file.language}`}
      {file.mark && ` · ${file.mark}`}
      {file.task && ` by ${file.task}`}
    </span>
  );
}
