// A paused build: why, what was found, and the ways on, each with its price and the command line that does the same.
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { choices } from "../api/queries";
import type { Build, Choices, PricedChoice } from "../api/types";
import { answerTitle } from "../shell/answers";
import { buildAddress } from "../shell/router";
import { useSteer } from "../shell/steer";
import { Icon } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Refused } from "../ui/Rights";
import { Said } from "../ui/Said";
import { Skeleton } from "../ui/States";
import { useTick } from "../ui/useTick";
import { duration, sentence } from "../ui/words";
import styles from "./build.module.css";
import { FindingList } from "./FindingList";

/** Answers that take words of their own along; for others the words go to the agents as a message before. */
const WITH_WORDS = ["retry", "abort"];

export function PauseCard({ build }: { readonly build: Build }) {
  const found = useQuery(choices(build.id)).data;
  if (!found) {
    return (
      <section className={styles.pause} aria-label="Why the build is paused">
        <Skeleton widths={[40, 100]} />
      </section>
    );
  }
  return found.paused ? <Card build={build} found={found} /> : null;
}

function Card({ build, found }: { readonly build: Build; readonly found: Choices }) {
  const [message, setMessage] = useState("");
  const { busy, steer } = useSteer(build.id);
  const id = useId();
  const lines = [...(found.findings ?? []), ...(build.pause?.proposed ?? [])];
  const choose = async (choice: PricedChoice) => {
    const words = message.trim();
    const takes = choice.takes ?? "";
    const own = takes || (WITH_WORDS.includes(choice.name) ? "message" : "");
    if (
      words &&
      !own &&
      !(await steer({ part: "say", body: { text: words }, done: "The agents will be told." }))
    )
      return;
    const part = choice.path.replace(/^\/api\/builds\/[^/]+\//, "");
    const body = { ...choice.body, ...(words && own && { [own]: words }) };
    const done =
      choice.name === "abort"
        ? "The build ends."
        : choice.name === "approve"
          ? "Approved."
          : "The build goes on.";
    if (await steer({ part, body, done })) setMessage("");
  };
  return (
    <section className={styles.pause} aria-label="Why the build is paused">
      <h2>
        <Icon mark="paused" />
        {found.reason === "user" ? "You paused this build" : `Paused: ${found.reason}`}
        {found.until && <Until at={found.until} />}
      </h2>
      {found.words && (
        <p className={styles.pauseWords}>
          <Said text={sentence(found.words)} />
        </p>
      )}
      {(build.pause?.fault || found.task) && (
        <p className={styles.quiet}>
          {build.pause?.fault && <>At fault: {build.pause.fault}. </>}
          {found.task && (
            <a href={`${buildAddress(build.id)}?task=${encodeURIComponent(found.task)}`}>
              See task {found.task}
            </a>
          )}
        </p>
      )}
      {lines.length > 0 && <FindingList lines={lines} of="the paused build" />}
      <Refused act="steer" />
      <label htmlFor={id} className={styles.label}>
        Tell the agents <span className={styles.quiet}>(optional; an approval needs its reason here)</span>
      </label>
      <textarea id={id} rows={2} value={message} onChange={(event) => setMessage(event.target.value)} />
      <ul className={styles.choices}>
        {found.choices.map((choice) => (
          <li key={choice.command + choice.name}>
            <Button
              act="steer"
              look={
                choice.name === "abort"
                  ? "danger"
                  : choice.name === "go" || choice.name === "retry"
                    ? "primary"
                    : "plain"
              }
              disabled={busy !== "" || Boolean(choice.takes && !message.trim())}
              onClick={() => void choose(choice)}
            >
              {answerTitle(choice.name)}
            </Button>
            <div>
              <p>
                <Said text={sentence(choice.words)} />
              </p>
              <p className={styles.quiet} title={choice.price.basis}>
                {choice.price.words}
              </p>
            </div>
            {choice.command && <Command line={choice.command} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Until({ at }: { readonly at: string }) {
  const left = (new Date(at).getTime() - useTick(1_000)) / 1000;
  return <span className={styles.quiet}>goes on by itself in {duration(left)}</span>;
}
