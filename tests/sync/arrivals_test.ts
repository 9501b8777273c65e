import { Arrivals } from "../../sync/arrivals.ts";
import { Pace } from "../../sync/pace.ts";
import { assertEquals } from "../assert.ts";

Deno.test("Arrivals.before() waits for nobody when nobody is there, or only later ones are", async () => {
  const arrivals = new Arrivals(new Pace());
  using only = arrivals.begin();
  using later = arrivals.begin();
  later.complete = true;
  await arrivals.before(only);
});

Deno.test("Arrivals.before() waits until a complete update is done with", async () => {
  const arrivals = new Arrivals(new Pace());
  const first = arrivals.begin();
  first.complete = true;
  using second = arrivals.begin();
  let done = false;
  const waiting = arrivals.before(second).then(() => done = true);
  await arrivals.before(first);
  assertEquals(done, false);
  first[Symbol.dispose]();
  await waiting;
});

Deno.test("Arrivals.before() doesn't wait for a client that is silent", async () => {
  const arrivals = new Arrivals(new Pace());
  using _silent = arrivals.begin();
  using second = arrivals.begin();
  await arrivals.before(second);
});

Deno.test("Arrivals.before() goes on looking while bytes arrive", async () => {
  const arrivals = new Arrivals(new Pace());
  const first = arrivals.begin();
  using second = arrivals.begin();
  // Each time that it is looked at, something more has come; the fifth time it is over.
  let looks = 0;
  Object.defineProperty(first, "events", {
    get: () => {
      if (++looks === 5) first[Symbol.dispose]();
      return looks;
    },
  });
  await arrivals.before(second);
  assertEquals(looks, 5);
});

Deno.test("Arrivals.before() waits for what was read and is held back by the pace", async () => {
  const pace = new Pace();
  const arrivals = new Arrivals(pace);
  const first = arrivals.begin();
  using second = arrivals.begin();
  // A crowd before it, for several times as long as one look.
  for (let others = 0; others < 4000; others++) pace.step();
  pace.step().then(() => {
    first.events++;
    first.complete = true;
  });
  const waiting = arrivals.before(second);
  let over = false;
  waiting.then(() => over = true);
  while (!first.complete) await new Promise((resolve) => setTimeout(resolve));
  for (let looks = 0; looks < 10; looks++) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(over, false);
  first[Symbol.dispose]();
  await waiting;
});
