/**
 * What becomes of every endpoint when one rule table takes the place of another: made, and read out of the WebAssembly
 * core's memory.
 *
 * @module
 */

import { core } from "./core.ts";
import { DIFF, type Pointer, RUN } from "./core_exports.ts";
import { type Steps, UNITS_PER_STEP } from "./steps.ts";
import type { TableMemory } from "./table_memory.ts";

/** A run as the core reports it, before it is known what it says. */
interface RunBounds {
  /** First and last port. */
  readonly first: number;
  readonly last: number;
}

/**
 * Ports in a row of one rule, of which a diff says the same thing; rules are indexes in the old and the new table.
 *
 * - moved: the same socket, another route
 * - opened: a new socket
 * - rebound: a new socket that the kernel doesn't grant before released ones are closed
 * - retired: no longer served
 * - released: no longer served, and in the way of a rebound one
 */
export type EndpointRun =
  | RunBounds & { readonly kind: "moved"; readonly oldRule: number; readonly newRule: number }
  | RunBounds & { readonly kind: "opened" | "rebound"; readonly newRule: number }
  | RunBounds & { readonly kind: "retired" | "released"; readonly oldRule: number };

/** What becomes of every endpoint when one table takes the place of another. */
export interface TableDiff {
  /** How many endpoints have the same route as before. */
  readonly kept: number;
  /** All others. */
  readonly runs: EndpointRun[];
}

/** Compares the first records of two valid tables, which must stay as they are meanwhile but for their status. */
export function* diffing(
  before: TableMemory,
  beforeLength: number,
  after: TableMemory,
  afterLength: number,
): Steps<TableDiff> {
  yield* before.sorting(beforeLength);
  yield* after.sorting(afterLength);
  const { raw, scratch } = core();
  const work = raw.beginDiff(
    before.records,
    before.sorted,
    before.sortedLength,
    after.records,
    after.sorted,
    after.sortedLength,
  );
  try {
    while (raw.stepDiff(work, UNITS_PER_STEP) === 0) yield;
    raw.takeDiff(work, scratch);
  } finally {
    raw.endDiff(work);
  }
  const { view } = core();
  const kept = view.getUint32(scratch + DIFF.KEPT, true);
  const runs = yield* readingRuns(
    view.getUint32(scratch + DIFF.RUNS, true),
    view.getUint32(scratch + DIFF.RUN_COUNT, true),
  );
  return { kept, runs };
}

/** Reads runs, and gives their memory back. */
function* readingRuns(start: Pointer, count: number): Steps<EndpointRun[]> {
  const runs: EndpointRun[] = [];
  try {
    for (let index = 0; index < count;) {
      const { view } = core();
      const end = Math.min(count, index + UNITS_PER_STEP);
      for (; index < end; index++) runs.push(readRun(view, start + index * RUN.SIZE));
      if (index < count) yield;
    }
    return runs;
  } finally {
    if (start !== 0) core().raw.free(start);
  }
}

function readRun(view: DataView, at: number): EndpointRun {
  const first = view.getUint16(at + RUN.FIRST, true);
  const last = view.getUint16(at + RUN.LAST, true);
  const oldRule = view.getUint32(at + RUN.OLD_RULE, true);
  const newRule = view.getUint32(at + RUN.NEW_RULE, true);
  switch (view.getUint32(at + RUN.KIND, true)) {
    case RUN.MOVED:
      return { kind: "moved", oldRule, newRule, first, last };
    case RUN.OPENED:
      return { kind: "opened", newRule, first, last };
    case RUN.REBOUND:
      return { kind: "rebound", newRule, first, last };
    case RUN.RETIRED:
      return { kind: "retired", oldRule, first, last };
    default:
      return { kind: "released", oldRule, first, last };
  }
}
