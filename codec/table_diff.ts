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

/** Runs of one kind. */
export type RunOf<Kind extends EndpointRun["kind"]> = EndpointRun & { readonly kind: Kind };

const KINDS = {
  moved: RUN.MOVED,
  opened: RUN.OPENED,
  rebound: RUN.REBOUND,
  retired: RUN.RETIRED,
  released: RUN.RELEASED,
} as const satisfies Record<EndpointRun["kind"], number>;

/**
 * The runs of a diff, packed as the core has left them. Each becomes an object when its turn comes, and is forgotten then:
 * with 65,535 objects at once, which the garbage collector copied while everything waited, and their sorting by kind, the
 * longest hold-up of such an update took 5 to 6.5 ms; without, 2.8 ms.
 */
export class EndpointRuns implements Iterable<EndpointRun> {
  /** How many runs there are. */
  readonly length: number;
  readonly #view: DataView;
  /** How many runs, and how many ports, there are of each kind, by the core's numbers. */
  readonly #runs: number[] = [];
  readonly #ports: number[] = [];

  /** Keeps these bytes: of each run what `RUN` says. */
  constructor(bytes: Uint8Array) {
    this.length = bytes.length / RUN.SIZE;
    const view = this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += RUN.SIZE) {
      const kind = view.getUint32(at + RUN.KIND, true);
      const ports = view.getUint16(at + RUN.LAST, true) - view.getUint16(at + RUN.FIRST, true) + 1;
      this.#runs[kind] = (this.#runs[kind] ?? 0) + 1;
      this.#ports[kind] = (this.#ports[kind] ?? 0) + ports;
    }
  }

  *[Symbol.iterator](): Iterator<EndpointRun> {
    for (let at = 0; at < this.#view.byteLength; at += RUN.SIZE) yield readRun(this.#view, at);
  }

  /** Those of one kind, in their order. What there is none of isn't looked for. */
  *of<Kind extends EndpointRun["kind"]>(kind: Kind): Iterable<RunOf<Kind>> {
    const view = this.#view;
    const number = KINDS[kind];
    let left = this.#runs[number] ?? 0;
    for (let at = 0; left > 0; at += RUN.SIZE) {
      if (view.getUint32(at + RUN.KIND, true) !== number) continue;
      left--;
      yield readRun(view, at) as RunOf<Kind>;
    }
  }

  /** How many ports all runs of one kind have. */
  ports(kind: EndpointRun["kind"]): number {
    return this.#ports[KINDS[kind]] ?? 0;
  }
}

/** What becomes of every endpoint when one table takes the place of another. */
export interface TableDiff {
  /** How many endpoints have the same route as before. */
  readonly kept: number;
  /** All others. */
  readonly runs: EndpointRuns;
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
  const runs = takeRuns(
    view.getUint32(scratch + DIFF.RUNS, true),
    view.getUint32(scratch + DIFF.RUN_COUNT, true),
  );
  return { kept, runs };
}

/** Copies runs, and gives their memory back. */
function takeRuns(start: Pointer, count: number): EndpointRuns {
  const { raw, bytes } = core();
  const runs = new EndpointRuns(bytes.slice(start, start + count * RUN.SIZE));
  if (start !== 0) raw.free(start);
  return runs;
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
