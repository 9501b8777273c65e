/**
 * A change of 50 endpoints, of which the k-th can't be bound because a real socket is in its place, for every k. The old
 * set must serve afterwards, on the very sockets that it had, and the report must say exactly what failed.
 *
 * @module
 */

import { connect, UpdateError, type UpdateResult } from "../../client.ts";
import type { Protocol, Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertInstanceOf } from "../assert.ts";
import { EchoTarget, firstWords, TestServer } from "../harness.ts";
import { Datagrams, namedDatagrams, until } from "../sync/harness.ts";
import { boundPorts, boundSockets, freeRun } from "./kernel_sockets.ts";
import { BACKENDS, say } from "./scene.ts";

/** Ports that the tables and whoever is in the way may use. */
const PORTS = 80;
/** Endpoints that the new table adds. */
const ADDED = 50;
/** Linux's EADDRINUSE. */
const IN_USE = 98;

/** What one of the rules to be added looks like; it gets its ports in turn. */
interface Shape {
  readonly protocol: Protocol;
  readonly address: string;
  readonly ports: number;
  readonly weak?: boolean;
  /** An address of the same port that the old table serves, so that its socket is in the way until it is closed. */
  readonly replaces?: string;
}

const SHAPES: readonly Shape[] = [
  { protocol: "tcp", address: "127.0.0.1", ports: 9 },
  { protocol: "udp", address: "127.0.0.1", ports: 7 },
  { protocol: "tcp", address: "*", ports: 5, weak: true },
  { protocol: "tcp", address: "0.0.0.0", ports: 4, replaces: "127.0.0.1" },
  { protocol: "udp", address: "0.0.0.0", ports: 4, weak: true },
  { protocol: "tcp", address: "127.0.0.2", ports: 1 },
  { protocol: "tcp", address: "127.0.0.2", ports: 1, weak: true },
  { protocol: "udp", address: "*", ports: 6 },
  { protocol: "tcp", address: "0.0.0.0", ports: 6 },
  { protocol: "udp", address: "127.0.0.2", ports: 1, weak: true },
  { protocol: "tcp", address: "*", ports: 6 },
];

/** One endpoint that the new table adds. */
interface Added {
  /** Index of its rule in the new table. */
  readonly index: number;
  readonly rule: Rule;
  readonly port: number;
  readonly replaces: boolean;
}

/** Both tables, for targets that all say the same, and what the new one adds. */
function tablesAt(first: number, tcpTarget: number, udpTarget: number) {
  let next = first;
  const take = (count: number) => {
    next += count;
    return next - count;
  };
  /** Only single-port rules are talked to: the further ports of a range lead nowhere. */
  const ruleOf = (protocol: Protocol, address: string, firstPort: number, ports: number, weak = false): Rule => ({
    ...{ protocol, address, firstPort, lastPort: firstPort + ports - 1, weak, scan: false },
    targetPort: protocol === "tcp" ? tcpTarget : udpTarget,
  });
  const single = (protocol: Protocol, count: number) =>
    Array.from({ length: count }, () => ruleOf(protocol, "127.0.0.1", take(1), 1));
  const kept = [...single("tcp", 4), ...single("udp", 4)];
  const moved = single("tcp", 3);
  const retired = [...single("tcp", 3), ...single("udp", 2)];
  const replaced: Rule[] = [];
  const added: Added[] = [];
  const rules = SHAPES.map(({ protocol, address, ports, weak, replaces }, index): Rule => {
    const rule = ruleOf(protocol, address, take(ports), ports, weak);
    for (let port = rule.firstPort; port <= rule.lastPort; port++) {
      if (replaces !== undefined) replaced.push(ruleOf(protocol, replaces, port, 1));
      added.push({ index, rule, port, replaces: replaces !== undefined });
    }
    return rule;
  });
  return {
    before: [...kept, ...moved, ...retired, ...replaced],
    after: [...rules, ...kept, ...moved.map((rule) => ({ ...rule, target: "127.0.0.2" }))],
    added,
    last: next - 1,
    counts: { kept: kept.length + moved.length, retired: retired.length + replaced.length, rebound: replaced.length },
  };
}

