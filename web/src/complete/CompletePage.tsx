// What a build came to: what was built of what was asked, with its proof; what was left out; and how to take it from here.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { buildPath } from "../api/client";
import { build as buildQuery, instructions, spec, summary } from "../api/queries";
import type { Build, Instructions, LaterDelivery, SpecPiece, SpecTask, Summary } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { toast } from "../shell/kept";
import { buildAddress } from "../shell/router";
import { STOP_DELIVERY, useSteer } from "../shell/steer";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Checks } from "../ui/Checks";
import { Command } from "../ui/Command";
import { copied } from "../ui/copy";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Fact, Facts, Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Refused } from "../ui/Rights";
import { Said } from "../ui/Said";
import { Empty, Read, Skeleton } from "../ui/States";
import { count, dollars, duration, moment, said, short } from "../ui/words";
import styles from "./complete.module.css";
import { Spent } from "./Spent";

const WORDS = { grey: "not built", blue: "in work", green: "proven", red: "failed" } as const;
const BADGES = { grey: "waiting", blue: "working", green: "done", red: "failed" } as const;
const LEFT_OUT = ["skipped", "failed", "rejected"];
/** Phases of a task that has landed, or that an agent, a check or the merge train works on. */
const BEGUN = new Set(["done", "working", "judging", "merging"]);
const BARS = [30, 100, 100, 60, 100];

/** A build that is delivered once more has ended as before. */
const endOf = (build: Build | undefined) => build?.delivering?.outcome ?? build?.outcome;

export function CompletePage({ id }: { readonly id: string }) {
  const build = useQuery(buildQuery(id));
  const figures = useQuery(summary(id));
  const title = build.data?.title ?? "";
  const ended = endOf(build.data);
  useEffect(() => {
    document.title = `Result · ${title} - Buildwright`;
  }, [title]);
  return (
    <Page size="text" className={styles.page}>
      <PageHead title="Result" of={title}>
        {ended && <Badge word={ended} />}
        <LinkChip />
      </PageHead>
      <Read from={build} widths={BARS}>
        {(made) => (
          <Read from={figures} widths={BARS}>
            {(summed) => <Content build={made} figures={summed} />}
          </Read>
        )}
      </Read>
    </Page>
  );
}

function Content({ build, figures }: { readonly build: Build; readonly figures: Summary }) {
  const { id } = build;
  const ended = endOf(build);
  return (
    <>
      {!ended && (
        <p className={styles.unfinished}>
          This build has not ended. What follows is how far it is; <a href={buildAddress(id)}>see it work</a>.
        </p>
      )}
      {build.message && (
        <p>
          <Said text={build.message} />
        </p>
      )}
      <Totals figures={figures} />
      <LeftOut build={build} />
      <Built id={id} />
      <Take id={id} />
      {build.delivering ? (
        <Delivering id={id} found={build.delivering} />
      ) : (
        ended && <Deliver build={build} />
      )}
      <Spent id={id} />
      <Proof id={id} figures={figures} />
    </>
  );
}

function Totals({ figures }: { readonly figures: Summary }) {
  const { audits } = figures;
  return (
    <Panel title="In figures">
      <Facts className={styles.figures}>
        <Fact name="Tasks">
          {figures.tasks.done ?? 0} of {figures.tasks_total} done
        </Fact>
        <Fact name="Phases">
          {figures.phases.filter((one) => one.status === "completed").length} of {figures.phases.length}
        </Fact>
        <Fact name="Time">{duration(figures.seconds)}</Fact>
        <Fact name="Cost">{dollars(figures.estimated_cost_usd)}</Fact>
        <Fact name="Tokens">{figures.tokens.toLocaleString("en")}</Fact>
        <Fact name="Attempts">
          {figures.attempts}, {figures.loopbacks} sent back
        </Fact>
        <Fact name="Verdicts">
          {audits.passed ?? 0} of {audits.total ?? 0} passed
        </Fact>
        <Fact name="Files">{figures.files_written}</Fact>
        <Fact name="Commits">{figures.commits}</Fact>
        <Fact name="Pauses">{figures.pauses}</Fact>
        {figures.completed_at && <Fact name="Ended">{moment(figures.completed_at)}</Fact>}
      </Facts>
    </Panel>
  );
}

