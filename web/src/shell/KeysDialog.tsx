import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import ui from "../ui/ui.module.css";
import { chooseSingleKeys, useAllActions, useSingleKeys } from "./kept";
import styles from "./shell.module.css";

/** The keys of the page that is shown, and the switch for those of one letter. */
export function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  const actions = useAllActions().filter((one) => one.keys);
  const on = useSingleKeys() === "on";
  return (
    <Dialog label="Keys of this page" onClose={onClose}>
      <div className={ui.panelHead}>
        <h2>Keys of this page</h2>
        <Button look="bare" onClick={onClose}>
          Close
        </Button>
      </div>
      <dl className={styles.keys}>
        <div>
          <dt>Find an action or a build</dt>
          <dd>
            <kbd className={ui.kbd}>Ctrl</kbd> or <kbd className={ui.kbd}>⌘</kbd>{" "}
            <kbd className={ui.kbd}>K</kbd>
          </dd>
        </div>
        {actions.map((one) => (
          <div key={one.id}>
            <dt>{one.title}</dt>
            <dd>
              {one.keys?.split(" ").map((key) => (
                <kbd key={key} className={ui.kbd}>
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <label className={styles.switch}>
        <input type="checkbox" checked={on} onChange={() => chooseSingleKeys(on ? "off" : "on")} />
        Keys of one letter work
      </label>
    </Dialog>
  );
}