/** Takes an endpoint of its own so that the added one can't be bound, whatever of the old table is there besides. */
function inTheWayOf({ rule: { protocol, address }, port }: Added): AsyncDisposable {
  const hostname = address === "127.0.0.1" ? "127.0.0.1" : "127.0.0.2";
  if (protocol === "udp") return new Datagrams(hostname, port);
  const listener = Deno.listen({ hostname, port });
  return {
    [Symbol.asyncDispose]: () => {
      listener.close();
      return Promise.resolve();
    },
  };
}

/** Whether the rule is content without one of its ports. */
function isContent({ rule }: Added): boolean {
  return rule.weak && rule.lastPort > rule.firstPort;
}

async function updated(path: string, rules: readonly Rule[]): Promise<UpdateResult> {
  using session = await connect(path);
  try {
    return await session.update({ HOST: rules });
  } catch (error) {
    assertInstanceOf(error, UpdateError);
    return (error as UpdateError).result;
  }
}

/** Every rule of the table serves: TCP by its first words, UDP by an echo. */
async function assertServed(table: readonly Rule[], udp: Datagrams): Promise<void> {
  await Promise.all(
    table.filter(({ protocol }) => protocol === "tcp").map(async ({ firstPort }) => {
      assertEquals(await firstWords(firstPort), "A", `TCP port ${firstPort}`);
    }),
  );
  for (const { firstPort } of table.filter(({ protocol }) => protocol === "udp")) {
    udp.send(`${firstPort}`, firstPort);
    assertEquals(await udp.receiveText(), `A:${firstPort}`);
  }
}

Deno.test({
  name: `serve() serves the old table whichever of ${ADDED} binds fails, and says which it was`,
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    for (const backend of BACKENDS) await test.step(backend, (step) => everyBindFails(backend, step));
  },
});

async function everyBindFails(backend: (typeof BACKENDS)[number], test: Deno.TestContext): Promise<void> {
  using target = new EchoTarget("A");
  await using udpTarget = namedDatagrams("A");
  await using udp = new Datagrams();
  const first = freeRun(PORTS);
  const { before, after, added, last, counts } = tablesAt(first, target.port, udpTarget.port);
  assertEquals(added.length, ADDED);
  assert(last < first + PORTS);
  await using running = await TestServer.start({ rules: { HOST: before }, backend });
  const portsBefore = boundPorts(first, last);
  let rolledBack = 0;
  for (const [k, failing] of added.entries()) {
    const replacedPorts = new Set(added.filter(({ replaces }) => replaces).map(({ port }) => port));
    const untouched = () => boundSockets(first, last).filter(({ port }) => !replacedPorts.has(port));
    const socketsBefore = untouched();
    {
      await using _other = inTheWayOf(failing);
      const result = await updated(running.path, after);
      const what = `bind ${k + 1} of ${ADDED}`;
      const { outcome, code, kept, opened, retired, failed, rebound } = result;
      const single = failing.rule.firstPort === failing.rule.lastPort;
      assertEquals(
        { outcome, code, kept, opened, retired, failed, rebound },
        {
          ...(isContent(failing)
            ? { outcome: "done" as const, code: "none" as const }
            : { outcome: "rolled-back" as const, code: "bind-failed" as const }),
          ...{ ...counts, opened: ADDED - 1, failed: 1 },
        },
        what,
      );
      assertEquals(result.failures, [
        { pif: "HOST", rule: failing.index, ports: [{ first: failing.port, last: failing.port, errno: IN_USE }] },
      ], what);
      assertEquals(result.rules, [
        { pif: "HOST", rule: { ...failing.rule, status: single ? "failed" : "partial", failedPorts: 1 } },
      ], what);
      if (outcome === "done") assertEquals((await updated(running.path, before)).outcome, "done");
      else rolledBack++;
    }
    await until("the old sockets alone", () => boundPorts(first, last).join() === portsBefore.join());
    if (!isContent(failing)) assertEquals(untouched(), socketsBefore, "the sockets are the very same ones");
    await assertServed(before, udp);
  }
  await say(
    test,
    `${added.length} binds: ${rolledBack} rolled back, ${added.length - rolledBack} weak ones done without`,
  );
}
