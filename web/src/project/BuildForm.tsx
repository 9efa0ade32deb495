// A build of a project before it begins: its options, what it is likely to take, and the start.
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { ask, projectPath, type Refusal, refusalOf } from "../api/client";
import { ofProject } from "../api/queries";
import type { PlanView, ProjectOverview } from "../api/types";
import { useActions } from "../shell/kept";
import { buildAddress, go } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Field } from "../ui/Field";
import { linesOf, shellWord } from "../ui/lines";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Problem } from "../ui/States";
import { count, dollars, duration, range } from "../ui/words";
import styles from "./project.module.css";
import { type Target, TargetPicker, useChecked } from "./Target";

interface Wish {
  readonly agent: string;
  readonly command: string;
  readonly budget: string;
  readonly checks: string;
  /** "" for what follows from the place. */
  readonly deliver: "" | "pr" | "push" | "branch";
  readonly approve: boolean;
  readonly anyBase: boolean;
}

/** The body of a request for the build that is described here. */
export function requestOf(wish: Wish, target: Target | null): object {
  const checks = linesOf(wish.checks);
  const options = {
    agent: wish.agent,
    ...(wish.agent === "shell" && { agent_command: wish.command }),
    ...(wish.budget && { limits: { budget_usd: wish.budget } }),
    ...(checks.length > 0 && { checks: checks.map((command) => ({ name: command.slice(0, 60), command })) }),
    ...(wish.anyBase && { accept_base: true }),
    ...(wish.deliver && { delivery: { kind: wish.deliver } }),
    approve_plan: wish.approve,
  };
  const place = target?.ref.trim() ? { target_type: target.kind, target_ref: target.ref.trim() } : {};
  return { ...place, options };
}

