// Users with rights, limits and spend; the tokens of the reader; and with whom projects are shared.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { team } from "../api/queries";
import type { Team, TeamAction, TeamMember, TeamProject, TeamToken, TeamUser } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Read } from "../ui/States";
import { dollars, moment, said } from "../ui/words";
import styles from "./team.module.css";
import { useDo } from "./useDo";

type Do = (action: TeamAction, user?: string) => Promise<void>;

export function TeamPage() {
  const found = useQuery(team());
  useEffect(() => {
    document.title = "Team - Buildwright";
  }, []);
  return (
    <Page size="text">
      <PageHead title="Team" />
      <Read from={found} widths={[100, 100, 60]} title="Your tokens">
        {(page) => <Content page={page} />}
      </Read>
    </Page>
  );
}

function Content({ page }: { readonly page: Team }) {
  const { busy, act } = useDo();
  const { users = [], tokens = [], projects = [] } = page;
  return (
    <>
      <Panel title="Users" count={users.length || undefined}>
        {users.length > 0 ? (
          users.map((user) => <UserRow key={user.user_id} user={user} busy={busy} act={act} />)
        ) : (
          <UserRow user={page.me} busy={busy} act={act} />
        )}
      </Panel>
      <GitHub account={page.github} busy={busy} act={act} />
      <Panel title="Your tokens" count={tokens.length}>
        {tokens.length === 0 && <Empty command="buildwright token --label laptop">No token counts.</Empty>}
        {tokens.map((token) => (
          <TokenRow key={token.id} token={token} busy={busy} act={act} />
        ))}
      </Panel>
      {projects.map((project) => (
        <ProjectPanel key={project.id} project={project} busy={busy} act={act} />
      ))}
      {projects.length === 0 && (
        <Panel title="Projects">
          <Empty command="buildwright contracts generate PROJECT">
            No project is kept on this server yet.
          </Empty>
        </Panel>
      )}
    </>
  );
}

interface RowProps {
  readonly busy: boolean;
  readonly act: Do;
}

interface DoingProps extends RowProps {
  readonly action: TeamAction;
  /** Of what it takes something away, and what that means: it is asked before. */
  readonly takes?: { readonly of: string; readonly means: string };
}

