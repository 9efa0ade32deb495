// The build of the pages: into the Python package, the same bytes on every machine.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { stamped } from "./scripts/stamped.ts";

export default defineConfig({
  plugins: [react(), stamped()],
  base: "/",
  build: {
    outDir: "../src/buildwright/api/web",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    license: { fileName: "licenses.md" },
  },
  css: { modules: { generateScopedName: "[name]_[local]_[hash:base64:5]" } },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/auth", "/sign-in", "/sign-out"].map((path) => [path, "http://127.0.0.1:8321"]),
    ),
  },
  test: {
    environment: "happy-dom",
    environmentOptions: { happyDOM: { url: "http://127.0.0.1:8321/" } },
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    pool: "threads",
    maxWorkers: 2,
    testTimeout: 20_000,
  },
});
