/**
 * Run with a low limit of open files: uses all of them up, so that the control listener of the kind that the argument names
 * gets none for a client that comes then, frees them again, and prints what it said and did.
 */

import process from "node:process";
import { listeners } from "./control_listeners.ts";
import { encode, until, useUpFiles } from "./harness.ts";

/** Milliseconds to look at the processor's use: time for thousands of attempts if they came one after the other. */
const LOOK = 300;

// Deno 2.9 opens what it needs for signals some time after its start, and panics if it can't: have it done now.
const ignored = () => {};
Deno.addSignalListener("SIGUSR2", ignored);
Deno.removeSignalListener("SIGUSR2", ignored);

const kind = listeners.find(({ name }) => name === Deno.args[0]);
if (kind === undefined) throw new Error(`There is no listener "${Deno.args[0]}"`);
const folder = await Deno.makeTempDir({ prefix: "pesto-test-" });
const path = `${folder}/control`;
const messages: string[] = [];
await using listener = kind.listen(path, (message) => messages.push(message.replace(path, "PATH")));
const serving = (async () => {
  for await (const connection of listener) {
    await connection.write(encode("served"));
    connection.close();
  }
})();

const files = useUpFiles();
using client = await Deno.connect({ transport: "unix", path });
await until("a failed accept", () => messages.length === 1);
const before = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, LOOK));
const { user, system } = process.cpuUsage(before);
for (const file of files) file.close();

const answer = new Uint8Array(10);
const size = await client.read(answer) ?? 0;
listener.close();
await serving;
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify({
  messages,
  busyPart: (user + system) / 1000 / LOOK,
  answer: new TextDecoder().decode(answer.subarray(0, size)),
}));