/** What was skipped or failed stands before what was built. */
function LeftOut({ build }: { readonly build: Build }) {
  const tasks = build.tasks.filter((task) => LEFT_OUT.includes(task.phase));
  if (tasks.length === 0) return null;
  return (
    <Panel title="Left out" count={tasks.length}>
      <ul className={styles.items}>
        {tasks.map((task) => (
          <li key={task.id}>
            <p>
              <Badge word={task.phase} />{" "}
              <a href={`${buildAddress(build.id)}?task=${encodeURIComponent(task.id)}`}>
                <Said text={task.title || task.id} />
              </a>
            </p>
            {task.reason && (
              <p className={styles.quiet}>
                <Said text={task.reason} />
              </p>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Built({ id }: { readonly id: string }) {
  const found = useQuery(spec(id)).data;
  if (!found) {
    return (
      <Panel title="What was built">
        <Skeleton widths={[80, 100, 60]} />
      </Panel>
    );
  }
  const pieces = found.documents.flatMap((document) => document.pieces.filter((piece) => piece.asks));
  const byId = new Map(found.tasks.map((task) => [task.id, task]));
  const tasksOf = (ids: readonly string[]) => ids.flatMap((id) => byId.get(id) ?? []);
  const unasked = tasksOf(found.unasked).filter((task) => BEGUN.has(task.phase));
  const proven = pieces.filter((piece) => piece.state === "green").length;
  return (
    <Panel title="What was built" count={`${proven} of ${pieces.length} proven`}>
      {pieces.length > 0 && (
        <ol className={styles.items}>
          {pieces.map((piece) => (
            <Part key={`${piece.line} ${piece.start}`} id={id} piece={piece} tasks={tasksOf(piece.tasks)} />
          ))}
        </ol>
      )}
      {pieces.length === 0 && unasked.length === 0 && (
        <Empty>The plan is all that was asked for; its tasks are on the overview.</Empty>
      )}
      {unasked.length > 0 && (
        <div className={styles.unasked}>
          <h3>Besides what the text asks for</h3>
          <p className={styles.quiet}>Tasks in which no part of the text was recognised.</p>
          <Proofs id={id} tasks={unasked} />
        </div>
      )}
    </Panel>
  );
}

function Part({
  id,
  piece,
  tasks,
}: {
  readonly id: string;
  readonly piece: SpecPiece;
  readonly tasks: readonly SpecTask[];
}) {
  return (
    <li>
      <p className={styles.asked}>
        <Badge word={BADGES[piece.state]}>{WORDS[piece.state]}</Badge>{" "}
        <span>
          <Said text={piece.text.trim()} />
        </span>
      </p>
      {tasks.length === 0 ? (
        <p className={styles.quiet}>No task builds it.</p>
      ) : (
        <Proofs id={id} tasks={tasks} />
      )}
    </li>
  );
}

function Proofs({ id, tasks }: { readonly id: string; readonly tasks: readonly SpecTask[] }) {
  return (
    <ul className={styles.proofs}>
      {tasks.map((task) => (
        <li key={task.id}>
          <a href={`${buildAddress(id)}?task=${encodeURIComponent(task.id)}`}>
            <Said text={task.title || task.id} />
          </a>
          <code className={styles.quiet}>{task.id}</code>
          {task.commit ? <code>{task.commit.slice(0, 9)}</code> : <Badge word={task.phase} />}
          <Checks
            checks={task.checks.map(({ gate, result, command, tests }) => ({
              gate,
              ok: result === "passed",
              about: command,
              tests,
            }))}
          />
          {task.reason && (
            <span className={styles.quiet}>
              <Said text={task.reason} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Take({ id }: { readonly id: string }) {
  const { data, error } = useQuery(instructions(id));
  if (!data) {
    return (
      <Panel title="Take it and run it">
        {error ? <Empty>{error.message}.</Empty> : <Skeleton widths={[60, 100, 80]} />}
      </Panel>
    );
  }
  return (
    <Panel title="Take it and run it" aside={<CopyAll found={data} />}>
      <ol className={styles.steps}>
        {data.steps.map((step) => (
          <li key={`${step.title} ${step.text}`}>
            <h3>{step.title}</h3>
            {step.text && (
              <p>
                <Said text={step.text} />
              </p>
            )}
            {step.commands.map((line) => (
              <Command key={line} line={line} />
            ))}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

const GOALS = [
  { to: "pr", title: "Open a pull request", done: "It is pushed, and its pull request opened or updated." },
  { to: "push", title: "Push it", done: "It is pushed." },
] as const;

/** Brings what has landed elsewhere after the end; the pull request that is open is updated. */
function Deliver({ build }: { readonly build: Build }) {
  const { busy, steer } = useSteer(build.id);
  const [branch, setBranch] = useState("");
  const name = short(build.id);
  const named = branch.trim();
  return (
    <Panel title="Deliver it">
      <div className={styles.deliver}>
        <Refused act="steer" />
        {build.delivery_error && (
          <p role="alert">
            The newest delivery failed: <Said text={build.delivery_error} />
          </p>
        )}
        <div className={styles.branch}>
          <Field label="Branch" hint="Empty: the one that it has.">
            {(names) => (
              <input
                {...names}
                value={branch}
                maxLength={200}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => setBranch(event.target.value)}
              />
            )}
          </Field>
        </div>
        {GOALS.filter((one) => one.to === "pr" || build.outcome === "succeeded").map(
          ({ to, title, done }) => (
            <Way
              key={to}
              title={to === "pr" && build.pull_request ? "Update the pull request" : title}
              look={to === "pr" ? "primary" : "plain"}
              busy={busy !== ""}
              onChoose={() =>
                void steer({ part: "deliver", body: { deliver: to, branch: named }, done: `Asked. ${done}` })
              }
              command={`buildwright deliver ${name} --to ${to}${named && ` --branch ${shellWord(named)}`}`}
            />
          ),
        )}
        {build.pull_request && (
          <Way
            title="Make tasks of its review"
            busy={busy !== ""}
            onChoose={() =>
              void steer({
                part: "feedback",
                body: {},
                done: "Its comments are tasks, and the build goes on.",
              })
            }
            command={`buildwright pr feedback ${name}`}
          />
        )}
      </div>
    </Panel>
  );
}

interface WayProps {
  readonly title: string;
  readonly look?: "primary" | "plain";
  readonly busy: boolean;
  readonly onChoose: () => void;
  readonly command: string;
}

function Way({ title, look = "plain", busy, onChoose, command }: WayProps) {
  return (
    <div className={styles.goal}>
      <Button act="steer" look={look} disabled={busy} onClick={onChoose}>
        {title}
      </Button>
      <Command line={command} />
    </div>
  );
}

/** A delivery that was asked for after the end, while it runs. */
function Delivering({ id, found }: { readonly id: string; readonly found: LaterDelivery }) {
  const { busy, steer } = useSteer(id);
  return (
    <Panel title="Deliver it">
      <div className={styles.deliver}>
        <p role="status">
          <Badge word="working">delivering</Badge> <Said text={found.words} />
        </p>
        <Refused act="steer" />
        <Way
          title={STOP_DELIVERY.title}
          busy={busy !== "" || found.stopping}
          onChoose={() => void steer(STOP_DELIVERY.what)}
          command={`buildwright stop ${short(id)}`}
        />
      </div>
    </Panel>
  );
}

function CopyAll({ found }: { readonly found: Instructions }) {
  const copy = async () => {
    const is = await copied(found.markdown);
    toast(is ? { text: "All steps are copied." } : { text: "They cannot be copied here.", bad: true });
  };
  return <Button onClick={() => void copy()}>Copy all as Markdown</Button>;
}

function Proof({ id, figures }: { readonly id: string; readonly figures: Summary }) {
  const name = short(id);
  const made = figures.delivered;
  const request = made && isWebAddress(made.pull_request) ? made.pull_request : "";
  return (
    <Panel title="Links and proof">
      <div className={styles.links}>
        {made ? (
          <Facts>
            <Fact name={made.branch ? "Branch" : said(made.kind)}>
              <code>{made.branch || made.ref || "in place"}</code>
            </Fact>
            {made.commit && (
              <Fact name="Commit">
                <code>{made.commit.slice(0, 12)}</code>
              </Fact>
            )}
            {made.remote && (
              <Fact name="Pushed to">
                <code>{made.remote}</code>
              </Fact>
            )}
            {request && (
              <Fact name={made.draft ? "Pull request (draft)" : "Pull request"}>
                <a href={request} target="_blank" rel="noreferrer">
                  {request}
                </a>
              </Fact>
            )}
          </Facts>
        ) : (
          <p className={styles.quiet}>Nothing was delivered.</p>
        )}
        <ul>
          <li>
            <a href={buildAddress(id, "review")}>Review the change</a>
          </li>
          <li>
            <a href={buildAddress(id, "files")}>Read the files</a>
          </li>
          <li>
            <a href={buildAddress(id, "costs")}>See what it cost</a>
          </li>
          {figures.contracts > 0 && (
            <li>
              <a href={buildPath(id, "/contracts")} download>
                Download its {count(figures.contracts, "contract")}
              </a>
            </li>
          )}
          <li>
            <a href={buildPath(id, "/evidence")} download>
              Download the evidence
            </a>{" "}
            <span className={styles.quiet}>
              A page for people, the signed bundle, and the key. Anybody can check it, without this server:
            </span>
          </li>
        </ul>
        <Command line={`buildwright verify evidence-${name}.json --key signing.pub.pem`} />
        <Command line={`buildwright evidence ${name}`} />
      </div>
    </Panel>
  );
}

/** Only such an address becomes a link. */
function isWebAddress(text: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
