import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { build } from "../api/queries";
import { served, server } from "../testing/server";
import { LiveBuild } from "./LiveBuild";

served();

test("a build that is opened again after its end is followed again", async () => {
  const sockets: Pick<WebSocket, "onclose">[] = [];
  vi.stubGlobal(
    "WebSocket",
    class {
      static readonly OPEN = 1;
      readonly readyState = 0;
      onclose: WebSocket["onclose"] = null;
      constructor() {
        sockets.push(this);
      }
      close() {}
      send() {}
    },
  );
  let outcome = "succeeded";
  server.use(http.get("*/api/builds/b1", () => HttpResponse.json({ id: "b1", outcome })));
  const client = new QueryClient();
  render(
    <QueryClientProvider client={client}>
      <LiveBuild id="b1">a page</LiveBuild>
    </QueryClientProvider>,
  );
  await waitFor(() => expect(client.getQueryData(build("b1").queryKey)).toBeDefined());
  act(() => sockets[0]?.onclose?.call({} as WebSocket, { code: 1000, reason: "" } as CloseEvent));
  await client.refetchQueries({ queryKey: build("b1").queryKey });
  expect(sockets).toHaveLength(1);
  outcome = "";
  await client.refetchQueries({ queryKey: build("b1").queryKey });
  await waitFor(() => expect(sockets).toHaveLength(2));
  vi.unstubAllGlobals();
});
