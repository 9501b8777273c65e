/**
 * How many file descriptors the relays may use, so that the rest of the program, the control sockets above all, always
 * finds some, and that listeners leave some to the flows.
 *
 * @module
 */

import { C, LAYOUT, type Libc, openLibc } from "./libc.ts";

/** Descriptors that are left to the rest of the program. */
const KEPT = 64;
/** The largest part of all descriptors that is left to it, where there are few. */
const KEPT_PART = 0.5;
/** The largest part of the relays' descriptors that listeners may have: ports without flows are of no use. */
const LISTENERS_PART = 0.75;
/**
 * For how many descriptors the kernel's table is made, at most: every port of both protocols, in 1 MiB of the kernel's
 * memory. Left to itself the table grows by doubling, and whoever opens something in a program with several threads waits 4
 * to 14 ms each time, 8 times on the way to 10,000 listeners (2 cores, Linux 6.18).
 */
const TABLE_SIZE = 131_072;
/** What is taken for the limit if the system doesn't tell: its usual one. */
const USUAL_LIMIT = 1024;

/** The growth of the kernel's table, which is one for the whole program; undefined before the first budget. */
let growing: Promise<void> | undefined;

/** A count of descriptors in use, with a bound. Disposing of it waits for the kernel's table to have grown. */
export class DescriptorBudget implements AsyncDisposable {
  /** How many the relays may have. */
  readonly max: number;
  /** How many of them may be listeners. */
  readonly maxListeners: number;
  #used = 0;

  constructor(libc: Libc) {
    const limit = openFilesLimit(libc);
    this.max = limit - Math.min(KEPT, Math.floor(limit * KEPT_PART));
    this.maxListeners = Math.floor(this.max * LISTENERS_PART);
    growing ??= growTable(Math.min(limit, TABLE_SIZE));
  }

  /** Whether there may be `count` more. */
  admits(count: number): boolean {
    return this.#used + count <= this.max;
  }

  /** So many more are in use, or fewer if negative. */
  use(count: number): void {
    this.#used += count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await growing;
  }
}

/** Has the kernel make its table large enough; if it doesn't, the table grows as it needs to. On a thread that may wait. */
async function growTable(size: number): Promise<void> {
  using libc = openLibc();
  const { call } = libc;
  const any = call.eventfd(0, C.EFD_CLOEXEC);
  if (any < 0) return;
  const last = await call.fcntl_aside(any, C.F_DUPFD_CLOEXEC, size - 1);
  if (last >= 0) call.close(last);
  call.close(any);
}

function openFilesLimit(libc: Libc): number {
  const limits = new BigUint64Array(new ArrayBuffer(LAYOUT.rlimit.size));
  if (libc.call.getrlimit(C.RLIMIT_NOFILE, limits) < 0) return USUAL_LIMIT;
  const [current = BigInt(USUAL_LIMIT)] = limits;
  return Number(current);
}