export function BuildForm({ found }: { readonly found: ProjectOverview }) {
  const { defaults } = found;
  const client = useQueryClient();
  const [wish, setWish] = useState<Wish>({
    agent: defaults.agent,
    command: "",
    budget: String(defaults.budget_usd ?? ""),
    checks: "",
    deliver: "",
    approve: defaults.approve_plan,
    anyBase: false,
  });
  const [target, setTarget] = useState<Target>({ kind: "local_path", ref: "" });
  const checked = useChecked(target);
  const [plan, setPlan] = useState<PlanView | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState("");
  const noTarget = !found.target_ref;
  const set = (change: Partial<Wish>) => setWish({ ...wish, ...change });
  const asked = async (part: "build" | "build/plan") => {
    setBusy(part);
    setRefused(null);
    try {
      const body = requestOf(wish, noTarget ? target : null);
      if (part === "build/plan") {
        setPlan(await ask<PlanView>(projectPath(found.id, "/build/plan"), body));
      } else {
        const made = await ask<{ readonly build_id: string }>(projectPath(found.id, "/build"), body);
        void client.invalidateQueries({ queryKey: ofProject(found.id) });
        go(buildAddress(made.build_id, wish.approve ? "plan" : ""));
      }
    } catch (error) {
      setRefused(refusalOf(error));
    } finally {
      setBusy("");
    }
  };
  useActions(
    useMemo(
      () => [
        {
          id: "start-build",
          title: "Start a build of this project",
          command: found.command,
          run: () => document.getElementById("start-build")?.focus(),
        },
      ],
      [found.command],
    ),
  );
  const ready = Boolean(found.source) && (!noTarget || checked?.ok === true);
  return (
    <Panel title="Start a build" count={found.source ? `from the ${found.source}` : undefined}>
      <form
        className={styles.body}
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void asked("build");
        }}
      >
        {(found.needs ?? []).length > 0 && (
          <ul className={styles.needs}>
            {found.needs?.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
        {noTarget && <TargetPicker target={target} checked={checked} onChange={setTarget} />}
        <Options wish={wish} found={found} onChange={set} />
        {plan && <Expected plan={plan} />}
        {refused && <Problem message={refused.message} fix={refused.fix} />}
        <div className={styles.row}>
          <Button id="start-build" act="start" type="submit" look="primary" disabled={!ready || busy !== ""}>
            {busy === "build" ? "It begins …" : "Start the build"}
          </Button>
          <Button act="start" disabled={!ready || busy !== ""} onClick={() => void asked("build/plan")}>
            {busy === "build/plan" ? "Planning …" : "What would it take?"}
          </Button>
          <Command line={commandOf(found.command, wish)} />
        </div>
      </form>
    </Panel>
  );
}

function commandOf(command: string, wish: Wish): string {
  const checks = linesOf(wish.checks).map((one) => ` --check ${shellWord(one)}`);
  return [
    command,
    ` --agent ${wish.agent}`,
    wish.agent === "shell" && ` --agent-command ${shellWord(wish.command)}`,
    wish.budget && ` --max-cost ${shellWord(wish.budget)}`,
    wish.deliver && ` --deliver ${wish.deliver}`,
    wish.approve && " --approve-plan",
    wish.anyBase && " --accept-base",
    ...checks,
  ]
    .filter(Boolean)
    .join("");
}

interface OptionsProps {
  readonly wish: Wish;
  readonly found: ProjectOverview;
  readonly onChange: (change: Partial<Wish>) => void;
}

function Options({ wish, found, onChange }: OptionsProps) {
  const { defaults } = found;
  const agent = defaults.agents.find((one) => one.name === wish.agent);
  return (
    <>
      <div className={styles.pair}>
        <Field label="Agent" hint={agent?.words}>
          {(names) => (
            <select
              {...names}
              value={wish.agent}
              onChange={(event) => onChange({ agent: event.target.value })}
            >
              {defaults.agents.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Budget in dollars" hint="It pauses before it spends more; empty for no limit.">
          {(names) => (
            <input
              {...names}
              inputMode="decimal"
              value={wish.budget}
              onChange={(event) => onChange({ budget: event.target.value.trim() })}
            />
          )}
        </Field>
      </div>
      {wish.agent === "shell" && (
        <Field
          label="Command of the shell agent"
          hint="It is run for each task; exit 0 means that it finished."
        >
          {(names) => (
            <input
              {...names}
              value={wish.command}
              onChange={(event) => onChange({ command: event.target.value })}
            />
          )}
        </Field>
      )}
      {defaults.may_run_commands && (
        <Field label="Checks" hint="A command on each line. Without one, those that the project has.">
          {(names) => (
            <textarea
              {...names}
              rows={2}
              value={wish.checks}
              onChange={(event) => onChange({ checks: event.target.value })}
            />
          )}
        </Field>
      )}
      <Field
        label="The result goes to"
        hint="A pull request is opened on the forge that the repository is on, as a draft until all is proven."
      >
        {(names) => (
          <select
            {...names}
            value={wish.deliver}
            onChange={(event) => onChange({ deliver: event.target.value as Wish["deliver"] })}
          >
            <option value="">what follows from the place</option>
            <option value="pr">a pull request</option>
            <option value="push">a branch of the remote</option>
            <option value="branch">a branch of the repository</option>
          </select>
        )}
      </Field>
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={wish.approve}
          onChange={(event) => onChange({ approve: event.target.checked })}
        />
        Show me the plan, and wait for my approval
      </label>
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={wish.anyBase}
          onChange={(event) => onChange({ anyBase: event.target.checked })}
        />
        Begin although the project fails its own checks now
      </label>
    </>
  );
}

/** What the build is likely to take, and its tasks. */
function Expected({ plan }: { readonly plan: PlanView }) {
  const estimate = plan.estimate;
  return (
    <section className={styles.expected} aria-label="What it would take">
      <p>
        <strong>{count(plan.tasks.length, "task")}</strong>
        {estimate?.cost_usd && ` · ${range(estimate.cost_usd, dollars)}`}
        {estimate?.seconds && ` · ${range(estimate.seconds, duration)}`}
        {estimate?.tokens &&
          ` · ${range(estimate.tokens, (amount) => Math.round(amount).toLocaleString("en"))} tokens`}
      </p>
      {estimate && (
        <p className={styles.quiet}>
          {estimate.basis === "history"
            ? `From ${count(estimate.of_tasks ?? 0, "task")} of ${count(estimate.of_builds ?? 0, "earlier build")}.`
            : "A guess from published prices: there are no earlier builds like it here."}
        </p>
      )}
      <ol className={styles.tasks}>
        {plan.tasks.map((task) => (
          <li key={task.id}>
            <Said text={task.title} /> <code className={styles.quiet}>{task.id}</code>
          </li>
        ))}
      </ol>
      {(plan.warnings ?? []).map((line) => (
        <p key={line} className={styles.warning}>
          {line}
        </p>
      ))}
    </section>
  );
}
