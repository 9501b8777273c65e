import { DeadlineError, Deadlines } from "../../codec/deadlines.ts";
import { assert, assertEquals, assertGreater, assertRejects } from "../assert.ts";

/** Seconds that nothing here takes. */
const LONG = 3600;
/** Seconds after which a step is late. */
const SHORT = 0.05;
const LATE = `Can't go on with a transaction: nothing moved for ${SHORT} s`;

/** Settles when the signal is aborted, with its reason. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  else signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

Deno.test("Deadlines.step() ends a step that takes too long, and gives the next one its own time", async () => {
  using deadlines = new Deadlines(LONG, SHORT, new AbortController().signal);
  for (let steps = 0; steps < 2; steps++) {
    const error = await assertRejects(() => deadlines.step(aborted), DeadlineError, LATE);
    assertEquals(error.code, "read-deadline");
  }
  assertEquals(await deadlines.step((signal) => Promise.resolve(signal.aborted)), false);
  assert(!deadlines.transaction.aborted);
});

Deno.test("Deadlines.step() counts a step's time from its own beginning, whenever the clock was set", async () => {
  using deadlines = new Deadlines(LONG, SHORT, new AbortController().signal);
  for (let rounds = 0; rounds < 2; rounds++) {
    await deadlines.step(() => new Promise<void>((resolve) => setTimeout(resolve, SHORT * 500)));
    const start = performance.now();
    await assertRejects(() => deadlines.step(aborted), DeadlineError, LATE);
    // A timer may ring a fraction of a millisecond early.
    assertGreater(performance.now() - start, SHORT * 1000 - 1);
  }
});

Deno.test("Deadlines.step() ends no step while others begin beside it, and then all of them", async () => {
  using deadlines = new Deadlines(LONG, SHORT, new AbortController().signal);
  const start = performance.now();
  const first = deadlines.step(aborted).catch((error: unknown) => error);
  const end = start + 3 * SHORT * 1000;
  let begun = start;
  while (performance.now() < end) {
    begun = performance.now();
    await deadlines.step(() => new Promise<void>((resolve) => setTimeout(resolve, 0)));
  }
  assert(await first instanceof DeadlineError);
  assertGreater(performance.now() - begun, SHORT * 1000 - 1);
});

Deno.test("Deadlines.step() ends with the conversation, Deadlines.last() only with its own time", async () => {
  using deadlines = new Deadlines(SHORT, LONG, new AbortController().signal);
  const error = await assertRejects(() => deadlines.step(aborted), DeadlineError);
  assertEquals(
    [error.code, error.message],
    ["transaction-deadline", `Can't go on with a transaction: it took more than ${SHORT} s`],
  );
  await assertRejects(() => deadlines.step(aborted), DeadlineError);
  assertEquals(await deadlines.last((signal) => Promise.resolve(signal.aborted)), false);
  using impatient = new Deadlines(LONG, SHORT, new AbortController().signal);
  await assertRejects(() => impatient.last(aborted), DeadlineError, LATE);
});

Deno.test("Deadlines.step() ends with the server, and says so", async () => {
  const stopping = new AbortController();
  using deadlines = new Deadlines(LONG, LONG, stopping.signal);
  const step = assertRejects(() => deadlines.step(aborted), Error, "over");
  stopping.abort(new Error("over"));
  await step;
});

Deno.test("Deadlines.step() aborts nothing when its time is up and no step is under way", async () => {
  using deadlines = new Deadlines(LONG, SHORT, new AbortController().signal);
  const signal = await deadlines.step((signal) => Promise.resolve(signal));
  const stopped = Promise.withResolvers<void>();
  // Set after the clock for as long as that, so it rings after it.
  setTimeout(stopped.resolve, SHORT * 1000);
  await stopped.promise;
  assertEquals(await deadlines.step((next) => Promise.resolve([next === signal, next.aborted])), [true, false]);
});

Deno.test({
  name: "Deadlines[Symbol.dispose]() leaves no clock behind, also for a step that begins or ends later",
  // The runner looks for timers that are left over only if told to.
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const deadlines = new Deadlines(LONG, LONG, new AbortController().signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    const step = deadlines.step(() => promise);
    deadlines[Symbol.dispose]();
    await deadlines.step(() => Promise.resolve());
    resolve();
    await step;
  },
});
