/**
 * What a rule table has of the core's memory.
 *
 * Theory of operation. One block for the records, which at most doubles when more come, and perhaps a second one: the
 * indexes of the rules in sorted order, made when they are first needed and given up when records are added. Several
 * tables may hold the same memory; the last one that releases it gives the blocks back. Work in steps holds it, so that
 * neither block goes away before it is done.
 *
 * @module
 */

import { RECORD_SIZE } from "./constants.ts";
import { core } from "./core.ts";
import type { Pointer } from "./core_exports.ts";
import { type Steps, UNITS_PER_STEP } from "./steps.ts";

/** The fewest records that room is made for. */
const LEAST_CAPACITY = 16;

/** The blocks of one table, or of several that share them. */
export class TableMemory {
  #records: Pointer = 0;
  /** How many records fit. */
  #capacity = 0;
  #sorted: Pointer = 0;
  #sortedLength = 0;
  /** Tables that hold this. */
  #users = 0;

  /** Where the records are; 0 for none. Good until the next `reserve`. */
  get records(): Pointer {
    return this.#records;
  }

  /** Indexes of the rules in sorted order, u32 each; 0 if they haven't been sorted. */
  get sorted(): Pointer {
    return this.#sorted;
  }

  /** How many indexes `sorted` holds: rules whose ports are in no order are left out. */
  get sortedLength(): number {
    return this.#sortedLength;
  }

  /** Whether more than one table holds it. */
  get shared(): boolean {
    return this.#users > 1;
  }

  /** One more table holds it. */
  hold(): void {
    this.#users++;
  }

  /** A table holds it no longer. */
  release(): void {
    if (--this.#users > 0) return;
    this.unsort();
    if (this.#records !== 0) core().raw.free(this.#records);
    this.#records = this.#capacity = 0;
  }

  /** Makes room for so many records. */
  reserve(length: number): void {
    if (length <= this.#capacity) return;
    const capacity = Math.max(length, LEAST_CAPACITY, 2 * this.#capacity);
    const { raw } = core();
    const size = capacity * RECORD_SIZE;
    this.#records = this.#records === 0 ? raw.allocate(size) : raw.reallocate(this.#records, size);
    this.#capacity = capacity;
  }

  /** Gives up the sorted indexes. */
  unsort(): void {
    if (this.#sorted === 0) return;
    core().raw.free(this.#sorted);
    this.#sorted = 0;
  }

  /** Sorts the first `length` records' indexes, unless that was done. */
  *sorting(length: number): Steps<void> {
    if (this.#sorted !== 0) return;
    const { raw, scratch } = core();
    const work = raw.beginSorting(this.#records, length);
    try {
      while (raw.stepSorting(work, UNITS_PER_STEP) === 0) yield;
      // Somebody else may have sorted them in the meantime, and be looking at what came of it.
      if (this.#sorted !== 0) return;
      this.#sorted = raw.takeSorted(work, scratch);
      this.#sortedLength = core().view.getUint32(scratch, true);
    } finally {
      raw.endSorting(work);
    }
  }
}
