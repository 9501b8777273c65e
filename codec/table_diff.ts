/**
 * What a diff of two rule tables says, out of the WebAssembly core's memory.
 *
 * @module
 */

import { core } from "./core.ts";
import { DIFF, RUN } from "./core_exports.ts";

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

/** The diff that the core has written to `answer`; the memory of its runs is given back. */
export function takeDiff(answer: number): TableDiff {
  const { raw, view } = core();
  const start = view.getUint32(answer + DIFF.RUNS, true);
  const count = view.getUint32(answer + DIFF.RUN_COUNT, true);
  const kept = view.getUint32(answer + DIFF.KEPT, true);
  const runs: EndpointRun[] = [];
  const end = start + count * RUN.SIZE;
  for (let at = start; at < end; at += RUN.SIZE) runs.push(readRun(view, at));
  if (start !== 0) raw.free(start);
  return { kept, runs };
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
