// The user's own text as the progress bar: each part in the colour of its state, with what builds and proves it.
import { useQuery } from "@tanstack/react-query";
import { spec } from "../api/queries";
import type { Spec, SpecPiece } from "../api/types";
import { buildAddress, setQuery, useQueryValue } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Bar } from "../ui/Bar";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Skeleton } from "../ui/States";
import { count } from "../ui/words";
import styles from "./spec.module.css";

const WORDS = { grey: "not begun", blue: "in work", green: "proven", red: "failed" } as const;
const BADGES = { grey: "waiting", blue: "working", green: "done", red: "failed" } as const;

/** The name of a part that stays while its state changes: the number of its document, and where it begins there. */
function nameOf(document: number, piece: SpecPiece): string {
  return `${document}.${piece.start}`;
}

export function SpecPanel({ id }: { readonly id: string }) {
  const found = useQuery(spec(id)).data;
  const chosen = useQueryValue("part");
  if (!found) {
    return (
      <Panel title="What you asked for">
        <Skeleton widths={[90, 100, 70]} />
      </Panel>
    );
  }
  if (found.documents.every((one) => (one.pieces ?? []).length === 0)) return null;
  const counts = found.counts ?? {};
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const piece = found.documents
    .flatMap((document, at) => (document.pieces ?? []).map((one) => ({ name: nameOf(at, one), one })))
    .find(({ name }) => name === chosen)?.one;
  const told = Object.entries(WORDS)
    .filter(([colour]) => counts[colour])
    .map(([colour, words]) => `${counts[colour]} ${words}`)
    .join(", ");
  return (
    <Panel title="What you asked for" count={told || count(total, "part")} className={styles.panel}>
      <div className={styles.body}>
        {total > 0 && (
          <Bar
            total={total}
            done={counts.green ?? 0}
            busy={counts.blue ?? 0}
            failed={counts.red ?? 0}
            label={`Of what you asked for: ${told}`}
          />
        )}
        {found.note && <p className={styles.quiet}>{found.note}</p>}
        <Uncovered found={found} />
        <div className={styles.columns}>
          <div className={styles.texts}>
            {found.documents.map((document, at) => (
              <article key={document.name} aria-label={document.name}>
                {found.documents.length > 1 && <h3>{document.name}</h3>}
                <div className={styles.text}>
                  {document.pieces?.map((piece) => (
                    <Piece
                      key={piece.start}
                      build={id}
                      name={nameOf(at, piece)}
                      piece={piece}
                      chosen={chosen}
                    />
                  ))}
                </div>
              </article>
            ))}
          </div>
          {piece && <Evidence build={id} found={found} piece={piece} onClose={() => setQuery("part", "")} />}
        </div>
      </div>
    </Panel>
  );
}

function Uncovered({ found }: { readonly found: Spec }) {
  if (!found.planned || found.uncovered.length === 0) return null;
  return (
    <div className={styles.uncovered}>
      <h3>No task builds {count(found.uncovered.length, "part")}</h3>
      <ul>
        {found.uncovered.map((one) => (
          <li key={`${one.document} ${one.piece}`}>
            <span className={styles.quiet}>line {one.line}</span> {one.text.trim()}
          </li>
        ))}
      </ul>
    </div>
  );
}

interface PieceProps {
  readonly build: string;
  readonly name: string;
  readonly piece: SpecPiece;
  /** The name of the part whose evidence is shown. */
  readonly chosen: string;
}

function Piece({ build, name, piece, chosen }: PieceProps) {
  if (!piece.asks) return piece.kind === "heading" ? <strong>{piece.text}</strong> : piece.text;
  const state = piece.state ?? "grey";
  const [before, words, after] = /^(\s*)([\s\S]*?)(\s*)$/.exec(piece.text)?.slice(1) ?? ["", piece.text, ""];
  return (
    <>
      {before}
      {/* A link, not a button: its lines break with those of the text around it. */}
      <a
        className={cx(styles.piece, styles[state], name === chosen && styles.chosen)}
        aria-current={name === chosen ? "true" : undefined}
        href={`${buildAddress(build)}?part=${encodeURIComponent(name)}`}
      >
        <span className="sr-only">{WORDS[state]}: </span>
        {words}
      </a>
      {after}
    </>
  );
}

interface EvidenceProps {
  readonly build: string;
  readonly found: Spec;
  readonly piece: SpecPiece;
  readonly onClose: () => void;
}

function Evidence({ build, found, piece, onClose }: EvidenceProps) {
  const tasks = found.tasks.filter((task) => piece.tasks?.includes(task.id));
  const state = piece.state ?? "grey";
  return (
    <section className={styles.evidence} aria-label="What builds this part">
      <div className={styles.evidenceHead}>
        <Badge word={BADGES[state]}>{WORDS[state]}</Badge>
        <Button look="bare" onClick={onClose} aria-label="Close what builds this part">
          ✕
        </Button>
      </div>
      {piece.words && <p>{piece.words}</p>}
      {piece.found_by === "words" && <p className={styles.quiet}>Found by the words that both share.</p>}
      <ul>
        {tasks.map((task) => (
          <li key={task.id}>
            <p>
              <Badge word={task.phase} />{" "}
              <a href={`${buildAddress(build)}?task=${encodeURIComponent(task.id)}`}>
                <Said text={task.title || task.id} />
              </a>
            </p>
            {task.commit && (
              <p className={styles.quiet}>
                landed as <code>{task.commit.slice(0, 9)}</code>
              </p>
            )}
            {task.reason && (
              <p>
                <Said text={task.reason} />
              </p>
            )}
            {(task.checks ?? []).length > 0 && (
              <p className={styles.checks}>
                {task.checks?.map((check) => (
                  <span key={check.gate} title={check.command}>
                    <Badge word={check.result === "passed" ? "passed" : "refused"}>
                      {check.gate}
                      {check.tests != null && `: ${count(check.tests, "test")}`}
                    </Badge>
                  </span>
                ))}
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
