// A paused build: why, what was found, and the ways on, each with the command line that does the same.
import { useId, useState } from "react";
import type { Build, Choice, Pause } from "../api/types";
import { buildAddress } from "../shell/router";
import { useSteer } from "../shell/steer";
import { Icon } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { useTick } from "../ui/useTick";
import { duration, said, short } from "../ui/words";
import styles from "./build.module.css";

const TITLES: Record<string, string> = {
  retry: "Try again",
  skip: "Skip",
  abort: "End the build",
};

/** The body of the request for a choice, with the value of the field that it takes. */
export function bodyOf(choice: Choice, value: string, message: string): object {
  const [name = "", field] = (choice.takes ?? "").split(".");
  const taken = !name ? {} : field ? { [name]: { [field]: value } } : { [name]: value || true };
  const told = message && (choice.name === "retry" || choice.name === "abort") ? { message } : {};
  return { choice: choice.name, ...taken, ...told };
}

export function PauseCard({ build, pause }: { readonly build: Build; readonly pause: Pause }) {
  const [message, setMessage] = useState("");
  const { busy, steer } = useSteer(build.id);
  const id = useId();
  const choose = async (choice: Choice, value: string) => {
    const words = message.trim();
    if (words && choice.name !== "retry" && choice.name !== "abort") {
      // The answer to such a pause has no words of its own: they go to the agents as a message.
      const sent = await steer({ part: "say", body: { text: words }, done: "The agents will be told." });
      if (!sent) return;
    }
    const done = choice.name === "abort" ? "The build ends." : "The build goes on.";
    if (await steer({ part: "resume", body: bodyOf(choice, value, words), done })) setMessage("");
  };
  return (
    <section className={styles.pause} aria-label="Why the build is paused">
      <h2>
        <Icon mark="paused" />
        {pause.reason === "user" ? "You paused this build" : `Paused: ${pause.reason}`}
        {pause.until && <Until at={pause.until} />}
      </h2>
      {pause.message && <p className={styles.pauseWords}>{pause.message}</p>}
      {(pause.fault || pause.task) && (
        <p className={styles.quiet}>
          {pause.fault && <>At fault: {pause.fault}. </>}
          {pause.task && (
            <a href={`${buildAddress(build.id)}?task=${encodeURIComponent(pause.task)}`}>
              See task {pause.task}
            </a>
          )}
        </p>
      )}
      {[...(pause.findings ?? []), ...(pause.proposed ?? [])].length > 0 && (
        <ul className={styles.findings}>
          {[...(pause.findings ?? []), ...(pause.proposed ?? [])].map((found) => (
            <li key={found}>{found}</li>
          ))}
        </ul>
      )}
      <label htmlFor={id} className={styles.label}>
        Tell the agents <span className={styles.quiet}>(optional)</span>
      </label>
      <textarea id={id} rows={2} value={message} onChange={(event) => setMessage(event.target.value)} />
      <ul className={styles.choices}>
        {(pause.choices ?? []).map((choice) => (
          <ChoiceRow
            key={`${choice.name} ${choice.takes}`}
            choice={choice}
            build={build.id}
            busy={busy !== ""}
            onChoose={(value) => void choose(choice, value)}
          />
        ))}
      </ul>
    </section>
  );
}

interface RowProps {
  readonly choice: Choice;
  readonly build: string;
  readonly busy: boolean;
  readonly onChoose: (value: string) => void;
}

function ChoiceRow({ choice, build, busy, onChoose }: RowProps) {
  const [value, setValue] = useState(choice.value ?? "");
  const takes = choice.takes ?? "";
  const option = choice.name === "go" ? "" : ` --${choice.name}`;
  return (
    <li>
      <Button
        look={choice.name === "abort" ? "danger" : "primary"}
        disabled={busy}
        onClick={() => onChoose(value)}
      >
        {TITLES[choice.name] ?? (takes === "accept_plan" ? "Take this plan" : "Resume")}
      </Button>
      <div>
        <p>{said(choice.words)}</p>
        {takes && takes !== "accept_plan" && (
          <label className={styles.taken}>
            {said(takes.split(".").at(-1) ?? takes)}
            <input value={value} onChange={(event) => setValue(event.target.value)} />
          </label>
        )}
      </div>
      {!takes && <Command line={`buildwright resume ${short(build)}${option}`} />}
    </li>
  );
}

function Until({ at }: { readonly at: string }) {
  const left = (new Date(at).getTime() - useTick(1_000)) / 1000;
  return <span className={styles.quiet}>goes on by itself in {duration(left)}</span>;
}
