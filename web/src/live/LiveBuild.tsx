// Keeps the pages of one build up to date: the one WebSocket of the tab, and what it makes old is read anew.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from "react";
import { build, ofBuild } from "../api/queries";
import { Refresher } from "./refresher";
import { BuildStream, type StreamState } from "./stream";

/** What shows each event at once; the rest is made of the whole journal, and follows a moment later. */
const QUICK = new Set(["status", "choices"]);
const SLOW_MS = 1_500;

const Stream = createContext<BuildStream | null>(null);

export function LiveBuild({ id, children }: { readonly id: string; readonly children: ReactNode }) {
  const client = useQueryClient();
  const stream = useMemo(() => {
    const reader = (quick: boolean) => () =>
      client.refetchQueries(
        {
          queryKey: ofBuild(id),
          type: "active",
          predicate: ({ queryKey }) => QUICK.has(String(queryKey[2])) === quick,
        },
        { cancelRefetch: false, throwOnError: false },
      );
    const quick = new Refresher(reader(true));
    const slow = new Refresher(reader(false), SLOW_MS);
    return new BuildStream(id, {
      onNews: (resync) => {
        if (resync) client.removeQueries({ queryKey: ofBuild(id), type: "inactive" });
        void quick.ask();
        void slow.ask();
      },
    });
  }, [client, id]);
  useEffect(() => {
    stream.open();
    return () => stream.close();
  }, [stream]);
  useOpenedAgain(id, stream);
  return <Stream value={stream}>{children}</Stream>;
}

/** The stream of a build that has ended is over. A user may open the build again: then it is followed again. */
function useOpenedAgain(id: string, stream: BuildStream): void {
  const { data, dataUpdatedAt } = useQuery(build(id));
  const { link } = useSyncExternalStore(stream.subscribe, stream.state);
  const endedAt = useRef(0);
  const goesOn = data !== undefined && !data.outcome;
  useEffect(() => {
    if (link === "ended") endedAt.current = Date.now();
  }, [link]);
  useEffect(() => {
    // What was read before the end came says nothing.
    if (link !== "ended" || !goesOn || dataUpdatedAt <= endedAt.current) return;
    stream.close();
    stream.open();
  }, [link, goesOn, dataUpdatedAt, stream]);
}

export function useStream(): BuildStream {
  const stream = useContext(Stream);
  if (!stream) throw new Error("there is no build around this part of a page");
  return stream;
}

export function useStreamState(): StreamState {
  const stream = useStream();
  return useSyncExternalStore(stream.subscribe, stream.state);
}
