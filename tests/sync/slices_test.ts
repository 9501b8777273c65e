import type { Steps } from "../../codec/steps.ts";
import { Slices } from "../../sync/slices.ts";
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
