/**
 * Hundreds of transactions of every kind and every ending, after which the program holds no more open files and no more
 * of the core's memory than before.
 *
 * @module
 */

import { connect, look, UpdateError } from "../../client.ts";
import { core } from "../../codec/core.ts";
import { nativeClient } from "../../codec/native.ts";
import type { Rule, ServerEvent } from "../../codec/types.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { concat } from "../bytes.ts";
import { EchoTarget, RawClient, TestServer, updateBytes } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { openFiles, until } from "../sync/harness.ts";
import { freeRun } from "./kernel_sockets.ts";
import { BACKENDS, say } from "./scene.ts";

const TRANSACTIONS = 300;
/** Rules of each table that is sent: 13 KB, so that a few lost ones make the core's memory grow by a 64 KiB page. */
const RULES = 200;

/** What the transactions go by. */
interface Ground {
  readonly path: string;
  /** Two valid tables: all of one port, and each rule with its own. */
  readonly small: readonly Rule[];
  readonly large: readonly Rule[];
  /** With a rule that can't be bound, and with one that isn't valid. */
  readonly unbindable: readonly Rule[];
  readonly invalid: readonly Rule[];
}

const APPLY = nativeClient.signal("apply");
const COMMIT = nativeClient.signal("commit");
const ROLLBACK = nativeClient.signal("rollback");

/** One client sends bytes, and hangs up once the server has said all of this. */
async function raw({ path }: Ground, bytes: Uint8Array[], ...waits: ServerEvent["kind"][]): Promise<void> {
  using client = await RawClient.connect(path);
  await client.send(concat(bytes));
  for (const wait of waits) await client.until(wait);
}

async function update({ path }: Ground, rules: readonly Rule[]): Promise<void> {
  using session = await connect(path);
  await session.update({ HOST: rules });
}

const staged = (rules: readonly Rule[]) => updateBytes(rules, { mode: "staged" });

/** Every kind of transaction with every ending. */
const TRANSACTION_KINDS: readonly ((ground: Ground) => Promise<unknown>)[] = [
  ({ path }) => look(path),
  (ground) => update(ground, ground.large),
  (ground) => update(ground, ground.small),
  (ground) => assertRejects(() => update(ground, ground.unbindable), UpdateError, "EADDRNOTAVAIL"),
  (ground) => assertRejects(() => update(ground, ground.invalid), UpdateError, "port is 0"),
  async ({ path, large, unbindable }) => {
    for (const rules of [large, unbindable]) {
      using session = await connect(path);
      await session.check({ HOST: rules });
    }
  },
  async (ground) => {
    using late = await connect(ground.path);
    await update(ground, ground.small);
    await assertRejects(() => late.update({ HOST: ground.large }), UpdateError, "edited from revision");
  },
  async ({ path, large }) => {
    using session = await connect(path);
    await using step = await session.stage({ HOST: large });
    await step.apply();
    using other = await connect(path);
    await assertRejects(() => other.update({ HOST: large }), UpdateError, "not yet committed");
  },
  (ground) => raw(ground, [staged(ground.large), APPLY, COMMIT], "reported", "reported"),
  (ground) => raw(ground, [staged(ground.small), APPLY, ROLLBACK], "reported", "reported"),
  (ground) => raw(ground, [staged(ground.large)], "accepted"),
  (ground) => raw(ground, [staged(ground.large), APPLY], "reported"),
  async ({ path, large }) => {
    using client = await RawClient.connect(path);
    await client.send(staged(large), APPLY);
    await client.until("reported");
    await client.send(APPLY);
    await client.until("result");
  },
  (ground) => raw(ground, [staged(ground.large).subarray(0, 5000)]),
  (ground) => raw(ground, [staged(ground.large).subarray(0, 8)]),
  (ground) => raw(ground, [updateBytes(ground.large)]),
  (ground) => raw(ground, [updateBytes(ground.large, { mode: "check" })]),
  (ground) => raw(ground, [updateBytes(ground.large, { rollBackUndelivered: true })]),
  (ground) => raw(ground, [updateBytes(ground.large).subarray(0, 60), new Uint8Array(64).fill(0xff)], "rejected"),
  (ground) => raw(ground, [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")], "rejected"),
];

/** One of each kind, and then waits until the server is done with all of them. */
async function oneOfEach(ground: Ground): Promise<void> {
  for (const transact of TRANSACTION_KINDS) {
    await transact(ground);
    // A client that didn't wait for its end may still have the turn; whoever gets one after it finds it gone.
    await until("the end of a transaction", async () => {
      using session = await connect(ground.path);
      return (await session.check({ HOST: ground.small }, { anyBase: true })).outcome === "done";
    });
  }
  await update(ground, ground.small);
}

Deno.test({
  name: `serve() holds no more files and memory after ${TRANSACTIONS} transactions of every kind than before`,
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    for (const backend of BACKENDS) {
      await test.step(backend, async (step) => {
        using target = new EchoTarget("A");
        const first = freeRun(RULES + 1);
        const large = Array.from({ length: RULES }, (_, index) => tcpRule(first + index, target.port));
        const small = [tcpRule(first + RULES, target.port)];
        await using running = await TestServer.start({ rules: { HOST: small }, backend });
        const ground: Ground = {
          path: running.path,
          small,
          large,
          unbindable: [...large, tcpRule(first + RULES, 1, { address: "192.0.2.1" })],
          invalid: [...large, tcpRule(0, 1)],
        };
        // The first rounds let every reserve grow to its size.
        for (let round = 0; round < 3; round++) await oneOfEach(ground);
        const files = openFiles();
        const memory = core().bytes.length;
        const rounds = Math.ceil(TRANSACTIONS / TRANSACTION_KINDS.length);
        for (let round = 0; round < rounds; round++) await oneOfEach(ground);
        // A closed connection is gone a little after the one that is told so.
        await until("no more open files than before", () => openFiles() <= files);
        assertEquals(core().bytes.length, memory, "bytes of the core's memory");
        await say(step, `${rounds * TRANSACTION_KINDS.length} transactions: ${files} files, ${memory} bytes as before`);
      });
    }
  },
});
