/** Running a script in a program of its own, where a test wants limits or flags that hold for a whole program. */

import { assertEquals } from "../assert.ts";

/** What the program is run with. */
export interface ScriptOptions {
  /** Shell commands before it, as `ulimit -n 100`. */
  readonly before?: string;
  /** Flags of the runtime. */
  readonly flags?: readonly string[];
}

/** What a script prints; its path is relative to this file. */
export async function outputOf(script: string, options: ScriptOptions, ...args: string[]): Promise<string> {
  const { before = ":", flags = [] } = options;
  const path = new URL(script, import.meta.url).pathname;
  const { stdout, stderr, code, signal } = await new Deno.Command("sh", {
    // Looking for a newer Deno opens files behind the script's back.
    env: { DENO_NO_UPDATE_CHECK: "1" },
    args: ["-c", `${before} && exec "$0" "$@"`, Deno.execPath(), "run", "-A", "--no-check", ...flags, path, ...args],
  }).output();
  const decoder = new TextDecoder();
  assertEquals({ code, signal }, { code: 0, signal: null }, `${script} failed:\n${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
