/**
 * Run with a low limit of open files: a server without rules, with the backend and at the path that the arguments name,
 * until its input ends.
 */

import { serve } from "../../server.ts";

const [backend, path = ""] = Deno.args;
await using _server = await serve({ path, backend: backend === "linux" ? "linux" : "portable" });
console.log("ready");
await Deno.stdin.readable.pipeTo(new WritableStream());
