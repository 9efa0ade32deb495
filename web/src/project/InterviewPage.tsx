// The interview on a project: what was said on the left, what becomes of it on the right.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ask, projectPath, put, type Refusal, read, refusalOf } from "../api/client";
import { interview, ofProject } from "../api/queries";
import type { Interview } from "../api/types";
import { announce, useActions } from "../shell/kept";
import { go, projectAddress } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Page, PageHead } from "../ui/Page";
import { Problem, Read } from "../ui/States";
import { count, dollars, short } from "../ui/words";
import { Answers } from "./Answers";
import { Chat } from "./Chat";
import styles from "./project.module.css";
import { type Message, tell } from "./telling";

export interface Turn {
  /** What is being told, "" when nothing is. */
  readonly saying: string;
  readonly busy: boolean;
  /** The reply so far. */
  readonly reply: string;
  readonly refused: Refusal | null;
  readonly say: (message: Message) => Promise<boolean>;
  readonly stop: () => void;
}

/** One message after the other; the answer takes the place of the interview that was read. */
function useTurn(id: string): Turn {
  const client = useQueryClient();
  const [state, setState] = useState({ saying: "", busy: false, reply: "", refused: null as Refusal | null });
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);
  const say = useCallback(
    async (message: Message): Promise<boolean> => {
      if (under.current) return false;
      const way = new AbortController();
      under.current = way;
      setState({ saying: message.message, busy: true, reply: "", refused: null });
      const onReply = (reply: string) => setState((before) => ({ ...before, reply }));
      try {
        const after = await tell(id, message, onReply, way.signal);
        client.setQueryData(interview(id).queryKey, after);
        setState({ saying: "", busy: false, reply: "", refused: null });
        announce(after.question ? after.question.text : after.reply);
        return true;
      } catch (error) {
        const refused = way.signal.aborted ? null : refusalOf(error);
        setState({ saying: "", busy: false, reply: "", refused });
        return false;
      } finally {
        under.current = null;
        void client.invalidateQueries({ queryKey: ofProject(id) });
      }
    },
    [client, id],
  );
  const stop = useCallback(() => under.current?.abort(), []);
  return { ...state, say, stop };
}

export function InterviewPage({ id }: { readonly id: string }) {
  const read = useQuery(interview(id));
  const turn = useTurn(id);
  const name = read.data?.name ?? "";
  useEffect(() => {
    document.title = `Interview${name && ` · ${name}`} - Buildwright`;
  }, [name]);
  return (
    <Page>
      {!read.data && <h1 className="sr-only">Interview</h1>}
      <Read from={read} widths={[30, 100, 100, 60]}>
        {(found) => <Talk id={id} found={found} turn={turn} />}
      </Read>
    </Page>
  );
}

interface TalkProps {
  readonly id: string;
  readonly found: Interview;
  readonly turn: Turn;
}

function Talk({ id, found, turn }: TalkProps) {
  const client = useQueryClient();
  const [wrong, setWrong] = useState<Refusal | null>(null);
  const { say } = turn;
  const suggestions = found.question?.suggestions;
  useActions(
    useMemo(
      () => [
        ...(suggestions ?? []).map((text, at) => ({
          id: `suggestion-${at}`,
          title: `Answer: ${text}`,
          keys: String(at + 1),
          command: `buildwright init --project ${short(id)} -m ${at + 1}`,
          run: () => void say({ message: String(at + 1) }),
        })),
        ...(suggestions
          ? [
              {
                id: "decide",
                title: "Decide for me",
                keys: "d",
                run: () => void say({ message: "decide for me" }),
              },
            ]
          : []),
        { id: "undo", title: "Undo the last step", keys: "u", run: () => void say({ message: "undo" }) },
        {
          id: "say",
          title: "Type an answer",
          keys: "i",
          run: () => document.getElementById("say")?.focus(),
        },
      ],
      [id, say, suggestions],
    ),
  );
  const change = async (answer: string, text: string): Promise<boolean> => {
    setWrong(null);
    try {
      const after = await put<Interview>(projectPath(id, `/questionnaire/answers/${answer}`), { text });
      client.setQueryData(interview(id).queryKey, after);
      void client.invalidateQueries({ queryKey: ofProject(id) });
      return true;
    } catch (error) {
      setWrong(refusalOf(error));
      return false;
    }
  };
  const takeSpec = async () => {
    const { spec } = await read<{ readonly spec?: string }>(projectPath(id));
    if (spec) await say({ message: "", material: [{ path: "SPEC.md", text: spec.slice(0, 200_000) }] });
  };
  const generate = async () => {
    setWrong(null);
    try {
      await ask(projectPath(id, "/contracts/generate"), {});
      void client.invalidateQueries({ queryKey: ofProject(id) });
      go(projectAddress(id, "contracts"));
    } catch (error) {
      setWrong(refusalOf(error));
    }
  };
  const settled = found.sections.length - found.remaining.length;
  return (
    <>
      <PageHead title={found.title || found.name}>
        <span className={styles.quiet}>
          {settled} of {found.sections.length} sections · {dollars(found.cost.cost_usd ?? 0)} in{" "}
          {count(found.cost.requests ?? 0, "request")}
          {(found.cost.unpriced ?? 0) > 0 && `, ${found.cost.unpriced} without a known price`}
        </span>
        <Command line={`buildwright init --project ${short(id)}`} />
      </PageHead>
      {wrong && <Problem message={wrong.message} fix={wrong.fix} />}
      {found.is_complete && (
        <div className={styles.row}>
          <Button act="change" look="primary" onClick={() => void generate()}>
            Make the contracts
          </Button>
          <Command line={`buildwright contracts generate ${short(id)}`} />
        </div>
      )}
      <div className={styles.talk}>
        <Chat found={found} turn={turn} onSpec={() => void takeSpec()} />
        <Answers id={id} found={found} turn={turn} onChange={change} />
      </div>
    </>
  );
}
