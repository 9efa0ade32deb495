// Dropping a task: what would go with it, before it goes.
import { useQuery } from "@tanstack/react-query";
import { without } from "../api/queries";
import type { PlanRow } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Problem, Skeleton } from "../ui/States";
import styles from "./plan.module.css";
import type { DialogProps } from "./TaskForm";

export function DropDialog({
  plan,
  row,
  changing,
  onClose,
  onChange,
}: DialogProps & { readonly row: PlanRow }) {
  const { id, title } = row.task;
  const found = useQuery(without(plan.build, id)).data;
  const drop = () => onChange({ part: "task", body: { drop: [id] }, done: `Task ${id} is dropped.` });
  return (
    <Dialog label={`Drop task ${id}`} onClose={onClose}>
      <div className={styles.ask}>
        <h2>Drop “{title}”?</h2>
        {found ? (
          <>
            <p>{found.words}</p>
            {(found.unbuilt ?? []).length > 0 && (
              <ul className={styles.unbuilt}>
                {found.unbuilt?.map((one) => (
                  <li key={one}>{one}</li>
                ))}
              </ul>
            )}
            <Command line={found.command} />
          </>
        ) : (
          <Skeleton widths={[100, 60]} />
        )}
        {changing.refused && <Problem message={changing.refused.message} fix={changing.refused.fix} />}
        <div className={styles.askRow}>
          <Button autoFocus onClick={onClose}>
            Keep it
          </Button>
          <Button look="danger" disabled={changing.busy} onClick={() => void drop()}>
            Drop the task
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
