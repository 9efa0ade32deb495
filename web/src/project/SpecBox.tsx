// A text that is typed, pasted, chosen as a file or dropped.
import { type DragEvent, useRef, useState } from "react";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { Field } from "../ui/Field";
import { count } from "../ui/words";
import styles from "./project.module.css";

export interface Dropped {
  readonly path: string;
  readonly text: string;
}

const LARGEST = 9_000_000;

/** The texts of files that were dropped or chosen. Throws an Error that names one that is too large. */
export async function textsOf(files: Iterable<File>): Promise<Dropped[]> {
  const found: Dropped[] = [];
  for (const file of files) {
    if (file.size > LARGEST) throw new Error(`${file.name} is too large: a text has at most 9 MB.`);
    found.push({ path: file.name, text: await file.text() });
  }
  return found;
}

interface Props {
  readonly text: string;
  readonly onChange: (text: string) => void;
}

export function SpecBox({ text, onChange }: Props) {
  const [over, setOver] = useState(false);
  const [wrong, setWrong] = useState("");
  const chooser = useRef<HTMLInputElement>(null);
  const take = async (files: Iterable<File>) => {
    try {
      const [first] = await textsOf(files);
      setWrong("");
      if (first) onChange(first.text);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files);
  };
  const words = text.split(/\s+/).filter(Boolean).length;
  return (
    <Field
      label="What to build"
      wrong={wrong || undefined}
      hint={text ? count(words, "word") : "Type or paste Markdown, or drop a file here."}
    >
      {(names) => (
        <>
          <textarea
            {...names}
            rows={10}
            value={text}
            className={cx(over && styles.over)}
            onChange={(event) => onChange(event.target.value)}
            onDragOver={(event) => {
              event.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={dropped}
          />
          <input
            ref={chooser}
            type="file"
            hidden
            accept=".md,.markdown,.txt,.json,.yaml,.yml,text/*"
            onChange={(event) => void take(event.target.files ?? [])}
          />
          <span>
            <Button onClick={() => chooser.current?.click()}>Choose a file</Button>
          </span>
        </>
      )}
    </Field>
  );
}
