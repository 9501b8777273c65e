/** Run by the relay benchmark: relays with the named backend; each further argument is `protocol:port:target port`. */

import { linuxBackend } from "../../../sync/linux.ts";
import { portableBackend } from "../../../sync/portable.ts";

const LOOPBACK = "127.0.0.1";
const [name, ...routes] = Deno.args;
await using backend = name === "linux" ? linuxBackend() : portableBackend();
for (const route of routes) {
  const [protocol, port, target] = route.split(":");
  const endpoint = { protocol: protocol === "udp" ? "udp" : "tcp", address: LOOPBACK, port: Number(port) } as const;
  await backend.open(endpoint, { address: LOOPBACK, shift: Number(target) - Number(port) });
}
const { promise, resolve } = Promise.withResolvers<void>();
Deno.addSignalListener("SIGTERM", resolve);
await promise;
