// Where to build: the kinds of places that the server has, and what is typed, checked by the server as it is typed.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { ask, refusalOf } from "../api/client";
import { targets } from "../api/queries";
import type { TargetChecked, TargetKind } from "../api/types";
import { Icon } from "../ui/Badge";
import { cx } from "../ui/cx";
import { Field } from "../ui/Field";
import ui from "../ui/ui.module.css";
import styles from "./project.module.css";

export interface Target {
  readonly kind: TargetKind["target_type"];
  readonly ref: string;
}

const TYPED_MS = 250;

/** What the server says of a target, a moment after the last key; null while it is not known. */
export function useChecked({ kind, ref }: Target): TargetChecked | null {
  const [said, setSaid] = useState<{ readonly of: string; readonly checked: TargetChecked } | null>(null);
  const of = `${kind} ${ref.trim()}`;
  useEffect(() => {
    if (!ref.trim()) return;
    let over = false;
    const timer = setTimeout(async () => {
      const body = { target_type: kind, target_ref: ref.trim() };
      const checked = await ask<TargetChecked>("/api/targets/check", body).catch((error) => {
        const refused = refusalOf(error);
        return { ok: false, words: refused.message, fix: refused.fix, repository: "" };
      });
      if (!over) setSaid({ of, checked });
    }, TYPED_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [kind, ref, of]);
  return said?.of === of ? said.checked : null;
}

interface Props {
  readonly target: Target;
  readonly checked: TargetChecked | null;
  readonly onChange: (target: Target) => void;
}

export function TargetPicker({ target, checked, onChange }: Props) {
  const kinds = useQuery(targets()).data?.items ?? [];
  const name = useId();
  const chosen = kinds.find((one) => one.target_type === target.kind);
  return (
    <>
      <fieldset className={styles.kinds}>
        <legend>Where</legend>
        {kinds.map((one) => (
          <label key={one.target_type} className={cx(styles.kind, !one.available && styles.away)}>
            <input
              type="radio"
              name={name}
              checked={one.target_type === target.kind}
              disabled={!one.available}
              onChange={() => onChange({ ...target, kind: one.target_type })}
            />
            <span>
              <strong>{one.title}</strong>
              <span className={styles.quiet}>{one.available ? one.words : one.why_not}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <Field
        label={target.kind === "local_path" ? "Path on this machine" : "Repository"}
        wrong={checked && !checked.ok ? `${checked.words}. ${checked.fix}`.replace("..", ".") : undefined}
        hint={
          checked?.ok ? (
            <span className={cx(ui.badge, ui.green, styles.wraps)}>
              <Icon mark="done" /> {checked.words}
            </span>
          ) : (
            chosen && <>Such as {chosen.example}</>
          )
        }
      >
        {(names) => (
          <input
            {...names}
            value={target.ref}
            autoComplete="off"
            spellCheck={false}
            aria-invalid={checked ? !checked.ok : undefined}
            onChange={(event) => onChange({ ...target, ref: event.target.value })}
          />
        )}
      </Field>
    </>
  );
}
