// The frame around every page: where one is, where one can go, the palette, the keys and the one status region.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { me } from "../api/queries";
import { cx } from "../ui/cx";
import { short } from "../ui/words";
import { KeysDialog } from "./KeysDialog";
import { chooseTheme, type Theme, useActions, useAnnounced, useTheme } from "./kept";
import { useKeys } from "./keys";
import { Palette } from "./Palette";
import { buildAddress, go, type Place, projectAddress } from "./router";
import styles from "./shell.module.css";
import { Toasts } from "./Toasts";

const ICONS = {
  home: "M2.5 8 9 2.5 15.5 8v7.5h-4.5V11h-4v4.5H2.5z",
  team: "M6.5 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM2 14.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11.5 8.5a2.5 2.5 0 0 0 0-5M13 10.8c1.8.5 3 1.8 3 3.7",
  build: "M3 4.5h12M3 9h12M3 13.5h7",
  repositories:
    "M4 3h8.5a1 1 0 0 1 1 1v11H5a1.5 1.5 0 0 1-1.5-1.5V4.5A1.5 1.5 0 0 1 5 3M3.5 13.5A1.5 1.5 0 0 1 5 12h8.5",
  review: "M3.5 3h11v9h-6l-3 3v-3h-2zM6 6.5h6M6 9h3.5",
  files: "M2.5 4.5h4.5l1.5 2h7v8h-13z",
  costs: "M3 15V9.5M7 15V5M11 15V8M15 15V2.5",
  complete: "M9 15.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM6 9l2.2 2.2L12 7.2",
  log: "M3.5 4 7 7.5 3.5 11M8.5 12.5h6",
  find: "M8 13A5 5 0 1 0 8 3a5 5 0 0 0 0 10zm3.6-1.4L15.5 15.5",
  plan: "M4 4h4v4H4zM10 10h4v4h-4zM6 8v4h4",
  plus: "M9 3.5v11M3.5 9h11",
  talk: "M3 3.5h12v8.5H8L4.5 15v-3H3z",
  paper: "M5 2.5h6l3 3v10H5zM11 2.5v3h3",
  settings: "M3 5h7M13 5h2M3 13h2M8 13h7M11.5 3.5v3M6.5 11.5v3M3 9h12",
  keys: "M2.5 5h13v8.5h-13zM5 8h.01M8 8h.01M11 8h.01M6 11h6",
} as const;

function NavIcon({ name }: { readonly name: keyof typeof ICONS }) {
  return (
    <svg
      width="18"
      height="18"
      viewBox="0 0 18 18"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={ICONS[name]} />
    </svg>
  );
}

/** The pages of a project. */
const OF_PROJECT = [
  { part: "", icon: "build", name: "Project", keys: "g o", verb: "" },
  { part: "interview", icon: "talk", name: "Interview", keys: "g i", verb: "init --project" },
  { part: "contracts", icon: "paper", name: "Contracts", keys: "g c", verb: "contracts list" },
] as const;

/** The pages of a build: their address, name, keys and the command line that shows the same. */
const OF_BUILD = [
  { part: "", icon: "build", name: "Overview", keys: "g b", verb: "status" },
  { part: "plan", icon: "plan", name: "Plan", keys: "g p", verb: "task edit" },
  { part: "log", icon: "log", name: "Log", keys: "g l", verb: "logs" },
  { part: "review", icon: "review", name: "Review", keys: "g r", verb: "review" },
  { part: "files", icon: "files", name: "Files", keys: "g f", verb: "diff" },
  { part: "costs", icon: "costs", name: "Costs", keys: "g c", verb: "" },
  { part: "complete", icon: "complete", name: "Result", keys: "g e", verb: "evidence" },
] as const;

interface LinkProps {
  readonly to: string;
  readonly icon: keyof typeof ICONS;
  readonly here: boolean;
  readonly children: string;
}

function NavLink({ to, icon, here, children }: LinkProps) {
  return (
    <a href={to} className={styles.link} aria-current={here ? "page" : undefined} title={children}>
      <NavIcon name={icon} />
      <span>{children}</span>
    </a>
  );
}

