/**
 * A client that hangs up, or goes silent, after every single byte of its side of the conversation. The table must be
 * exactly the old or the new one, as PROTOCOL.md's table of states says, the next client must be served at once, and
 * relayed traffic must not notice.
 *
 * @module
 */

import { connect, look } from "../../client.ts";
import { nativeClient } from "../../codec/native.ts";
import type { UpdateMode } from "../../codec/types.ts";
import { assert, assertEquals } from "../assert.ts";
import { concat } from "../bytes.ts";
import { RawClient, updateBytes } from "../harness.ts";
import { until } from "../sync/harness.ts";
import { BACKENDS, say, Scene, trafficText } from "./scene.ts";

/** A client's side of a conversation. */
interface Side {
  readonly name: string;
  readonly mode: UpdateMode;
  /** What it says after UPDATE, tables and END. */
  readonly signals: readonly ("apply" | "commit" | "rollback")[];
  readonly rollBackUndelivered?: boolean;
  /** Whether the new table is in force for certain when all of it has come. */
  readonly changes?: boolean;
}

const SIDES: readonly Side[] = [
  { name: "one-shot", mode: "one-shot", signals: [], changes: true },
  { name: "one-shot that an undelivered report rolls back", mode: "one-shot", signals: [], rollBackUndelivered: true },
  { name: "check", mode: "check", signals: [] },
  { name: "staged, committed", mode: "staged", signals: ["apply", "commit"], changes: true },
  { name: "staged, rolled back", mode: "staged", signals: ["apply", "rollback"] },
];

/** Bytes of a frame that has no payload. */
const SIGNAL_SIZE = 8;
/** Where a cut is: before the server has the whole update, with it, with APPLY, or with all there is. */
type Stage = "receiving" | "updated" | "applied" | "complete";

/** The bytes of a side, and what the server has understood after so many of them. */
function sideOf(scene: Scene, { mode, signals, rollBackUndelivered = false }: Side) {
  const update = updateBytes(scene.newTable, { mode, rollBackUndelivered, base: 1n });
  const bytes = concat([update, ...signals.map((signal) => nativeClient.signal(signal))]);
  const stage = (cut: number): Stage => {
    if (cut < update.length) return "receiving";
    if (cut === bytes.length) return "complete";
    return cut < update.length + SIGNAL_SIZE ? "updated" : "applied";
  };
  return { bytes, stage };
}

/** How often the log says that a table was rolled back. */
function rollbacks({ running }: Scene): number {
  return running.logged.filter((line) => line === "Rolled back a table").length;
}

/** The next client gets its answer; that it isn't `busy` tells that the one before is done with. */
async function nextIsServed(scene: Scene): Promise<void> {
  using session = await connect(scene.path);
  assertEquals((await session.check({ HOST: scene.newTable })).outcome, "done");
}

/** Resolves when the server has done what it was told in whole, and asserts that it is what the protocol says. */
async function settledAsTold(scene: Scene, { mode, signals, rollBackUndelivered }: Side, rolledBack: number) {
  const revision = async () => (await look(scene.path)).hello.revision;
  const undone = () => rollbacks(scene) > rolledBack;
  if (mode === "check") return await scene.oldStands("after a whole check");
  if (signals.includes("rollback")) {
    await until("the rollback", undone);
    return await scene.oldStands("after ROLLBACK");
  }
  await until(
    "the end of the update",
    async () => await revision() === 2n || (rollBackUndelivered === true && undone()),
  );
  // Whether a hang-up was seen before the report was sent is the kernel's to say.
  if (await revision() === 2n) await scene.newStands("after the whole update");
  else await scene.oldStands("after the roll-back of a whole update");
}

