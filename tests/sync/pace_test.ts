import { setImmediate } from "node:timers/promises";
import type { Connection } from "../../codec/channel.ts";
import { Pace, paced } from "../../sync/pace.ts";
import { assert, assertEquals, assertGreater } from "../assert.ts";

const CLIENTS = 100;

/** How many of the event loop's turns pass until all of the work is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let over = false;
  work.finally(() => over = true);
  let turns = 0;
  for (; !over; turns++) await setImmediate();
  return turns;
}

Deno.test("Pace.step() lets the event loop have its turn between the steps of a crowd, in the order of asking", async () => {
  const pace = new Pace();
  const order: number[] = [];
  const crowd = Array.from({ length: CLIENTS }, (_, client) => pace.step().then(() => order.push(client)));
  const turns = await turnsOf(Promise.all(crowd));
  assertEquals(order, Array.from({ length: CLIENTS }, (_, client) => client));
  assertGreater(turns, CLIENTS / 4);
});

Deno.test("Pace.step() makes nobody wait who is alone", async () => {
  const pace = new Pace();
  for (let steps = 0; steps < 10; steps++) {
    await setImmediate();
    let taken = false;
    pace.step().then(() => taken = true);
    await Promise.resolve();
    assert(taken);
  }
});

Deno.test("paced() holds back what was read, and what is to be written, but no error and no end", async () => {
  const written: string[] = [];
  const connection: Connection = {
    read: (into) => Promise.resolve(into.length === 0 ? null : 1),
    write: (bytes) => {
      if (bytes.length === 0) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
      written.push("write");
      return Promise.resolve(bytes.length);
    },
    close: () => void written.push("close"),
  };
  const pace = new Pace();
  const held = paced(connection, pace);
  const bytes = new Uint8Array(1);
  const reads = Promise.all(Array.from({ length: CLIENTS }, () => held.read(bytes)));
  assertGreater(await turnsOf(reads), CLIENTS / 4);
  assertEquals(new Set(await reads), new Set([1]));
  assertGreater(await turnsOf(Promise.all(Array.from({ length: CLIENTS }, () => held.write(bytes)))), CLIENTS / 4);
  assertEquals(written.length, CLIENTS);
  assertEquals(await held.read(new Uint8Array(0)), null);
  const failure = await held.write(new Uint8Array(0)).catch((error: unknown) => error);
  assert(failure instanceof Deno.errors.BrokenPipe);
  held.close();
  assertEquals(written.at(-1), "close");
});
