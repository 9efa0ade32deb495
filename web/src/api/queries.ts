// What the pages read from the server, by the names under which it is kept.
import { queryOptions } from "@tanstack/react-query";
import { buildPath, projectPath, Refusal, read } from "./client";
import type {
  Attempts,
  Build,
  BuildCosts,
  BuildPage,
  Choices,
  ContractComments,
  ContractText,
  ContractView,
  Costs,
  FileView,
  Forecast,
  Gates,
  Graph,
  Home,
  Instructions,
  Interview,
  LogPage,
  Me,
  Moments,
  PlanTable,
  ProjectOverview,
  ProjectPage,
  Rail,
  Receipt,
  Review,
  Server,
  ServerAgents,
  Spec,
  Summary,
  TargetKind,
  Team,
  Tree,
  Why,
  WithoutTask,
} from "./types";

/** The parts of a build that news of it makes old. */
export const ofBuild = (id: string) => ["build", id] as const;

/** A refusal stands; a server that is away is asked again. */
export function asksAgain(failures: number, error: Error): boolean {
  const away = !(error instanceof Refusal) || error.status === 0 || error.status >= 500;
  return away && failures < 3;
}

export const me = () =>
  queryOptions({
    queryKey: ["me"],
    queryFn: ({ signal }) => read<Me>("/auth/me", signal),
    staleTime: 60_000,
  });

export const builds = () =>
  queryOptions({
    queryKey: ["builds"],
    queryFn: ({ signal }) => read<BuildPage>("/api/builds?limit=100", signal),
    refetchInterval: 4_000,
  });

export const build = (id: string) =>
  queryOptions({
    queryKey: [...ofBuild(id), "status"],
    queryFn: ({ signal }) => read<Build>(buildPath(id, "?tasks=2000"), signal),
  });

export const why = (id: string, task: string) =>
  queryOptions({
    queryKey: [...ofBuild(id), "why", task],
    queryFn: ({ signal }) => read<Why>(buildPath(id, `/why/${encodeURIComponent(task)}`), signal),
  });

function part<T>(id: string, path: string) {
  return queryOptions({
    queryKey: [...ofBuild(id), path],
    queryFn: ({ signal }) => read<T>(buildPath(id, `/${path}`), signal),
  });
}

export const choices = (id: string) => part<Choices>(id, "choices");
export const forecast = (id: string) => part<Forecast>(id, "forecast");
export const rail = (id: string) => part<Rail>(id, "phases");
export const graph = (id: string, phase: number) => part<Graph>(id, `phases/${phase}/graph`);
export const spec = (id: string) => part<Spec>(id, "spec-progress");
export const gates = (id: string) => part<Gates>(id, "gates");
export const moments = (id: string) => part<Moments>(id, "moments");
export const summary = (id: string) => part<Summary>(id, "summary");

const BETWEEN_SUMS_MS = 10_000;

/** A part of a build that takes the server long: it is read now and then, and not at each event. */
function slowPart<T>(id: string, path: string) {
  return queryOptions({
    queryKey: [path, id],
    queryFn: ({ signal }) => read<T>(buildPath(id, `/${path}`), signal),
    refetchInterval: BETWEEN_SUMS_MS,
  });
}

export const buildCosts = (id: string) => slowPart<BuildCosts>(id, "costs");
export const instructions = (id: string) => slowPart<Instructions>(id, "instructions");

/** The change of a build or of one of its tasks. It stands until it is asked for anew: nobody reads what moves. */
export const review = (id: string, task: string, ignoresSpace: boolean) =>
  queryOptions({
    queryKey: ["review", id, task, ignoresSpace],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ task, ignore_space: String(ignoresSpace) });
      return read<Review>(buildPath(id, `/review?${query}`), signal);
    },
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });

/** What two attempts at a task changed: it stays as it is. */
export const attempts = (id: string, task: string, left: number, right: number) =>
  queryOptions({
    queryKey: ["attempts", id, task, left, right],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ task, left: String(left), right: String(right) });
      return read<Attempts>(buildPath(id, `/attempts?${query}`), signal);
    },
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });

/** When files are wanted: `at` is the number of an event, 0 for now; `of` is `merged` or `base`. */
export interface When {
  readonly at: number;
  readonly of: "merged" | "base";
}

