/**
 * What becomes of every endpoint when one table takes the place of another. Both tables are valid.
 *
 * Theory of operation. In the order of sorting.ts the rules of either table that share protocol, dual stack and address
 * are ranges of ports that ascend and don't overlap. So both tables are merged like two sorted lists, and cut where a
 * range of either begins or ends:
 *
 *     only old          retired
 *     only new          opened
 *     both              kept or moved; with another interface, the old is retired and the new opened, or, if the
 *                       interfaces meet, the old released and the new rebound
 *
 * What remains are new sockets that stand in the way of an old one with another address: collisions.ts finds those.
 *
 * @module
 */

import { resolveCollisions } from "./collisions";
import { NO_RULE, RECORD } from "./layout";
import { interfacesMeet, recordAt, sameSixteen, shiftOf } from "./records";
import { RUN, RunList } from "./runs";
import { compareBindings, sortedIndexes } from "./sorting";
import { portAt } from "./text";

/** Offsets in bytes of what `diffTables` answers, u32 each. */
export namespace DIFF {
  /** Where the runs are; the caller frees them, unless it is 0. */
  export const RUNS: usize = 0;
  export const RUN_COUNT: usize = 4;
  /** How many endpoints have the same route as before. */
  export const KEPT: usize = 8;
}

/** Steps through the sorted rules of a table; the current one may have been cut at its beginning. */
class Cursor {
  rule: usize = 0;
  index: u32 = 0;
  /** What is left of the current rule's ports. */
  first: i32 = 0;
  last: i32 = 0;
  private next: i32 = 0;

  constructor(private table: usize, private indexes: usize, private count: i32) {
    this.advance();
  }

  get done(): bool {
    return this.rule == 0;
  }

  advance(): void {
    this.rule = 0;
    if (this.next == this.count) return;
    this.index = load<u32>(this.indexes + (<usize> this.next << 2));
    this.next++;
    this.rule = recordAt(this.table, this.index);
    this.first = portAt(this.rule, RECORD.FIRST);
    this.last = portAt(this.rule, RECORD.LAST);
  }

  /** Leaves the ports up to `last` behind. */
  cut(last: i32): void {
    if (last == this.last) this.advance();
    else this.first = last + 1;
  }
}

/** Writes the `DIFF` to the 12 bytes at `answer`. */
export function diffTables(oldTable: usize, oldCount: i32, newTable: usize, newCount: i32, answer: usize): void {
  const oldIndexes = sortedIndexes(oldTable, oldCount, answer);
  const before = new Cursor(oldTable, oldIndexes, load<u32>(answer));
  const newIndexes = sortedIndexes(newTable, newCount, answer);
  const after = new Cursor(newTable, newIndexes, load<u32>(answer));
  const runs = new RunList();
  let kept: u32 = 0;
  while (!before.done || !after.done) {
    const order = before.done ? 1 : after.done ? -1 : compareBindings(before.rule, after.rule);
    if (order < 0 || (order == 0 && before.first < after.first)) {
      // The old table alone has these ports, up to where the new one joins in.
      const last = order == 0 ? min(before.last, after.first - 1) : before.last;
      runs.add(RUN.RETIRED, before.index, NO_RULE, before.first, last);
      before.cut(last);
    } else if (order > 0 || after.first < before.first) {
      const last = order == 0 ? min(after.last, before.first - 1) : after.last;
      runs.add(RUN.OPENED, NO_RULE, after.index, after.first, last);
      after.cut(last);
    } else {
      const last = min(before.last, after.last);
      if (sameRoute(before.rule, after.rule)) kept += last - before.first + 1;
      else addChanged(runs, before, after, last);
      before.cut(last);
      after.cut(last);
    }
  }
  heap.free(oldIndexes);
  heap.free(newIndexes);
  const resolved = resolveCollisions(runs, oldTable, newTable);
  store<u32>(answer, resolved.start, DIFF.RUNS);
  store<u32>(answer, resolved.count, DIFF.RUN_COUNT);
  store<u32>(answer, kept, DIFF.KEPT);
}

/** Whether two rules with the same address have the same sockets and forward to the same place. */
function sameRoute(a: usize, b: usize): bool {
  return sameSixteen(a + RECORD.INTERFACE, b + RECORD.INTERFACE) &&
    sameSixteen(a + RECORD.TARGET, b + RECORD.TARGET) && shiftOf(a) == shiftOf(b);
}

/** Ports that both tables have for the same address, but not with the same interface and route. */
function addChanged(runs: RunList, before: Cursor, after: Cursor, last: i32): void {
  if (sameSixteen(before.rule + RECORD.INTERFACE, after.rule + RECORD.INTERFACE)) {
    runs.add(RUN.MOVED, before.index, after.index, before.first, last);
    return;
  }
  const meet = interfacesMeet(before.rule, after.rule);
  runs.add(meet ? RUN.RELEASED : RUN.RETIRED, before.index, NO_RULE, before.first, last);
  runs.add(meet ? RUN.REBOUND : RUN.OPENED, NO_RULE, after.index, after.first, last);
}
