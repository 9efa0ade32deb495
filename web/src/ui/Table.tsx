// A table of tasks: its columns, of which narrow screens show fewer, and the cell that names a task.
import type { CSSProperties, ReactNode, Ref } from "react";
import { Said } from "./Said";
import styles from "./table.module.css";

/** How a column looks: `middle` is left out on a narrow screen, `number` stands on the right. */
export type Look = "middle" | "number";

export interface Column {
  readonly title: string;
  readonly look?: Look;
  /** Whether only those who do not see the table are told its title. */
  readonly isUnseen?: boolean;
}

interface Props {
  readonly columns: readonly Column[];
  /** Pixels of the first column. */
  readonly first: number;
  readonly body?: Ref<HTMLTableSectionElement>;
  readonly children: ReactNode;
}

export function Table({ columns, first, body, children }: Props) {
  return (
    <div className={styles.wrap}>
      <table className={styles.table} style={{ "--first": `${first}px` } as CSSProperties}>
        <thead>
          <tr>
            {columns.map(({ title, look, isUnseen }) => (
              <th key={title} scope="col" className={look && styles[look]}>
                {isUnseen ? <span className="sr-only">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>{children}</tbody>
      </table>
    </div>
  );
}

export function Cell({ look, children }: { readonly look: Look; readonly children: ReactNode }) {
  return <td className={styles[look]}>{children}</td>;
}

interface NameProps {
  readonly href: string;
  readonly id: string;
  readonly title: string;
  readonly children?: ReactNode;
}

/** The cell with the name of a task, its id, and what else is said of it. */
export function TaskName({ href, id, title, children }: NameProps) {
  return (
    <td className={styles.name}>
      <a href={href}>
        <Said text={title || id} />
      </a>{" "}
      <code className={styles.quiet}>{id}</code>
      {children}
    </td>
  );
}