function filesPart<T>(id: string, path: string, newest: number | undefined) {
  return queryOptions({
    queryKey: ["files", id, path, newest],
    queryFn: ({ signal }) => read<T>(buildPath(id, `/${path}`), signal),
    enabled: newest !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The tree of files. `newest` is the last event that changed files: only another one makes what was read old. */
export const tree = (id: string, { at, of }: When, newest: number | undefined) =>
  filesPart<Tree>(id, `tree?at=${at}&of=${of}`, newest);
export const file = (id: string, path: string, { at, of }: When, newest: number | undefined) =>
  filesPart<FileView>(id, `file?${new URLSearchParams({ path, at: String(at), of })}`, newest);

/** What all builds cost, by one key, since a time ("" for always). */
export const costs = (by: string, since: string) =>
  queryOptions({
    queryKey: ["costs", by, since],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams(since ? { by, since } : { by });
      return read<Costs>(`/api/costs?${query}`, signal);
    },
    refetchInterval: 15_000,
  });

/** The newest messages with their way; what nobody has heard yet is in the build's state at once. */
export const messages = (id: string) =>
  part<{ readonly messages: readonly Receipt[]; readonly omitted?: number }>(id, "messages?limit=20");
export const planTable = (id: string) => part<PlanTable>(id, "plan/tasks");
export const without = (id: string, task: string) =>
  part<WithoutTask>(id, `plan/without/${encodeURIComponent(task)}`);

/** The parts of a project that a change of it makes old. */
export const ofProject = (id: string) => ["project", id] as const;

function projectPart<T>(id: string, path: string) {
  return queryOptions({
    queryKey: [...ofProject(id), path],
    queryFn: ({ signal }) => read<T>(projectPath(id, `/${path}`), signal),
  });
}

export const project = (id: string) => projectPart<ProjectOverview>(id, "page");
export const interview = (id: string) => projectPart<Interview>(id, "questionnaire/state");
export const contracts = (id: string) =>
  projectPart<{ readonly items: readonly ContractView[] }>(id, "contracts");
export const drafts = (id: string) =>
  projectPart<{ readonly items: readonly ContractText[] }>(id, "contracts/draft");
export const contract = (id: string, type: string) =>
  projectPart<ContractText>(id, `contracts/${encodeURIComponent(type)}`);
export const contractVersions = (id: string, type: string) =>
  projectPart<{ readonly items: readonly ContractView[] }>(
    id,
    `contracts/${encodeURIComponent(type)}/versions`,
  );

export const contractComments = (id: string, type: string, resolved: boolean) =>
  projectPart<ContractComments>(
    id,
    `contracts/comments?${new URLSearchParams({ contract_type: type, resolved: String(resolved) })}`,
  );

export const projects = () =>
  queryOptions({
    queryKey: ["projects"],
    queryFn: ({ signal }) => read<ProjectPage>("/projects?limit=100", signal),
    staleTime: 10_000,
  });

export const targets = () =>
  queryOptions({
    queryKey: ["targets"],
    queryFn: ({ signal }) => read<{ readonly items: readonly TargetKind[] }>("/api/targets", signal),
    staleTime: 600_000,
  });

/** The newest line that a task's agent wrote. */
export const lastLine = (id: string, task: string) =>
  queryOptions({
    queryKey: ["line", id, task],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ task, tail: "true", limit: "1" });
      return read<LogPage>(buildPath(id, `/logs?${query}`), signal);
    },
    refetchInterval: 2_000,
  });

const BETWEEN_HOMES_MS = 3_000;

/** The first page. `since` is the time of the visit before, "" for none. */
export const home = (since: string) =>
  queryOptions({
    queryKey: ["home"],
    queryFn: ({ signal }) => read<Home>(`/api/home${since && `?since=${encodeURIComponent(since)}`}`, signal),
    refetchInterval: BETWEEN_HOMES_MS,
  });

export const team = () =>
  queryOptions({
    queryKey: ["team"],
    queryFn: ({ signal }) => read<Team>("/api/team", signal),
    refetchInterval: 10_000,
  });

export const server = () =>
  queryOptions({
    queryKey: ["server"],
    queryFn: ({ signal }) => read<Server>("/api/server", signal),
    staleTime: 10_000,
  });

/** Starts each agent that is installed once: only for who asks. */
export const startedAgents = (asked: boolean) =>
  queryOptions({
    queryKey: ["server", "agents"],
    queryFn: ({ signal }) => read<ServerAgents>("/api/server/agents", signal),
    enabled: asked,
    staleTime: 300_000,
    refetchOnWindowFocus: false,
  });
