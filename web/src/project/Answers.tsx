// What becomes of the interview: its sections with all answers, each of which may be changed, and the contracts so far.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { drafts } from "../api/queries";
import type { Answer, ContractText, Interview } from "../api/types";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { Panel } from "../ui/Panel";
import { Empty, Skeleton } from "../ui/States";
import { said, sentence } from "../ui/words";
import type { Turn } from "./InterviewPage";
import styles from "./project.module.css";

interface Props {
  readonly id: string;
  readonly found: Interview;
  readonly turn: Turn;
  readonly onChange: (answer: string, text: string) => Promise<boolean>;
}

export function Answers({ id, found, turn, onChange }: Props) {
  useEffect(() => {
    document.getElementById(location.hash.slice(1))?.scrollIntoView?.({ block: "center" });
  }, []);
  return (
    <div className={styles.answers}>
      <Contradictions found={found} />
      <Panel title="Answers" count={found.sections.reduce((sum, one) => sum + one.answers.length, 0)}>
        <ul className={styles.sections}>
          {found.sections.map((section) => (
            <li key={section.name}>
              <div className={styles.sectionHead}>
                <Badge word={section.complete ? "done" : "waiting"}>
                  {section.complete ? "complete" : "open"}
                </Badge>
                <strong>{said(section.name)}</strong>
                {found.question?.section === section.name ? (
                  <span className={styles.quiet}>asked now</span>
                ) : (
                  <Button
                    look="bare"
                    disabled={turn.busy}
                    onClick={() => void turn.say({ message: `go to ${section.name}` })}
                  >
                    Ask about this<span className="sr-only">: {said(section.name)}</span>
                  </Button>
                )}
              </div>
              {section.answers.length === 0 && <p className={styles.quiet}>{sentence(section.about)}.</p>}
              {section.answers.map((answer) => (
                <One key={`${answer.id} ${answer.revision ?? 1}`} answer={answer} onChange={onChange} />
              ))}
            </li>
          ))}
        </ul>
      </Panel>
      <Drafts id={id} answered={found.sections.some((one) => one.answers.length > 0)} />
    </div>
  );
}

function Contradictions({ found }: { readonly found: Interview }) {
  if (found.contradictions.length === 0) return null;
  return (
    <Panel title="These cannot both hold" count={found.contradictions.length}>
      <ul className={styles.conflicts}>
        {found.contradictions.map(({ first, second, sentence }) => (
          <li key={`${first.id} ${second.id}`}>
            <p>{sentence}</p>
            <div className={styles.sides}>
              {[first, second].map((one) => (
                <blockquote key={one.id}>
                  <a href={`#${one.id}`}>{one.id}</a> {one.text}
                </blockquote>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

interface OneProps {
  readonly answer: Answer;
  readonly onChange: (answer: string, text: string) => Promise<boolean>;
}

function One({ answer, onChange }: OneProps) {
  const [text, setText] = useState<string | null>(null);
  if (text === null) {
    return (
      <div className={styles.one} id={answer.id}>
        <code>{answer.id}</code>
        <p className={styles.words}>
          {answer.text}
          {answer.origin === "assumed" && <span className={styles.quiet}> (assumed)</span>}
          {answer.source && <span className={styles.quiet}> ({answer.source})</span>}
        </p>
        <Button act="change" look="bare" onClick={() => setText(answer.text)}>
          Change<span className="sr-only"> {answer.id}</span>
        </Button>
      </div>
    );
  }
  const save = async () => {
    if (text.trim() && (await onChange(answer.id, text.trim()))) setText(null);
  };
  return (
    <form
      className={styles.answer}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <textarea
        ref={focused}
        rows={3}
        aria-label={`Answer ${answer.id}`}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && setText(null)}
      />
      <div className={styles.row}>
        <Button act="change" type="submit" disabled={!text.trim()}>
          Save {answer.id}
        </Button>
        <Button look="bare" onClick={() => setText(null)}>
          Leave it
        </Button>
      </div>
    </form>
  );
}

/** Typing begins where the answer stood. */
function focused(field: HTMLTextAreaElement | null): void {
  field?.focus();
}

function Drafts({ id, answered }: { readonly id: string; readonly answered: boolean }) {
  const [shown, setShown] = useState("blueprint");
  const found = useQuery({ ...drafts(id), enabled: answered }).data?.items;
  const one = found?.find((each) => each.contract_type === shown);
  return (
    <Panel title="Contracts so far">
      {!answered ? (
        <Empty>They grow as you answer.</Empty>
      ) : !found ? (
        <Skeleton widths={[100, 60, 80]} />
      ) : (
        <div className={styles.body}>
          <label className={styles.check}>
            <span>Show</span>
            <select value={shown} onChange={(event) => setShown(event.target.value)}>
              {found.map((each) => (
                <option key={each.contract_type} value={each.contract_type}>
                  {each.file}
                </option>
              ))}
            </select>
          </label>
          {one && <Draft text={one} />}
        </div>
      )}
    </Panel>
  );
}

function Draft({ text }: { readonly text: ContractText }) {
  const from = new Map(text.lines.map((line) => [line.number, line.answers]));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text scrolls, also by keyboard
    <section className={styles.draft} tabIndex={0} aria-label={text.file}>
      {text.content.split("\n").map((line, at) => {
        const answers = from.get(at + 1) ?? [];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its number
          <div key={at} className={cx(styles.line, answers.length > 0 && styles.fromAnswer)}>
            <code>{line || " "}</code>
            {answers.map((answer) => (
              <a key={answer} href={`#${answer}`}>
                {answer}
              </a>
            ))}
          </div>
        );
      })}
    </section>
  );
}
