/**
 * How many more bytes a server has in use, all garbage collected: V8's heap, buffers, and the core's memory.
 *
 *     deno run -A memory_in_use.ts rules COUNT                            with so many rules than with few
 *     deno run -A memory_in_use.ts replacements RULES WARM_UP COUNT       after so many replacements than before
 *
 * The client runs in a worker, with a heap and a core of its own.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { serve } from "../../../server.ts";
import { liveMemory } from "../../faults/live_memory.ts";
import type { TableUpdates } from "./table_updates.ts";

const [what, ...numbers] = Deno.args;
const [rules = 0, warmUp = 1, replacements = 1] = numbers.map(Number);
const directory = await Deno.makeTempDir();
const server = await serve({ path: `${directory}/control` });
const client = new Worker(new URL("table_updates.ts", import.meta.url));

async function update(updates: Omit<TableUpdates, "path">): Promise<void> {
  const done = new Promise((resolve, reject) => client.once("message", resolve).once("error", reject));
  client.postMessage({ path: server.path, ...updates });
  await done;
}

const [kind, before] = what === "rules"
  ? ["waiting", { rules: 1, kind: "waiting", count: 1 }] as const
  : ["bound", { rules, kind: "bound", count: warmUp }] as const;
await update(before);
const used = await liveMemory();
await update({ rules, kind, count: replacements });
console.log(await liveMemory() - used);
await client.terminate();
await server[Symbol.asyncDispose]();
await Deno.remove(directory, { recursive: true });
