/**
 * Long work in steps, so that whoever calls can do something else in between.
 *
 * Theory of operation. Work that grows with a table is an unmanaged object, so the garbage collector, which may run
 * between two steps, knows nothing of it; it is freed by hand. A step is given so many units of work, each about what it
 * takes to look at one rule, and returns when they are spent or the work is done. It may overrun by what belongs
 * together, at most one rule with all of its ports.
 *
 * The tables that it looks at must stay where they are, and as they are but for the status of their rules, until it is
 * freed: codec/table.ts sees to that.
 *
 * @module
 */

let units: i32 = 0;

/** Begins a step. */
export function grant(budget: i32): void {
  units = budget;
}

/** What is left of the step: nothing if it isn't greater than 0. */
export function unitsLeft(): i32 {
  return units;
}

/** Takes so many units off. */
export function spend(count: i32): void {
  units -= count;
}

/** Where a loop from `at` to `count` has to stop in this step; the units up to there are spent. */
export function reach(at: i32, count: i32): i32 {
  const end = min(count, at + max(units, 0));
  units -= end - at;
  return end;
}
