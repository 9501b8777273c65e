/**
 * Run with a low limit of open files: more connections come than a Linux backend may relay then. Prints what it said, how
 * many it relayed, and what one that had to wait was answered when the others had gone.
 *
 * Clients close at once and the target doesn't, so that flows last without a descriptor of this program's at either end.
 */

import { linuxBackend } from "../../../sync/linux.ts";
import { encode, endpointAt, freePort, readSome, routeTo, until, writeAll } from "../harness.ts";

const LOOPBACK = "127.0.0.1";
const messages: string[] = [];
await using backend = linuxBackend({ log: (message) => messages.push(message) });
using target = Deno.listen({ hostname: LOOPBACK, port: 0, tcpBacklog: 1000 });
const port = await freePort("tcp");
await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.addr.port));

let begun = 0;
while (messages.length === 0) {
  (await Deno.connect({ hostname: LOOPBACK, port })).close();
  await until("the flow or the message", () => backend.counts.tcpFlows > begun || messages.length > 0);
  begun = backend.counts.tcpFlows;
}
const relayed = backend.counts.tcpFlows;
using waiting = await Deno.connect({ hostname: LOOPBACK, port });
await writeAll(waiting, encode("waited"));

const serving = (async () => {
  for await (const connection of target) {
    const text = await readSome(connection);
    if (text !== null) await writeAll(connection, encode(`a:${text}`));
    connection.close();
  }
})();
const answer = await readSome(waiting);
target.close();
await serving;
console.log(JSON.stringify({ messages, relayed, answer }));
