/**
 * Lists of runs: ports in a row of which a diff says the same thing.
 *
 * @module
 */

import { RUN } from "./answers";

/** A list of runs. Unmanaged: it is freed by hand. */
@unmanaged
export class RunList {
  start: usize = 0;
  count: i32 = 0;
  private capacity: i32 = 0;

  /** `NO_RULE` stands for a rule that isn't there. */
  add(kind: u32, oldRule: u32, newRule: u32, first: i32, last: i32): void {
    if (this.count == this.capacity) {
      this.capacity = this.capacity == 0 ? 64 : this.capacity * 2;
      const size = <usize> this.capacity * RUN.SIZE;
      this.start = this.start == 0 ? heap.alloc(size) : heap.realloc(this.start, size);
    }
    const run = this.at(this.count++);
    store<u32>(run, kind, RUN.KIND);
    store<u32>(run, oldRule, RUN.OLD_RULE);
    store<u32>(run, newRule, RUN.NEW_RULE);
    store<u16>(run, first, RUN.FIRST);
    store<u16>(run, last, RUN.LAST);
  }

  /** Address of the run with this index. */
  at(index: i32): usize {
    return this.start + <usize> index * RUN.SIZE;
  }

  /** Forgets the runs without freeing them: they are somebody else's now. */
  release(): void {
    this.start = 0;
    this.count = 0;
    this.capacity = 0;
  }

  /** Frees the list and its runs. */
  free(): void {
    if (this.start != 0) heap.free(this.start);
    heap.free(changetype<usize>(this));
  }
}