export function Layout({ place, children }: { readonly place: Place; readonly children: ReactNode }) {
  const [open, setOpen] = useState<"palette" | "keys" | "">("");
  const openPalette = useCallback(() => setOpen("palette"), []);
  const close = useCallback(() => setOpen(""), []);
  useKeys(openPalette);
  useActions(
    useMemo(
      () => [
        { id: "home", title: "Go to all builds", keys: "g h", run: () => go("/") },
        { id: "new", title: "New project", keys: "g n", run: () => go("/new") },
        {
          id: "team",
          title: "Go to the team: users, tokens, members",
          keys: "g t",
          command: "buildwright user list",
          run: () => go("/team"),
        },
        {
          id: "repositories",
          title: "Go to the repositories",
          keys: "g a",
          command: "buildwright repo list",
          run: () => go("/repositories"),
        },
        {
          id: "spending",
          title: "Go to the costs of all builds",
          keys: "g s",
          command: "buildwright costs",
          run: () => go("/costs"),
        },
        {
          id: "settings",
          title: "Go to settings and health of the server",
          keys: "g x",
          command: "buildwright doctor",
          run: () => go("/settings"),
        },
        { id: "keys", title: "Show the keys of this page", keys: "?", run: () => setOpen("keys") },
        { id: "sign-out", title: "Sign out", run: signOut },
        { id: "light", title: "Light theme", run: () => chooseTheme("light") },
        { id: "dark", title: "Dark theme", run: () => chooseTheme("dark") },
        { id: "system", title: "Theme of the system", run: () => chooseTheme("system") },
      ],
      [],
    ),
  );
  const build = "build" in place ? place.build : "";
  useActions(
    useMemo(() => {
      if (!build) return [];
      const name = short(build);
      return OF_BUILD.map(({ part, name: page, keys, verb }) => ({
        id: `page-${part}`,
        title: `Go to the ${page.toLowerCase()} of this build`,
        keys,
        command: verb && `buildwright ${verb} ${name}`,
        run: () => go(buildAddress(build, part)),
      }));
    }, [build]),
  );
  const project = "project" in place ? place.project : "";
  useActions(
    useMemo(() => {
      if (!project) return [];
      return OF_PROJECT.map(({ part, name: page, keys, verb }) => ({
        id: `project-${part}`,
        title: part ? `Go to the ${page.toLowerCase()} of this project` : "Go to this project",
        keys,
        command: verb && `buildwright ${verb} ${short(project)}`,
        run: () => go(projectAddress(project, part)),
      }));
    }, [project]),
  );
  // In a narrow window the list of pages scrolls sideways.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is the reason
  useEffect(() => {
    const here = document.querySelector("nav [aria-current]");
    here?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }, [place.page]);
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#main">
        To the content
      </a>
      <nav className={styles.side} aria-label="Pages">
        <a href="/" className={styles.brand} aria-label="Buildwright, all builds">
          <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" fill="#2454d6" />
            <path
              d="M8 23V9h9a4 4 0 0 1 1.6 7.6A4.4 4.4 0 0 1 17.4 23zm3.4-8.4h4.8a1.4 1.4 0 0 0 0-2.8h-4.8zm0 5.6h5.4a1.5 1.5 0 0 0 0-3h-5.4z"
              fill="#fff"
            />
            <path d="M24 9v14" stroke="#9db8ff" strokeWidth="2.4" strokeLinecap="round" />
          </svg>
          <span>Buildwright</span>
        </a>
        <NavLink to="/" icon="home" here={place.page === "home"}>
          Builds
        </NavLink>
        <NavLink to="/new" icon="plus" here={place.page === "new"}>
          New project
        </NavLink>
        <NavLink to="/team" icon="team" here={place.page === "team"}>
          Team
        </NavLink>
        <NavLink to="/repositories" icon="repositories" here={place.page === "repositories"}>
          Repositories
        </NavLink>
        <NavLink to="/costs" icon="costs" here={place.page === "spending"}>
          Spending
        </NavLink>
        <NavLink to="/settings" icon="settings" here={place.page === "settings"}>
          Settings
        </NavLink>
        {project && (
          <>
            <p className={styles.part}>This project</p>
            {OF_PROJECT.map(({ part, icon, name }) => (
              <NavLink
                key={part}
                to={projectAddress(project, part)}
                icon={icon}
                here={place.page === (part || "project")}
              >
                {name}
              </NavLink>
            ))}
          </>
        )}
        {build && (
          <>
            <p className={styles.part}>This build</p>
            {OF_BUILD.map(({ part, icon, name }) => (
              <NavLink
                key={part}
                to={buildAddress(build, part)}
                icon={icon}
                here={place.page === (part || "build") || (part === "" && place.page === "attempts")}
              >
                {name}
              </NavLink>
            ))}
          </>
        )}
        <div className={styles.foot}>
          <button type="button" className={styles.link} onClick={openPalette} title="Find (Ctrl K)">
            <NavIcon name="find" />
            <span>Find</span>
            <kbd>Ctrl K</kbd>
          </button>
          <button
            type="button"
            className={cx(styles.link, styles.wide)}
            onClick={() => setOpen("keys")}
            title="Keys (?)"
          >
            <NavIcon name="keys" />
            <span>Keys</span>
            <kbd>?</kbd>
          </button>
          <Account />
        </div>
      </nav>
      <main id="main" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <Toasts />
      <Announced />
      {open === "palette" && <Palette onClose={close} />}
      {open === "keys" && <KeysDialog onClose={close} />}
    </div>
  );
}

/** The form at the foot of the frame, which narrow windows do not show. */
function signOut(): void {
  document.querySelector<HTMLFormElement>('form[action="/sign-out"]')?.submit();
}

function Announced() {
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {useAnnounced()}
    </div>
  );
}

function Account() {
  const user = useQuery(me()).data?.user_id ?? "";
  const theme = useTheme();
  return (
    <div className={styles.account}>
      <label>
        <span className="sr-only">Theme</span>
        <select value={theme} onChange={(event) => chooseTheme(event.target.value as Theme)}>
          <option value="system">System theme</option>
          <option value="light">Light theme</option>
          <option value="dark">Dark theme</option>
        </select>
      </label>
      <form method="post" action="/sign-out">
        <span className={styles.user} title={user}>
          {user}
        </span>
        <button type="submit">Sign out</button>
      </form>
    </div>
  );
}
