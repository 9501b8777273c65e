/**
 * Many clients that edit one table at the same time, each adding a rule to what it was shown and trying again when it
 * was too late: no edit may be lost or made twice.
 *
 * @module
 */

import { connect, type Session, UpdateError } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import { assertEquals } from "../assert.ts";
import { EchoTarget, firstWords, TestServer } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { freeRun } from "./kernel_sockets.ts";
import { say } from "./scene.ts";

const CLIENTS = 50;

/** Sends the tables in one go, or in steps. */
async function send(session: Session, rules: readonly Rule[], staged: boolean): Promise<void> {
  if (!staged) return void await session.update({ HOST: rules });
  await using update = await session.stage({ HOST: rules });
  await update.apply();
  await update.commit();
}

/** Adds a rule to what is shown until that succeeds; resolves to the number of attempts. */
async function add(path: string, rule: Rule, staged: boolean): Promise<number> {
  for (let attempt = 1;; attempt++) {
    using session = await connect(path);
    const shown = session.pifs.find(({ name }) => name === "HOST")?.rules ?? [];
    try {
      await send(session, [...shown, rule], staged);
      return attempt;
    } catch (error) {
      if (!(error instanceof UpdateError) || !["stale", "busy"].includes(error.result.outcome)) throw error;
    }
  }
}

Deno.test({
  name: `serve() has every edit of ${CLIENTS} clients at once in its table, and none twice`,
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    using target = new EchoTarget("A");
    await using running = await TestServer.start();
    const first = freeRun(CLIENTS);
    const rules = Array.from({ length: CLIENTS }, (_, index) => tcpRule(first + index, target.port));
    const attempts = await Promise.all(rules.map((rule, index) => add(running.path, rule, index % 2 === 1)));
    const ports = (await running.rules()).map(({ firstPort }) => firstPort).sort((a, b) => a - b);
    assertEquals(ports, rules.map(({ firstPort }) => firstPort));
    assertEquals(running.server.revision, BigInt(CLIENTS + 1));
    for (const port of ports) assertEquals(await firstWords(port), "A");
    await say(test, `${CLIENTS} edits in ${attempts.reduce((sum, count) => sum + count, 0)} attempts`);
  },
});
