// Which page is shown, and what surrounds all of them.
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { Refusal } from "../api/client";
import { asksAgain } from "../api/queries";
import { BuildPage } from "../build/BuildPage";
import { HomePage } from "../home/HomePage";
import { LiveBuild } from "../live/LiveBuild";
import { Layout } from "../shell/Layout";
import { RightsInBuild, RightsInProject } from "../shell/RightsIn";
import { followLink, type Place, placeOf, usePath } from "../shell/router";
import { Empty, Problem, Skeleton } from "../ui/States";

const PARTS = {
  plan: lazy(async () => ({ default: (await import("../plan/PlanPage")).PlanPage })),
  log: lazy(async () => ({ default: (await import("../log/LogPage")).LogPage })),
  review: lazy(async () => ({ default: (await import("../review/ReviewPage")).ReviewPage })),
  attempts: lazy(async () => ({ default: (await import("../attempts/AttemptsPage")).AttemptsPage })),
  files: lazy(async () => ({ default: (await import("../files/FilesPage")).FilesPage })),
  costs: lazy(async () => ({ default: (await import("../costs/CostsPage")).CostsPage })),
  complete: lazy(async () => ({ default: (await import("../complete/CompletePage")).CompletePage })),
};
const OF_PROJECT = {
  project: lazy(async () => ({ default: (await import("../project/ProjectPage")).ProjectPage })),
  interview: lazy(async () => ({ default: (await import("../project/InterviewPage")).InterviewPage })),
  contracts: lazy(async () => ({ default: (await import("../contracts/ContractsPage")).ContractsPage })),
};
const OTHERS = {
  new: lazy(async () => ({ default: (await import("../project/NewPage")).NewPage })),
  spending: lazy(async () => ({ default: (await import("../costs/SpendingPage")).SpendingPage })),
  team: lazy(async () => ({ default: (await import("../team/TeamPage")).TeamPage })),
  settings: lazy(async () => ({ default: (await import("../settings/SettingsPage")).SettingsPage })),
  repositories: lazy(async () => ({ default: (await import("../repos/RepositoriesPage")).RepositoriesPage })),
};
const WAITING = <Skeleton widths={[30, 100, 100, 100]} />;

function newClient(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        // The session is over: the server leads to the page where one signs in, and back.
        if (error instanceof Refusal && error.status === 401) location.assign(location.href);
      },
    }),
    defaultOptions: { queries: { retry: asksAgain, staleTime: 1_000, refetchOnWindowFocus: true } },
  });
}

export function App() {
  const [client] = useState(newClient);
  useEffect(() => {
    document.addEventListener("click", followLink);
    return () => document.removeEventListener("click", followLink);
  }, []);
  const place = placeOf(usePath());
  useFocusOnNewPage(place.page);
  return (
    <QueryClientProvider client={client}>
      <Layout place={place}>
        <Fault key={place.page}>
          <Page place={place} />
        </Fault>
      </Layout>
    </QueryClientProvider>
  );
}

function Page({ place }: { readonly place: Place }) {
  switch (place.page) {
    case "home":
      return <HomePage />;
    case "new":
    case "spending":
    case "team":
    case "settings":
    case "repositories": {
      const Other = OTHERS[place.page];
      return (
        <Suspense fallback={WAITING}>
          <Other />
        </Suspense>
      );
    }
    case "project":
    case "interview":
    case "contracts": {
      const Part = OF_PROJECT[place.page];
      return (
        <Suspense fallback={WAITING}>
          <RightsInProject id={place.project}>
            <Part key={place.project} id={place.project} />
          </RightsInProject>
        </Suspense>
      );
    }
    case "nowhere":
      return <Nowhere />;
    default: {
      const Part = place.page === "build" ? BuildPage : PARTS[place.page];
      return (
        <LiveBuild key={place.build} id={place.build}>
          <RightsInBuild id={place.build}>
            <Suspense fallback={WAITING}>
              <Part id={place.build} />
            </Suspense>
          </RightsInBuild>
        </LiveBuild>
      );
    }
  }
}

function Nowhere() {
  return (
    <div style={{ padding: 24 }}>
      <h1>There is no such page</h1>
      <Empty button={<a href="/">All builds</a>} command="buildwright status">
        The address leads nowhere.
      </Empty>
    </div>
  );
}

/** After going to another page the keyboard is there too; not at the first page, which the browser opened. */
function useFocusOnNewPage(page: string): void {
  const first = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is the reason
  useEffect(() => {
    if (first.current) first.current = false;
    else document.getElementById("main")?.focus({ preventScroll: true });
  }, [page]);
}

/** A fault of a page is shown in its place; the rest stays usable. */
class Fault extends Component<{ readonly children: ReactNode }, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <Problem
        message={`This page has a fault: ${this.state.error.message}`}
        fix="Load it again, and please report it."
      />
    );
  }
}
