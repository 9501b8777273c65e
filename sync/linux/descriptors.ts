/**
 * How many file descriptors the relays may use, so that the rest of the program, the control sockets above all, always
 * finds some.
 *
 * @module
 */

import { C, LAYOUT, type Libc } from "./libc.ts";

/** Descriptors that are left to the rest of the program. */
const KEPT = 64;
/** The largest part of all descriptors that is left to it, where there are few. */
const KEPT_PART = 0.5;
/** What is taken for the limit if the system doesn't tell: its usual one. */
const USUAL_LIMIT = 1024;

/** A count of descriptors in use, with a bound. */
export class DescriptorBudget {
  /** How many the relays may have. */
  readonly max: number;
  #used = 0;

  constructor(libc: Libc) {
    const limit = openFilesLimit(libc);
    this.max = limit - Math.min(KEPT, Math.floor(limit * KEPT_PART));
  }

  /** Whether there may be `count` more. */
  admits(count: number): boolean {
    return this.#used + count <= this.max;
  }

  /** So many more are in use, or fewer if negative. */
  use(count: number): void {
    this.#used += count;
  }
}

function openFilesLimit(libc: Libc): number {
  const limits = new BigUint64Array(new ArrayBuffer(LAYOUT.rlimit.size));
  if (libc.call.getrlimit(C.RLIMIT_NOFILE, limits) < 0) return USUAL_LIMIT;
  const [current = BigInt(USUAL_LIMIT)] = limits;
  return Number(current);
}
