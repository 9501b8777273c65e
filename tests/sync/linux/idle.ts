/** Run by a test: relays once and serves a control client once, then has nothing to do until its input ends. */

import { linuxBackend, listenOnLinux } from "../../../sync/linux.ts";
import { encode, endpointAt, freePort, namedTarget, routeTo, talk } from "../harness.ts";

await using target = namedTarget("a");
await using backend = linuxBackend();
const port = await freePort("tcp");
await backend.open(endpointAt("tcp", "127.0.0.1", port), routeTo(port, target.port));
await talk("127.0.0.1", port);

const path = `${await Deno.makeTempDir({ prefix: "pesto-test-" })}/control`;
await using listener = listenOnLinux(path);
using client = await Deno.connect({ transport: "unix", path });
const { value: connection } = await listener[Symbol.asyncIterator]().next();
await connection.write(encode("served"));
await client.read(new Uint8Array(10));
connection.close();
await Deno.remove(path.slice(0, path.lastIndexOf("/")), { recursive: true });
console.log("relayed");
for await (const _ of Deno.stdin.readable);
