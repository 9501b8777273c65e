/** Run by a test: relays once, then has nothing to do until its input ends. */

import { linuxBackend } from "../../../sync/linux.ts";
import { endpointAt, freePort, namedTarget, routeTo, talk } from "../harness.ts";

await using target = namedTarget("a");
await using backend = linuxBackend();
const port = await freePort("tcp");
await backend.open(endpointAt("tcp", "127.0.0.1", port), routeTo(port, target.port));
await talk("127.0.0.1", port);
console.log("relayed");
for await (const _ of Deno.stdin.readable);
