// News of audits over a WebSocket: a push that is queued, judged or done shows at once. After a cut all is read anew.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { waitBefore } from "../live/backoff";
import { ofRepositories } from "./queries";

const SIGNED_OUT = 4401;

/** Whether the news arrives; while it does not, the page has to ask. */
export function useAuditNews(): boolean {
  const client = useQueryClient();
  const [live, setLive] = useState(false);
  useEffect(() => {
    let socket: WebSocket | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let tries = 0;
    const connect = () => {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      socket = new WebSocket(`${scheme}://${location.host}/ws?repositories=true`);
      // The first frame is a greeting: what came before it is read now.
      socket.onmessage = () => {
        tries = 0;
        setLive(true);
        void client.refetchQueries(ofRepositories, { cancelRefetch: true, throwOnError: false });
      };
      socket.onclose = (event) => {
        setLive(false);
        if (event.code === SIGNED_OUT) return;
        tries += 1;
        timer = setTimeout(connect, waitBefore(tries));
      };
    };
    connect();
    return () => {
      clearTimeout(timer);
      if (socket) {
        socket.onclose = null;
        socket.close();
      }
    };
  }, [client]);
  return live;
}