Deno.test({
  name: "serve() has the old or the new table in force after a hang-up at every byte",
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    for (const backend of BACKENDS) {
      // The control server is the same for both; the second time is for what the sockets do.
      for (const side of backend === "linux" ? SIDES : SIDES.filter(({ changes }) => changes)) {
        await test.step(`${backend}: ${side.name}`, async (step) => {
          await using scene = await Scene.start({ backend });
          const { bytes, stage } = sideOf(scene, side);
          for (let cut = 0; cut <= bytes.length; cut++) {
            const rolledBack = rollbacks(scene);
            {
              using client = await RawClient.connect(scene.path);
              await client.send(bytes.subarray(0, cut));
              // It must be a hang-up of an applied table, and not one that comes before it is.
              if (side.signals.length > 0 && ["applied", "complete"].includes(stage(cut))) {
                await client.until("reported");
              }
            }
            if (stage(cut) === "applied") await until("the rollback", () => rollbacks(scene) > rolledBack);
            if (stage(cut) === "complete") {
              await settledAsTold(scene, side, rolledBack);
            } else {
              await nextIsServed(scene);
              await scene.oldStands(`${side.name}, hung up after byte ${cut} of ${bytes.length}`);
            }
          }
          await say(step, `${bytes.length + 1} cuts; ${trafficText(await scene.trafficStood())}`);
        });
      }
    }
  },
});

/** What clients send before they stall: every beginning of every side, up to APPLY. Other sides begin with the same bytes. */
function beginnings(scene: Scene): Uint8Array[] {
  return SIDES.filter(({ changes, mode }) => changes || mode === "check").flatMap((side) => {
    const { bytes, stage } = sideOf(scene, side);
    return Array.from(bytes.keys()).filter((cut) => stage(cut) !== "applied").map((cut) => bytes.subarray(0, cut));
  });
}

Deno.test({
  name: "serve() has the old table in force while clients stall at every byte, and serves the next at once",
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    // None of them is given up before the next one was served, however long it takes to connect them all.
    await using scene = await Scene.start({ readSeconds: 600, transactionSeconds: 600 });
    using stack = new DisposableStack();
    let ended = 0;
    const stalled = beginnings(scene);
    for (const bytes of stalled) {
      const client = stack.use(await RawClient.connect(scene.path));
      await client.send(bytes);
      // They are hung up on in the end, and until then nothing is to happen to them.
      client.verdict().then(() => ended++, () => {});
    }
    await nextIsServed(scene);
    await scene.oldStands("while clients stall");
    assertEquals(ended, 0, "the next client was served while all others were still stalling");
    await say(test, `${stalled.length} stalls; ${trafficText(await scene.trafficStood())}`);
  },
});

Deno.test({
  name: "serve() gives up clients that stall at any byte, and has the old table in force",
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    await using scene = await Scene.start({ readSeconds: 0.5, transactionSeconds: 1 });
    using stack = new DisposableStack();
    const endings: Promise<string>[] = [];
    for (const bytes of beginnings(scene)) {
      const client = stack.use(await RawClient.connect(scene.path));
      await client.send(bytes);
      const ending = client.verdict().then(({ outcome }) => outcome);
      // Whoever waits for all of them hears of it; a test that fails before that mustn't fail twice.
      ending.catch(() => {});
      endings.push(ending);
    }
    assertEquals(new Set(await Promise.all(endings)), new Set(["timed-out"]));
    await nextIsServed(scene);
    await scene.oldStands("after clients have stalled");
    await say(test, `${endings.length} stalls; ${trafficText(await scene.trafficStood())}`);
  },
});

Deno.test({
  name: "serve() rolls back when a client stalls at any byte after APPLY",
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    await using scene = await Scene.start({ transactionSeconds: 0.2 });
    const stalls = SIDES.filter(({ mode }) => mode === "staged").flatMap((side) => {
      const { bytes, stage } = sideOf(scene, side);
      return Array.from(bytes.keys()).filter((cut) => stage(cut) === "applied").map((cut) => bytes.subarray(0, cut));
    });
    for (const bytes of stalls) {
      using client = await RawClient.connect(scene.path);
      await client.send(bytes);
      assertEquals((await client.verdict()).outcome, "done");
      const { outcome, code } = await client.verdict();
      assertEquals([outcome, code], ["rolled-back", "transaction-deadline"]);
      await client.closed();
      await nextIsServed(scene);
      await scene.oldStands(`stalled ${bytes.length} bytes in`);
    }
    assert(stalls.length === 2 * SIGNAL_SIZE);
    await say(test, `${stalls.length} stalls; ${trafficText(await scene.trafficStood())}`);
  },
});
