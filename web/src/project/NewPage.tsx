// A project begins: its name, where to build, and what, by a spec or an interview.
import { type FormEvent, useEffect, useState } from "react";
import { ask, type Refusal, refusalOf } from "../api/client";
import { go, projectAddress } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Problem } from "../ui/States";
import styles from "./project.module.css";
import { SpecBox } from "./SpecBox";
import { type Target, TargetPicker, useChecked } from "./Target";

type Way = "interview" | "spec";

export function NewPage() {
  const [name, setName] = useState("");
  const [target, setTarget] = useState<Target>({ kind: "local_path", ref: "" });
  const [way, setWay] = useState<Way>("interview");
  const [text, setText] = useState("");
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const checked = useChecked(target);
  useEffect(() => {
    document.title = "New project - Buildwright";
  }, []);
  const create = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setRefused(null);
    const ref = target.ref.trim();
    try {
      const made = await ask<{ readonly id: string }>("/projects", {
        name: name.trim(),
        ...(ref && { target_type: target.kind, target_ref: ref }),
        ...(way === "spec" && { spec: text }),
      });
      go(projectAddress(made.id, way === "interview" ? "interview" : ""));
    } catch (error) {
      setRefused(refusalOf(error));
      setBusy(false);
    }
  };
  const ready = name.trim() && checked?.ok !== false && (way === "interview" || text.trim());
  const repository = target.ref.trim() || "PATH";
  return (
    <Page>
      <PageHead title="New project" />
      <form className={styles.form} onSubmit={(event) => void create(event)}>
        <Panel title="Name and place">
          <div className={styles.body}>
            <Field label="Name">
              {(names) => (
                <input
                  {...names}
                  value={name}
                  maxLength={200}
                  required
                  onChange={(event) => setName(event.target.value)}
                />
              )}
            </Field>
            <TargetPicker target={target} checked={checked} onChange={setTarget} />
          </div>
        </Panel>
        <Panel title="What to build">
          <div className={styles.body}>
            <fieldset className={styles.kinds}>
              <legend>How you say it</legend>
              <Choice way="interview" now={way} onChoose={setWay} title="Start an interview">
                You are asked for what a builder must know; you may drop in a spec, and only its gaps are
                asked.
              </Choice>
              <Choice way="spec" now={way} onChoose={setWay} title="I have a spec">
                Markdown, in your own words.
              </Choice>
            </fieldset>
            {way === "spec" && <SpecBox text={text} onChange={setText} />}
          </div>
        </Panel>
        {refused && <Problem message={refused.message} fix={refused.fix} />}
        <div className={styles.row}>
          <Button type="submit" look="primary" disabled={!ready || busy}>
            {way === "interview" ? "Create, and start the interview" : "Create the project"}
          </Button>
          <Command
            line={
              way === "interview"
                ? `buildwright init --name ${shellWord(name || "NAME")}`
                : `buildwright build SPEC.md --repo ${shellWord(repository)}`
            }
          />
        </div>
      </form>
    </Page>
  );
}

interface ChoiceProps {
  readonly way: Way;
  readonly now: Way;
  readonly title: string;
  readonly children: string;
  readonly onChoose: (way: Way) => void;
}

function Choice({ way, now, title, children, onChoose }: ChoiceProps) {
  return (
    <label className={styles.kind}>
      <input type="radio" name="way" checked={way === now} onChange={() => onChoose(way)} />
      <span>
        <strong>{title}</strong>
        <span className={styles.quiet}>{children}</span>
      </span>
    </label>
  );
}
