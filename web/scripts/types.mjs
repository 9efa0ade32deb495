// Makes the types of what the server sends, src/api/schema.d.ts, from its description, openapi.json.
// With --check it writes nothing, and exits with 1 when they are stale.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";

const ROOT = join(import.meta.dirname, "..");
const TYPES = join(ROOT, "src", "api", "schema.d.ts");

const description = JSON.parse(readFileSync(join(ROOT, "openapi.json"), "utf8"));
const made = astToString(await openapiTS(description, { alphabetize: true, defaultNonNullable: true }));
const text = `// Made by \`make web\` from openapi.json. Do not edit.\n\n${made}`;
if (!process.argv.includes("--check")) writeFileSync(TYPES, text);
else if (readFileSync(TYPES, "utf8") !== text) {
  console.error("src/api/schema.d.ts is stale: make web");
  process.exit(1);
}
