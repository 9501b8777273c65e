import { Exclusive } from "../../sync/exclusive.ts";
import { assertEquals } from "../assert.ts";

Deno.test("Exclusive.enter() lets one in at a time, in the order of asking", async () => {
  const exclusive = new Exclusive();
  const order: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    using _place = await exclusive.enter();
    order.push(`${name} enters`);
    await Promise.resolve();
    order.push(`${name} leaves`);
  }));
  assertEquals(order, ["a enters", "a leaves", "b enters", "b leaves", "c enters", "c leaves"]);
});
