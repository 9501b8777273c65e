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

import { DIFF, RUN } from "./answers";
import { Collisions } from "./collisions";
import { NO_RULE, RECORD } from "./layout";
import { interfacesMeet, recordAt, sameSixteen, shiftOf } from "./records";
import { RunList } from "./runs";
import { compareBindings } from "./sorting";
import { grant, spend, unitsLeft } from "./steps";
import { portAt } from "./text";

/** Goes through the sorted rules of a table; the current one may have been cut at its beginning. */
@unmanaged
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

  free(): void {
    heap.free(changetype<usize>(this));
  }
}

/**
 * A comparison under way.
 *
 *     merging ─▶ resolving collisions ─▶ done
 */
@unmanaged
class Diff {
  private before: Cursor;
  private after: Cursor;
  private runs: RunList;
  private kept: u32 = 0;
  private collisions: usize = 0;

  constructor(
    private oldTable: usize,
    oldIndexes: usize,
    oldSorted: i32,
    private newTable: usize,
    newIndexes: usize,
    newSorted: i32,
  ) {
    this.before = new Cursor(oldTable, oldIndexes, oldSorted);
    this.after = new Cursor(newTable, newIndexes, newSorted);
    this.runs = new RunList();
  }

  /** Whether it is done. */
  step(): bool {
    if (this.collisions == 0) {
      if (!this.merge()) return false;
      this.collisions = changetype<usize>(new Collisions(this.runs, this.oldTable, this.newTable));
    }
    return changetype<Collisions>(this.collisions).step();
  }

  /** Hands over the result once it is done. */
  take(answer: usize): void {
    const runs = changetype<Collisions>(this.collisions).result;
    store<u32>(answer, runs.start, DIFF.RUNS);
    store<u32>(answer, runs.count, DIFF.RUN_COUNT);
    store<u32>(answer, this.kept, DIFF.KEPT);
    runs.release();
  }

  free(): void {
    this.before.free();
    this.after.free();
    if (this.collisions != 0) changetype<Collisions>(this.collisions).free();
    this.runs.free();
    heap.free(changetype<usize>(this));
  }

  private merge(): bool {
    const before = this.before;
    const after = this.after;
    const runs = this.runs;
    while (!before.done || !after.done) {
      if (unitsLeft() <= 0) return false;
      spend(1);
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
        if (sameRoute(before.rule, after.rule)) this.kept += last - before.first + 1;
        else addChanged(runs, before, after, last);
        before.cut(last);
        after.cut(last);
      }
    }
    return true;
  }
}

/** Begins to compare two tables; each has its indexes in sorted order, so many of them. */
export function beginDiff(
  oldTable: usize,
  oldIndexes: usize,
  oldSorted: i32,
  newTable: usize,
  newIndexes: usize,
  newSorted: i32,
): usize {
  return changetype<usize>(new Diff(oldTable, oldIndexes, oldSorted, newTable, newIndexes, newSorted));
}

/** Whether the comparison is done, after so many more units of work. */
export function stepDiff(diff: usize, budget: i32): bool {
  grant(budget);
  return changetype<Diff>(diff).step();
}

/** Writes the `DIFF` of a comparison that is done to the 12 bytes at `answer`. */
export function takeDiff(diff: usize, answer: usize): void {
  changetype<Diff>(diff).take(answer);
}

/** Frees a comparison, done or not, except for runs that were taken. */
export function endDiff(diff: usize): void {
  changetype<Diff>(diff).free();
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
