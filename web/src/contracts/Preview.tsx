// A contract as it reads: its headings as an outline, and beside each line the answers that it came from.
import { useQuery } from "@tanstack/react-query";
import { contractComments } from "../api/queries";
import type { ContractText } from "../api/types";
import { projectAddress } from "../shell/router";
import { cx } from "../ui/cx";
import { Panel } from "../ui/Panel";
import styles from "./contracts.module.css";

interface Props {
  readonly id: string;
  readonly found: ContractText;
  readonly text: string;
}

export function Preview({ id, found, text }: Props) {
  const same = text === found.content;
  const from = new Map(found.lines.map((line) => [line.number, line.answers]));
  const lines = text.split("\n");
  const comments = useQuery(contractComments(id, found.contract_type, false)).data?.items ?? [];
  return (
    <Panel title="As it reads" count={same ? undefined : "sources of lines are known once it is saved"}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long text scrolls, also by keyboard */}
      <section className={styles.preview} tabIndex={0} aria-label={`${found.file} as it reads`}>
        {lines.map((line, at) => {
          const heading = /^(#{1,4}) (.+)/.exec(line);
          const answers = same ? (from.get(at + 1) ?? []) : [];
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its number
            <div key={at} className={cx(styles.line, answers.length > 0 && styles.fromAnswer)}>
              {heading ? (
                <strong className={heading[1]?.length === 1 ? styles.title : styles.part}>
                  {heading[2]}
                </strong>
              ) : (
                <span>{line || " "}</span>
              )}
              <span className={styles.sources}>
                {same &&
                  comments
                    .filter((one) => one.line === at + 1)
                    .map((one) => (
                      <a key={one.id} href={`#comment-${one.id}`} title={one.text}>
                        comment
                      </a>
                    ))}
                {answers.map((answer) =>
                  answer === "edit" ? (
                    <span key={answer} className={styles.quiet}>
                      edited
                    </span>
                  ) : (
                    <a key={answer} href={`${projectAddress(id, "interview")}#${answer}`}>
                      {answer}
                    </a>
                  ),
                )}
              </span>
            </div>
          );
        })}
      </section>
    </Panel>
  );
}
