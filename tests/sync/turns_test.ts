import { PestoError } from "../../codec/errors.ts";
import { Turns } from "../../sync/turns.ts";
import { assertEquals, assertRejects } from "../assert.ts";

Deno.test("Turns.take() gives the turn to one at a time, in order", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const first = await turns.take();
  const others = ["second", "third"].map(async (name) => {
    using _turn = await turns.take();
    order.push(`${name} begins`);
    await Promise.resolve();
    order.push(`${name} ends`);
  });
  order.push("first ends");
  first[Symbol.dispose]();
  await Promise.all(others);
  assertEquals(order, ["first ends", "second begins", "second ends", "third begins", "third ends"]);
});

Deno.test("Turns.take() rejects with busy when somebody's table waits for its client, also for those already waiting", async () => {
  const turns = new Turns();
  const first = await turns.take();
  const waiting = turns.take();
  first.waitForClient();
  assertEquals((await assertRejects(() => waiting, PestoError)).code, "busy");
  assertEquals((await assertRejects(() => turns.take(), PestoError)).code, "busy");
  first[Symbol.dispose]();
  (await turns.take())[Symbol.dispose]();
});
