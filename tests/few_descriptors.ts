/**
 * Run with a low limit of open files: a server whose relays have used up all that they may have. Prints what it logged, and
 * what a client of its control socket was told then.
 *
 * Clients close at once and the target doesn't, so that flows last without a descriptor of this program's at either end.
 */

import { connect } from "../client.ts";
import { freePort } from "./free_port.ts";
import { TestServer } from "./harness.ts";
import { tcpRule } from "./rules.ts";
import { until } from "./sync/harness.ts";

/** More than the relays may have. */
const CLIENTS = 100;

using target = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1000 });
const rule = tcpRule(freePort(), target.addr.port);
await using running = await TestServer.start({ rules: { HOST: [rule] } });
for (let count = 0; count < CLIENTS && running.logged.length === 0; count++) {
  (await Deno.connect({ hostname: "127.0.0.1", port: rule.firstPort })).close();
}
await until("a lack of descriptors", () => running.logged.length > 0);
const logged = [...running.logged];
using session = await connect(running.path);
const { outcome } = await session.update({ HOST: [] });
console.log(JSON.stringify({ logged, outcome }));
Deno.exit();
