// Adds to a build what a server without Node needs: compressed copies of large files, and a stamp of the sources.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const ROOT = join(import.meta.dirname, "..");
/** What a bundle is made of, below `web/`. The Python test has the same list. */
export const SOURCES = [
  "index.html",
  "package-lock.json",
  "package.json",
  "scripts",
  "src",
  "tsconfig.json",
  "vite.config.ts",
];
const SMALLEST = 1024;
const COMPRESSED = /\.(js|css|svg|html)$/;

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

/** The sha256 over names and contents of all sources, tests and generated caches left out. */
export function stampOfSources(root = ROOT): string {
  const names = SOURCES.flatMap((name) => filesBelow(join(root, name))).map((path) =>
    relative(root, path).split(sep).join("/"),
  );
  const hash = createHash("sha256");
  for (const name of names.filter((one) => !/\.test\.tsx?$|^src\/testing\/|\.pyc$/.test(one)).sort()) {
    hash.update(`${name}\0`).update(
      createHash("sha256")
        .update(readFileSync(join(root, name)))
        .digest(),
    );
  }
  return hash.digest("hex");
}

export function stamped(): Plugin {
  let folder = "";
  return {
    name: "stamped",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const files = filesBelow(folder).sort();
      for (const path of files.filter((one) => COMPRESSED.test(one))) {
        const bytes = readFileSync(path);
        if (bytes.length < SMALLEST) continue;
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
        );
      }
      writeFileSync(join(folder, "stamp.txt"), `${stampOfSources()}\n`);
    },
  };
}
