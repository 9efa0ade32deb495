// The tasks and merged work of a build that a contract makes stale, each with its reasons.
import type { ContractsChange } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Said } from "../ui/Said";
import { count } from "../ui/words";
import styles from "./contracts.module.css";

interface Props {
  readonly build: string;
  readonly stale: NonNullable<ContractsChange["stale"]>;
  /** What it is likely to take to bring merged work up to date; "" when there is none. */
  readonly redoing: string;
}

export function Stale({ build, stale, redoing }: Props) {
  return (
    <>
      <ul className={styles.stale}>
        {stale.map((one) => (
          <li key={one.task}>
            <Badge word={one.state} />
            <div>
              <a href={`${buildAddress(build)}?task=${encodeURIComponent(one.task)}`}>
                <Said text={one.title} />
              </a>{" "}
              <span className={styles.quiet}>
                {one.landed ? `merged work in ${count((one.files ?? []).length, "file")}` : "not merged"}
              </span>
              {one.reasons.map((reason) => (
                <p key={reason} className={styles.quiet}>
                  {reason}
                </p>
              ))}
            </div>
          </li>
        ))}
      </ul>
      {redoing && <p>To bring what is merged up to date: {redoing}</p>}
    </>
  );
}