function Doing({ action, busy, act, takes }: DoingProps) {
  const [asks, setAsks] = useState(false);
  const close = () => setAsks(false);
  return (
    <div className={styles.doing}>
      <Button
        look={takes ? "danger" : "plain"}
        disabled={busy}
        onClick={() => (takes ? setAsks(true) : void act(action))}
      >
        {action.words}
        {takes && " …"}
      </Button>
      {action.command && <Command line={action.command} />}
      {asks && takes && (
        <Dialog label={`${action.words}: ${takes.of}`} onClose={close}>
          <div className={styles.ask}>
            <h2>
              {action.words}: {takes.of}?
            </h2>
            <p>{takes.means}</p>
            <div className={styles.doing}>
              <Button autoFocus onClick={close}>
                Leave it
              </Button>
              <Button look="danger" disabled={busy} onClick={() => void act(action).then(close)}>
                {action.words}
              </Button>
            </div>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function UserRow({
  user,
  busy,
  act,
}: RowProps & { readonly user: Omit<TeamUser, "actions"> & Partial<TeamUser> }) {
  const counts = [
    user.most_builds === null || user.most_builds === undefined
      ? ""
      : `${user.most_builds || "any number of"} builds at once`,
    user.most_builds_an_hour ? `${user.most_builds_an_hour} builds an hour` : "",
  ].filter(Boolean);
  return (
    <div className={styles.row}>
      <div className={styles.who}>
        <strong>{user.name}</strong>
        <code>{user.user_id}</code>
        <span className={styles.quiet}>{said(user.role)}</span>
        {user.disabled_at && <span className={styles.off}>disabled</span>}
      </div>
      <p className={styles.quiet}>
        {dollars(user.spent_usd ?? 0)} this month
        {user.most_usd_a_month && ` of ${dollars(user.most_usd_a_month)}`} · {user.unfinished ?? 0} unfinished
        {counts.length > 0 && ` · at most ${counts.join(", ")}`}
        {user.may_run_commands ? " · may run commands" : " · runs no commands"}
      </p>
      {(user.actions ?? []).map((action) => (
        <Doing
          key={action.path + action.words}
          action={action}
          busy={busy}
          act={act}
          {...(action.words === "Disable" && {
            takes: { of: user.user_id, means: "All tokens and sessions of this user end at once." },
          })}
        />
      ))}
    </div>
  );
}

function GitHub({ account, busy, act }: RowProps & { readonly account: Team["github"] }) {
  const { login, link, unlink } = account;
  if (!login && !link) return null;
  return (
    <Panel title="Your account of GitHub">
      <div className={styles.row}>
        <p className={styles.quiet}>
          {login ? (
            <>
              Linked to <strong>{login}</strong>: you can sign in with it, and it opens the repositories that
              you connect. {unlink && "Without it they are audited no more."}
            </>
          ) : (
            "None is linked. With one you can sign in, and connect repositories."
          )}
        </p>
        {link && <Doing action={link} busy={busy} act={act} />}
        {unlink && (
          <Doing
            action={unlink}
            busy={busy}
            act={act}
            takes={{
              of: login || "this account",
              means: "You cannot sign in with it any more, and what you connected is audited no more.",
            }}
          />
        )}
      </div>
    </Panel>
  );
}

function TokenRow({ token, busy, act }: RowProps & { readonly token: TeamToken }) {
  return (
    <div className={styles.row}>
      <div className={styles.who}>
        <strong>{token.label || (token.kind === "session" ? "A browser" : "No label")}</strong>
        <code>{token.id}</code>
        {token.is_this && <span className={styles.quiet}>this one</span>}
      </div>
      <p className={styles.quiet}>
        {said(token.kind)} · made {moment(token.created_at)} ·{" "}
        {token.last_used_at ? `last used ${moment(token.last_used_at)}` : "never used"} · until{" "}
        {moment(token.expires_at)}
      </p>
      <Doing
        action={token.revoke}
        busy={busy}
        act={act}
        takes={{
          of: token.label || token.id,
          means: token.is_this
            ? "It is the one of this browser: you are signed out at once."
            : "Whatever uses it is refused from now on.",
        }}
      />
    </div>
  );
}

function ProjectPanel({ project, busy, act }: RowProps & { readonly project: TeamProject }) {
  return (
    <Panel title={project.name} count={`you: ${project.role}`}>
      {project.members.map((member) => (
        <MemberRow key={member.user_id} member={member} busy={busy} act={act} />
      ))}
      {(project.share ?? []).length > 0 && <Share project={project} busy={busy} act={act} />}
    </Panel>
  );
}

function MemberRow({ member, busy, act }: RowProps & { readonly member: TeamMember }) {
  const choices = member.choices ?? [];
  return (
    <div className={styles.row}>
      <div className={styles.who}>
        <strong>{member.user_id}</strong>
        {choices.length === 0 ? (
          <span className={styles.quiet}>{said(member.role)}</span>
        ) : (
          <label>
            <span className="sr-only">Role of {member.user_id}</span>
            <select
              value={member.role}
              disabled={busy}
              onChange={(event) => {
                const action = choices.find((one) => one.role === event.target.value)?.action;
                if (action) void act(action);
              }}
            >
              {choices.map((one) => (
                <option key={one.role} value={one.role}>
                  {said(one.role)}: {one.words}
                </option>
              ))}
            </select>
          </label>
        )}
        {member.added_by && <span className={styles.quiet}>added by {member.added_by}</span>}
      </div>
      {member.remove && (
        <Doing
          action={member.remove}
          busy={busy}
          act={act}
          takes={{ of: member.user_id, means: "This project and its builds are not seen from now on." }}
        />
      )}
    </div>
  );
}

function Share({ project, busy, act }: RowProps & { readonly project: TeamProject }) {
  const [user, setUser] = useState("");
  const [role, setRole] = useState("member");
  const id = useId();
  const action = (project.share ?? []).find((one) => one.role === role)?.action;
  return (
    <form
      className={styles.share}
      onSubmit={(event) => {
        event.preventDefault();
        if (action && user) void act(action, user).then(() => setUser(""));
      }}
    >
      <label htmlFor={`${id}-user`}>Share with</label>
      <input
        id={`${id}-user`}
        value={user}
        onChange={(event) => setUser(event.target.value)}
        autoComplete="off"
        spellCheck={false}
      />
      <label htmlFor={`${id}-role`}>as</label>
      <select id={`${id}-role`} value={role} onChange={(event) => setRole(event.target.value)}>
        {(project.share ?? []).map((one) => (
          <option key={one.role} value={one.role}>
            {said(one.role)}: {one.words}
          </option>
        ))}
      </select>
      <Button type="submit" look="primary" disabled={busy || !user || !action}>
        Share
      </Button>
      {action && <Command line={action.command.replace("{user}", user || "NAME")} />}
    </form>
  );
}
