// What keeps a task's change from landing and a person may let pass, each with its reason; and what was let pass.
import { type FormEvent, useState } from "react";
import type { Why } from "../api/types";
import { useSteer } from "../shell/steer";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Refused } from "../ui/Rights";
import { moment, short } from "../ui/words";
import styles from "./build.module.css";

type Approvable = NonNullable<Why["approvable"]>[number];

export function Waivers({ build, found }: { readonly build: string; readonly found: Why }) {
  const approvable = found.approvable ?? [];
  const approvals = found.approvals ?? [];
  return (
    <>
      {approvable.length > 0 && (
        <>
          <h3>Asks for your consent</h3>
          <p className={styles.quiet}>
            These say of something that it may not be wanted, not that it fails. What you let pass stands with
            your reason in the journal, the evidence and the pull request. {found.consent}
          </p>
          <Refused act="steer" />
          <ul className={styles.lines}>
            {approvable.map((one) => (
              <li key={one.finding}>
                <One build={build} one={one} />
              </li>
            ))}
          </ul>
        </>
      )}
      {approvals.length > 0 && (
        <>
          <h3>Let pass by a person</h3>
          <ul className={styles.lines}>
            {approvals.map((one) => (
              <li key={one.finding}>
                <code>{one.code}</code> by {one.by}, {moment(one.at)}: {one.reason}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function One({ build, one }: { readonly build: string; readonly one: Approvable }) {
  const [reason, setReason] = useState("");
  const { busy, steer } = useSteer(build);
  const approve = async (event: FormEvent) => {
    event.preventDefault();
    const body = { finding: one.finding, reason: reason.trim() };
    if (await steer({ part: "approve", body, done: "Let pass: it is in the record with your reason." }))
      setReason("");
  };
  return (
    <form className={styles.waive} onSubmit={(event) => void approve(event)}>
      <p className={styles.pre}>{one.words}</p>
      <Field label="Why it may pass">
        {(names) => (
          <textarea
            {...names}
            rows={2}
            maxLength={20_000}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
      </Field>
      <div className={styles.askRow}>
        <Button type="submit" act="steer" disabled={!reason.trim() || busy !== ""}>
          Let it pass<span className="sr-only"> {one.finding}</span>
        </Button>
      </div>
      <Command
        line={`buildwright approve ${short(build)} ${one.finding} -m ${shellWord(reason.trim() || "…")}`}
      />
    </form>
  );
}
