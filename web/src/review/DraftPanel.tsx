// The draft of a review: all comments, a word on the whole, and the one button that sends them as a batch.
import { useSteer } from "../shell/steer";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Refused } from "../ui/Rights";
import { count, short } from "../ui/words";
import styles from "./review.module.css";
import { bodyOf, commandOf, type Draft, linesOf, NO_DRAFT } from "./rows";

interface Props {
  readonly build: string;
  readonly draft: Draft;
  readonly onChange: (change: (before: Draft) => Draft) => void;
}

export function DraftPanel({ build, draft, onChange }: Props) {
  const { busy, steer } = useSteer(build);
  const comments = draft.comments;
  const send = async () => {
    if (busy) return;
    const done = `Sent: ${count(comments.length, "comment")}. The agents take them up as messages and tasks.`;
    if (await steer({ part: "review", body: bodyOf(draft), done })) onChange(() => NO_DRAFT);
  };
  const command = commandOf(short(build), draft);
  return (
    <Panel title="Your comments" count={comments.length || undefined} className={styles.draft}>
      <div className={styles.draftBody}>
        <Refused act="review" />
        {comments.length === 0 && (
          <p className={styles.quiet}>
            Choose the number of a line, or press <kbd>c</kbd>, and write what is to change. Comments wait
            here until you send all of them.
          </p>
        )}
        <ul>
          {comments.map((one) => (
            <li key={one.id}>
              <p>
                <code>
                  {one.path}:{linesOf(one)}
                </code>
                <Button
                  look="bare"
                  aria-label={`Remove the comment on ${one.path}:${linesOf(one)}`}
                  onClick={() =>
                    onChange((before) => ({
                      ...before,
                      comments: before.comments.filter((other) => other.id !== one.id),
                    }))
                  }
                >
                  ✕
                </Button>
              </p>
              <p className={styles.words}>{one.text}</p>
            </li>
          ))}
        </ul>
        {comments.length > 0 && (
          <>
            <label>
              <span>Of the whole (optional)</span>
              <textarea
                rows={2}
                value={draft.message}
                onChange={(event) => {
                  const message = event.target.value;
                  onChange((before) => ({ ...before, message }));
                }}
              />
            </label>
            <Button act="review" look="primary" aria-disabled={busy !== ""} onClick={() => void send()}>
              Send {count(comments.length, "comment")}
            </Button>
            <Command line={command} />
          </>
        )}
      </div>
    </Panel>
  );
}
