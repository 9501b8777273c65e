/**
 * What every backend must say when an endpoint can't be bound, and what probing does.
 *
 * @module
 */

import type { Protocol } from "../../codec/types.ts";
import { CAPABILITY } from "../../codec/constants.ts";
import { type Backend, BindError, type Endpoint } from "../../sync/backend.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import { Datagrams, endpointAt, freePort, namedDatagrams, namedTarget, routeTo, talk } from "./harness.ts";

const LOOPBACK = "127.0.0.1";
const PROTOCOLS: readonly Protocol[] = ["tcp", "udp"];
/** An address for documentation (RFC 5737), which no machine has. */
const NOWHERE = "192.0.2.1";

/** Registers the tests. */
export function bindConformance({ make, capabilities, test }: Subject): void {
  for (const protocol of PROTOCOLS) {
    const PROTOCOL = protocol.toUpperCase();

    test(`open() and probe() say that a ${PROTOCOL} port is in use`, async () => {
      await using taken = protocol === "tcp" ? namedTarget("a") : new Datagrams();
      await using backend = make();
      await assertRefused(backend, endpointAt(protocol, LOOPBACK, taken.port), {
        code: "EADDRINUSE",
        errno: 98,
        message: `Can't listen on ${PROTOCOL} [127.0.0.1]:${taken.port}: address in use (EADDRINUSE)`,
      });
      await assertRefused(backend, endpointAt(protocol, "0.0.0.0", taken.port), {
        code: "EADDRINUSE",
        errno: 98,
        message: `Can't listen on ${PROTOCOL} [0.0.0.0]:${taken.port}: address in use (EADDRINUSE)`,
      });
    });

    test(`open() and probe() say that an address for ${PROTOCOL} is not on this machine`, async () => {
      await using backend = make();
      const port = await freePort(protocol);
      await assertRefused(backend, endpointAt(protocol, NOWHERE, port), {
        code: "EADDRNOTAVAIL",
        errno: 99,
        message: `Can't listen on ${PROTOCOL} [192.0.2.1]:${port}: address not available (EADDRNOTAVAIL)`,
      });
    });

    test(`open() and probe() say that a ${PROTOCOL} endpoint is one of their own`, async () => {
      await using backend = make();
      const port = await freePort(protocol);
      const endpoint = endpointAt(protocol, LOOPBACK, port);
      await backend.open(endpoint, routeTo(port, port));
      await assertRefused(backend, endpoint, {
        code: "EADDRINUSE",
        errno: 98,
        message: `Can't listen on ${PROTOCOL} [127.0.0.1]:${port}: address in use (EADDRINUSE)`,
      });
      assertEquals(backend.counts.listeners, 1);
    });

    test(
      `open() and probe() say that a ${PROTOCOL} port is privileged (where it is, and this user is not)`,
      async () => {
        await using backend = make();
        await assertRefused(backend, endpointAt(protocol, LOOPBACK, 1), {
          code: "EACCES",
          errno: 13,
          message: `Can't listen on ${PROTOCOL} [127.0.0.1]:1: permission denied (EACCES)`,
        });
      },
      { possible: portsArePrivileged() },
    );

    test(`open() and probe() refuse a ${PROTOCOL} interface without the capability`, async () => {
      await using backend = make();
      const port = await freePort(protocol);
      await assertRefused(backend, { ...endpointAt(protocol, LOOPBACK, port), interface: "lo" }, {
        code: "EOPNOTSUPP",
        errno: 95,
        message: `Can't listen on ${PROTOCOL} [127.0.0.1]%lo:${port}: operation not supported (EOPNOTSUPP)`,
      });
    }, { possible: (capabilities & CAPABILITY.INTERFACE) === 0 });

    test(`probe() leaves a free ${PROTOCOL} endpoint free`, async () => {
      await using target = protocol === "tcp" ? namedTarget("a") : namedDatagrams("a");
      await using backend = make();
      const port = await freePort(protocol);
      const endpoint = endpointAt(protocol, LOOPBACK, port);
      for (let round = 0; round < 3; round++) await backend.probe(endpoint);
      assertEquals(backend.counts, { listeners: 0, tcpFlows: 0, udpFlows: 0 });
      if (protocol === "tcp") assertEquals(await talk(LOOPBACK, port), undefined);
      const listener = await backend.open(endpoint, routeTo(port, target.port));
      listener.close();
      await backend.probe(endpoint);
    });
  }
}

async function assertRefused(
  backend: Backend,
  endpoint: Endpoint,
  expected: { readonly code: string; readonly errno: number; readonly message: string },
): Promise<void> {
  for (
    const attempt of [
      () => backend.probe(endpoint),
      async () => await backend.open(endpoint, routeTo(endpoint.port, 1)),
    ]
  ) {
    const { code, errno, message, endpoint: where } = await assertRejects(attempt, BindError);
    assertEquals({ code, errno, message }, expected);
    assertEquals(where, endpoint);
  }
}

/** Whether port 1 is refused to this process, going by what Linux says about both of them. */
function portsArePrivileged(): boolean {
  if (Deno.build.os !== "linux") return false;
  const firstFree = Number(Deno.readTextFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start"));
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
  const netBindService = 1n << 10n;
  return firstFree > 1 && (BigInt(`0x${effective}`) & netBindService) === 0n;
}
