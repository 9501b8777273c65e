/** The layout of the project and the direction of its imports, as CONTRIBUTING.md describes them. */

import { HELP, PROGRAM_VERSION, SERVE_HELP } from "../cli/help.ts";
import { assert, assertEquals, assertStringIncludes } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);

/** Rooms from the bottom up: what a room's files may import besides their own room's. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "wasm": [],
  "codec": ["wasm"],
  "sync": ["codec"],
  "client.ts": ["codec"],
  "server.ts": ["sync", "codec"],
  "cli": ["server.ts", "client.ts", "sync", "codec"],
  "cli.ts": ["cli", "server.ts", "client.ts", "sync", "codec"],
  "mod.ts": ["server.ts", "client.ts", "sync", "codec"],
};

const TOP_LEVEL = [
  ...Object.keys(MAY_IMPORT),
  ...["tests", "README.md", "PROTOCOL.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deno.json", "deno.lock"],
];

/** What a checkout may have beside what is committed; `.gitignore` names them. */
const NOT_COMMITTED = ["node_modules", "dist"];

function* filesUnder(path: string): Iterable<string> {
  const url = new URL(path, ROOT);
  if (!Deno.statSync(url).isDirectory) return yield path;
  for (const { name } of Deno.readDirSync(url)) yield* filesUnder(`${path}/${name}`);
}

/** Every module specifier that a TypeScript file imports, statically, dynamically or as a type. */
function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  return [...text.matchAll(/^(?:import|export)\s[^;]*?from\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

function* sources(): Iterable<{ room: string; path: string; specifier: string }> {
  for (const room of Object.keys(MAY_IMPORT)) {
    for (const path of filesUnder(room)) {
      if (!path.endsWith(".ts") || path.startsWith("wasm/assembly/")) continue;
      for (const specifier of importsOf(path)) yield { room, path, specifier };
    }
  }
}

/** The room that a relative specifier leads to. */
function roomOf(path: string, specifier: string): string {
  const target = new URL(specifier, new URL(path, ROOT)).pathname.slice(ROOT.pathname.length);
  return target.split("/")[0] ?? "";
}

Deno.test("imports lead only to the rooms below", () => {
  let relative = 0;
  for (const { room, path, specifier } of sources()) {
    if (!specifier.startsWith(".")) continue;
    relative++;
    const target = roomOf(path, specifier);
    assert(
      target === room || MAY_IMPORT[room]?.includes(target),
      `${path} imports ${specifier}: ${room} may only import ${MAY_IMPORT[room]?.join(", ") || "nothing"}`,
    );
  }
  assert(relative > 50, "the search for imports finds them");
});

Deno.test("modules that mod.ts reaches import only relative paths, npm: and node: specifiers", () => {
  for (const { path, specifier } of sources()) {
    assert(/^(\.{1,2}\/|npm:|node:)/.test(specifier), `${path} imports ${specifier}, which needs an import map`);
  }
});

Deno.test("codec is pure: it never names Deno", () => {
  for (const path of filesUnder("codec")) {
    const code = Deno.readTextFileSync(new URL(path, ROOT)).replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
    assert(!/\bDeno\b/.test(code), `${path} names Deno`);
  }
});

Deno.test("nothing stands at the top level but what the layout names", () => {
  for (const { name } of Deno.readDirSync(ROOT)) {
    if (name.startsWith(".") || NOT_COMMITTED.includes(name)) continue;
    assert(TOP_LEVEL.includes(name), `"${name}" has no place at the top level`);
  }
});

Deno.test("README.md shows the help texts as the program prints them", () => {
  const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  for (const help of [HELP, SERVE_HELP]) assertStringIncludes(readme, help.trimEnd());
});

Deno.test("PROGRAM_VERSION is the one in deno.json", () => {
  assertEquals(JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).version, PROGRAM_VERSION);
});
