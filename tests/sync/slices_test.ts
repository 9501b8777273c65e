import { setImmediate } from "node:timers";
import type { Steps } from "../../codec/steps.ts";
import { attending, needingTurns, Slices } from "../../sync/slices.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";

/** Takes at least so many milliseconds of the processor. */
function busy(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

Deno.test("run() lets the event loop run between steps that take long, and resolves to the result", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const work = function* (): Steps<string> {
    for (let step = 0; step < 10; step++) {
      busy(3);
      yield;
    }
    return "done";
  };
  assertEquals(await new Slices().run(work()), "done");
  clearInterval(timer);
  assert(turns > 0);
});

Deno.test("run() rejects with what the work throws, and lets it tidy up", async () => {
  let tidied = false;
  const work = function* (): Steps<void> {
    try {
      yield;
      throw new RangeError("Can't go on");
    } finally {
      tidied = true;
    }
  };
  await assertRejects(() => new Slices().run(work()), RangeError, "Can't go on");
  assert(tidied);
});

Deno.test("run() calls those who attend between steps within a slice, until they are disposed of", async () => {
  let attended = 0;
  const during: number[] = [];
  const work = function* (): Steps<void> {
    for (let step = 0; step < 3; step++) {
      busy(0.3);
      yield;
      during.push(attended);
    }
  };
  {
    using _attending = attending(() => attended++);
    await new Slices().run(work());
  }
  assertEquals(during, [1, 2, 3]);
  await new Slices().run(work());
  assertEquals(attended, 3);
});

Deno.test("overAfterSmallStep() looks at the clock, and lets others attend, only now and then", () => {
  let attended = 0;
  using _attending = attending(() => attended++);
  const slices = new Slices();
  busy(2);
  const answers = Array.from({ length: 16 }, () => slices.overAfterSmallStep());
  assertEquals(answers.filter((over) => over).length, 2);
  assertEquals(answers.slice(0, 7), new Array(7).fill(false));
  assertEquals(attended >= 1 && attended <= 2, true);
});

Deno.test("next() lets the event loop have as many turns as somebody needs, until that is disposed of", async () => {
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const slices = new Slices();
  const turnsOfNext = async () => {
    const before = turns;
    await slices.next();
    return turns - before;
  };
  {
    using _few = needingTurns(10);
    using _many = needingTurns(20);
    assert(await turnsOfNext() >= 20);
  }
  assert(await turnsOfNext() < 10);
  counting = false;
});
