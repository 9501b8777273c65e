/**
 * Pipes through which the kernel moves bulk data from socket to socket without copying it.
 *
 * A flow has a pipe only while there is something in it; empty ones are kept here for the next that needs one. A pipe whose
 * flow broke off is closed, because what is in it belongs to nobody.
 *
 * @module
 */

import type { DescriptorBudget } from "./descriptors.ts";
import { C, type Libc } from "./libc.ts";

/**
 * Bytes that a pipe should hold; the kernel may grant less. One stream over loopback, 2 cores: see the figures that
 * `tests/bench/relay_bench.ts` prints.
 */
export const PIPE_SIZE = 1 << 20;
/** Empty pipes that are kept: as many flows as can be in the middle of a turn or blocked at a time, as a rule. */
const MAX_KEPT = 16;
/** Descriptors of a pipe. */
const ENDS = 2;

/** Descriptors of the two ends of a pipe. */
export interface Pipe {
  readonly out: number;
  readonly in: number;
}

/** The pipes of one backend. */
export class Pipes {
  readonly #libc: Libc;
  readonly #budget: DescriptorBudget;
  readonly #empty: Pipe[] = [];
  readonly #ends = new Int32Array(new ArrayBuffer(8));

  constructor(libc: Libc, budget: DescriptorBudget) {
    this.#libc = libc;
    this.#budget = budget;
  }

  /** An empty pipe; undefined if there is none to be had, which is a reason to copy. */
  take(): Pipe | undefined {
    const kept = this.#empty.pop();
    if (kept !== undefined) return kept;
    if (!this.#budget.admits(ENDS)) return undefined;
    if (this.#libc.call.pipe2(this.#ends, C.O_NONBLOCK | C.O_CLOEXEC) < 0) return undefined;
    this.#budget.use(ENDS);
    const [out = -1, input = -1] = this.#ends;
    this.#libc.call.fcntl(input, C.F_SETPIPE_SZ, PIPE_SIZE);
    return { out, in: input };
  }

  /** Takes back a pipe that is empty. */
  giveBack(pipe: Pipe): void {
    if (this.#empty.length < MAX_KEPT) this.#empty.push(pipe);
    else this.discard(pipe);
  }

  /** Closes a pipe with whatever is in it. */
  discard(pipe: Pipe): void {
    this.#libc.call.close(pipe.out);
    this.#libc.call.close(pipe.in);
    this.#budget.use(-ENDS);
  }

  [Symbol.dispose](): void {
    for (const pipe of this.#empty.splice(0)) this.discard(pipe);
  }
}
