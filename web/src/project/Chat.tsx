// What was asked and answered, the reply as it is written, the suggestions as keys, and the box to answer in.
import { useQuery } from "@tanstack/react-query";
import { type DragEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { project } from "../api/queries";
import type { Answer, Interview } from "../api/types";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { Panel } from "../ui/Panel";
import { Problem } from "../ui/States";
import ui from "../ui/ui.module.css";
import type { Turn } from "./InterviewPage";
import styles from "./project.module.css";
import { textsOf } from "./SpecBox";

const LONGEST_MATERIAL = 200_000;

interface Props {
  readonly found: Interview;
  readonly turn: Turn;
  readonly onSpec: () => void;
}

export function Chat({ found, turn, onSpec }: Props) {
  const answers = found.sections
    .flatMap((section) => section.answers)
    .sort((one, other) => Number(one.id.slice(1)) - Number(other.id.slice(1)));
  const begun = answers.length > 0 || found.reply !== "" || found.question !== null;
  const end = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is newest changes with these
  useEffect(() => {
    end.current?.scrollIntoView?.({ block: "nearest" });
  }, [turn.reply, found]);
  return (
    <Panel title="Interview" className={styles.chat}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long talk scrolls, also by keyboard */}
      <div className={styles.said} tabIndex={0} role="log" aria-label="What was said" aria-live="off">
        {answers.map((one) => (
          <Said key={one.id} answer={one} />
        ))}
        {found.reply && !turn.busy && <p className={styles.theirs}>{found.reply}</p>}
        {turn.busy && turn.saying && <p className={styles.mine}>{turn.saying}</p>}
        {turn.busy && <p className={styles.theirs}>{turn.reply || "…"}</p>}
        {!turn.busy && found.question && (
          <p className={cx(styles.theirs, styles.question)}>
            <span className={styles.quiet}>{found.question.section.replaceAll("_", " ")}</span>
            {found.question.text}
          </p>
        )}
        <div ref={end} />
      </div>
      {turn.refused && <Problem message={turn.refused.message} fix={turn.refused.fix} />}
      {!begun && !turn.busy ? (
        <Begin onBegin={() => void turn.say({ message: "" })} onSpec={onSpec} id={found.project_id} />
      ) : (
        <Suggestions found={found} turn={turn} />
      )}
      <AnswerBox turn={turn} asked={found.question !== null} />
    </Panel>
  );
}

function Said({ answer }: { readonly answer: Answer }) {
  return (
    <>
      {answer.question && <p className={styles.theirs}>{answer.question}</p>}
      <p className={styles.mine} id={`said-${answer.id}`}>
        {answer.text}{" "}
        <span className={styles.quiet}>
          {answer.id}
          {answer.origin !== "said" && ` · ${answer.origin}`}
          {answer.source && ` · ${answer.source}`}
        </span>
      </p>
    </>
  );
}

interface BeginProps {
  readonly id: string;
  readonly onBegin: () => void;
  readonly onSpec: () => void;
}

function Begin({ id, onBegin, onSpec }: BeginProps) {
  const spec = useQuery(project(id)).data?.spec_chars ?? 0;
  return (
    <div className={styles.body}>
      <p>
        It asks for what a builder must know, in eight sections. Answer in your own words, or drop a spec into
        the box below: then only its gaps are asked.
      </p>
      <div className={styles.row}>
        {spec > 0 && (
          <Button act="change" look="primary" onClick={onSpec}>
            Ask only for what the spec leaves open
          </Button>
        )}
        <Button act="change" look={spec > 0 ? "plain" : "primary"} onClick={onBegin}>
          Begin the interview
        </Button>
      </div>
    </div>
  );
}

function Suggestions({ found, turn }: { readonly found: Interview; readonly turn: Turn }) {
  const suggestions = found.question?.suggestions ?? [];
  if (turn.busy) {
    return (
      <div className={styles.suggestions}>
        <Button onClick={turn.stop}>Stop the reply</Button>
      </div>
    );
  }
  return (
    <ul className={styles.suggestions} aria-label="Suggested answers">
      {suggestions.map((text, at) => (
        <li key={text}>
          <Button
            act="change"
            className={styles.suggestion}
            onClick={() => void turn.say({ message: String(at + 1) })}
          >
            <kbd className={ui.kbd}>{at + 1}</kbd> {text}
          </Button>
        </li>
      ))}
      {suggestions.length > 0 && (
        <li>
          <Button act="change" onClick={() => void turn.say({ message: "decide for me" })}>
            <kbd className={ui.kbd}>d</kbd> Decide for me
          </Button>
        </li>
      )}
      {(found.can_undo ?? 0) > 0 && (
        <li>
          <Button act="change" look="bare" onClick={() => void turn.say({ message: "undo" })}>
            <kbd className={ui.kbd}>u</kbd> Undo
          </Button>
        </li>
      )}
      {!found.question && !found.is_complete && (
        <li>
          <Button act="change" onClick={() => void turn.say({ message: "" })}>
            Go on
          </Button>
        </li>
      )}
    </ul>
  );
}

function AnswerBox({ turn, asked }: { readonly turn: Turn; readonly asked: boolean }) {
  const [text, setText] = useState("");
  const [over, setOver] = useState(false);
  const [wrong, setWrong] = useState("");
  const send = async () => {
    if (!text.trim()) return;
    const before = text;
    setText("");
    if (!(await turn.say({ message: before }))) setText((now) => now || before);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  const dropped = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    try {
      const files = await textsOf(event.dataTransfer.files);
      const material = files.map((one) => ({ ...one, text: one.text.slice(0, LONGEST_MATERIAL) }));
      setWrong("");
      if (material.length > 0) await turn.say({ message: text, material });
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      className={styles.answer}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label htmlFor="say" className="sr-only">
        Your answer
      </label>
      <textarea
        id="say"
        rows={2}
        value={text}
        className={cx(over && styles.over)}
        placeholder={asked ? "Answer in your own words, or drop a file" : "Say something, or drop a spec"}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={pressed}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => void dropped(event)}
      />
      <Button act="change" type="submit" disabled={turn.busy || !text.trim()}>
        Send
      </Button>
      {wrong && (
        <p role="alert" className={styles.warning}>
          {wrong}
        </p>
      )}
    </form>
  );
}
