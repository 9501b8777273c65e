/**
 * Thousands of updates while clients connect without pause to ports that every table has: not one connection may be
 * refused or reset, and no established flow may break, whatever becomes of its rule.
 *
 * @module
 */

import { connect } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import { assertEquals } from "../assert.ts";
import { TestServer } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { boundSockets, freeRun } from "./kernel_sockets.ts";
import { BACKENDS, say, trafficText } from "./scene.ts";
import { Traffic } from "./traffic.ts";

const UPDATES = 2000;
/** So many of them open or close a range of so many ports; the others change single rules beside it. */
const LARGE_UPDATES = 10;
const RANGE = 2000;

Deno.test({
  name: `serve() refuses, resets and breaks no connection in ${UPDATES} updates`,
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    for (const backend of BACKENDS) await test.step(backend, (step) => churn(backend, step));
  },
});

async function churn(backend: (typeof BACKENDS)[number], test: Deno.TestContext): Promise<void> {
  await using traffic = await Traffic.start();
  const { a, b } = traffic.targets;
  const first = freeRun(RANGE + 6);
  const [still, moved, leaving, single, wild] = [first, first + 1, first + 2, first + 3, first + 4];
  const range = first + 6;
  /** The table after so many updates: each differs from the one before in one way or another. */
  const table = (step: number): Rule[] => [
    tcpRule(still, a),
    tcpRule(moved, step % 2 === 0 ? a : b),
    ...(step === 0 ? [tcpRule(leaving, a)] : []),
    ...(step % 3 === 0 ? [] : [tcpRule(single, a)]),
    tcpRule(wild, a, { address: step % 4 < 2 ? "127.0.0.1" : "0.0.0.0" }),
    ...(inRange(step) ? [tcpRule(range, 1, { lastPort: range + RANGE - 1 })] : []),
  ];
  await using running = await TestServer.start({ rules: { HOST: table(0) }, backend });
  const inodes = () =>
    boundSockets(still, moved).map(({ port, inode }) => ({ port, inode })).sort((x, y) => x.port - y.port);
  const before = inodes();
  // One flow stays with its rule, one with a rule that is pointed elsewhere, and one outlives its rule.
  await traffic.begin({ flows: [still, moved, leaving], fresh: [still, moved], atOnce: 2 });
  for (let step = 1; step <= UPDATES; step++) {
    using session = await connect(running.path);
    const { outcome, failed } = await session.update({ HOST: table(step) });
    assertEquals([outcome, failed], ["done", 0], `update ${step}`);
  }
  const counts = await traffic.stop();
  assertEquals(counts.faults, []);
  assertEquals(running.server.revision, BigInt(UPDATES + 1));
  assertEquals(inodes(), before, "the sockets are the very same ones");
  await say(test, `${UPDATES} updates; ${trafficText(counts)}`);
}

/** Whether the table has the range, which comes or goes with each large update. */
function inRange(step: number): boolean {
  return Math.floor(step / (UPDATES / LARGE_UPDATES)) % 2 === 1;
}
