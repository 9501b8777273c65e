import { core } from "../../codec/core.ts";
import { finish, type Steps, UNITS_PER_STEP } from "../../codec/steps.ts";
import { RuleTable, type TableDiff } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { assertEquals, assertGreater, assertThrows } from "../assert.ts";
import { LIBERAL } from "../random_tables.ts";
import { tcpRule } from "../rules.ts";

/** More rules than a step looks at, out of order. */
const COUNT = 3 * UNITS_PER_STEP;

function manyRules(address: (index: number) => string, targetPort = 9): Rule[] {
  return Array.from({ length: COUNT }, (_, index) => tcpRule(COUNT - index, targetPort, { address: address(index) }));
}

const dualStack = () => manyRules(() => "*");
const specific = () => manyRules((index) => `10.0.${index & 3}.1`, 10);

/** Takes the steps of all of these by turns; how many each took, and its result. */
function byTurns<T>(works: readonly Steps<T>[]): { steps: number; result: T }[] {
  const ended = new Map<Steps<T>, { steps: number; result: T }>();
  for (let steps = 1; ended.size < works.length; steps++) {
    for (const work of works) {
      if (ended.has(work)) continue;
      const step = work.next();
      if (step.done) ended.set(work, { steps, result: step.value });
    }
  }
  return works.flatMap((work) => ended.get(work) ?? []);
}

Deno.test("finish() takes all steps and returns the result, or throws what the work throws", () => {
  let taken = 0;
  assertEquals(
    finish((function* () {
      for (; taken < 3; taken++) yield;
      return "done";
    })()),
    "done",
  );
  assertEquals(taken, 3);
  assertThrows(
    () =>
      finish((function* (): Steps<void> {
        yield;
        throw new RangeError("Can't go on");
      })()),
    RangeError,
    "Can't go on",
  );
});

function spelledOut(diff: TableDiff | undefined): unknown {
  return { kept: diff?.kept, runs: [...diff?.runs ?? []] };
}

Deno.test("validating() and diffing() come to the same by turns as at once, whatever else is under way", () => {
  using before = RuleTable.of(dualStack());
  using after = RuleTable.of(specific());
  using conflicting = RuleTable.of([...dualStack(), tcpRule(COUNT, 1)]);
  const [there, back, again] = byTurns([before.diffing(after), after.diffing(before), before.diffing(after)]);
  const tables = [before, after, conflicting];
  const validated = byTurns(tables.map((table) => table.validating(LIBERAL)));
  assertEquals([there, back, again].map((turn) => spelledOut(turn?.result)), [
    spelledOut(before.diff(after)),
    spelledOut(after.diff(before)),
    spelledOut(before.diff(after)),
  ]);
  assertEquals(there?.result.runs.length, 2 * COUNT);
  assertEquals(validated.map(({ result }) => result), tables.map((table) => table.validate(LIBERAL)));
  assertEquals(validated[2]?.result, { kind: "invalid", code: "conflict", rule: COUNT, otherRule: 0 });
  // Otherwise nothing would have been done by turns.
  for (const { steps } of [there, back, again, ...validated].flatMap((turn) => turn ?? [])) assertGreater(steps, 3);
});

Deno.test("work in steps keeps its tables, and others from adding to them, until it is done", () => {
  const table = RuleTable.of(specific());
  const kept = table.share();
  const work = table.validating(LIBERAL);
  work.next();
  table[Symbol.dispose]();
  assertThrows(() => kept.append(kept.records(0, 1)), TypeError, "Can't add rules to a table: it is shared");
  kept[Symbol.dispose]();
  assertEquals(finish(work), { kind: "valid", sockets: COUNT });
});

Deno.test("work that is broken off after any step gives back all of its memory, and spoils nothing", () => {
  const round = () => {
    using before = RuleTable.of(dualStack());
    using after = RuleTable.of(specific());
    const begin: readonly (() => Steps<unknown>)[] = [
      () => before.diffing(after),
      () => after.validating(LIBERAL),
      function* () {
        const { rows } = yield* RuleTable.completing([{ table: before, defaultTarget: "127.0.0.1" }]);
        rows[Symbol.dispose]();
      },
    ];
    for (const make of begin) {
      for (let steps = 1;; steps += 2) {
        const work = make();
        let over = false;
        for (let step = 0; step < steps && !over; step++) over = work.next().done ?? false;
        if (over) break;
        work.return(undefined);
      }
    }
    assertEquals([...before.diff(after).runs.of("rebound")].length, COUNT);
  };
  for (let count = 0; count < 3; count++) round();
  const { length } = core().bytes;
  for (let count = 0; count < 20; count++) round();
  assertEquals(core().bytes.length, length);
});
