/**
 * One order of rules for everything that sweeps over a table: by protocol, dual stack, address, first port, compared as
 * big-endian bytes. Rules that share the first three and don't conflict have ports that don't overlap, whatever their
 * interfaces are, so in this order their ports ascend.
 *
 * Indexes are sorted, not records, by their bytes from the least significant one on (radix sort): its time depends on the
 * number of rules only, not on what a client put into them. Bytes that are the same in all rules are left out; in most
 * tables that leaves the ports and a byte or two of the address. A table that is in order already, as most are, costs a
 * single sweep.
 *
 *     choosing ─▶ (out of order) ─ counting a byte ⇄ distributing by it ─▶ done
 *         └─────▶ (in order) ────────────────────────────────────────────▶ done
 *
 * @module
 */

import { RECORD, RULE_FLAG } from "./layout";
import { recordAt } from "./records";
import { grant, reach, unitsLeft } from "./steps";
import { portAt } from "./text";

/** Less than, equal to or greater than 0, as protocol, dual stack and address of `a` come before, are or come after `b`'s. */
export function compareBindings(a: usize, b: usize): i32 {
  const protocols = <i32> load<u8>(a, RECORD.PROTOCOL) - <i32> load<u8>(b, RECORD.PROTOCOL);
  if (protocols != 0) return protocols;
  const duals = <i32> (load<u8>(a, RECORD.FLAGS) & RULE_FLAG.DUAL_STACK) -
    <i32> (load<u8>(b, RECORD.FLAGS) & RULE_FLAG.DUAL_STACK);
  if (duals != 0) return duals;
  const high = compareBytes(load<u64>(a, RECORD.ADDRESS), load<u64>(b, RECORD.ADDRESS));
  return high != 0 ? high : compareBytes(load<u64>(a, RECORD.ADDRESS + 8), load<u64>(b, RECORD.ADDRESS + 8));
}

/** Compares eight bytes that were loaded as one number, first byte first. */
function compareBytes(a: u64, b: u64): i32 {
  if (a == b) return 0;
  return bswap(a) < bswap(b) ? -1 : 1;
}

/** Bytes of a u32 for each value of a byte: how often it occurs, then where the next index with it goes. */
const COUNTERS_SIZE: usize = 1024;
/** Bytes of the order, from the least significant one on: two of the port, 16 of the address, flags, protocol. */
const COLUMNS: i32 = 20;
const FIRST_OF_ADDRESS: i32 = 2;
const FLAGS_COLUMN: i32 = 18;

const CHOOSING: i32 = 0;
const COUNTING: i32 = 1;
const DISTRIBUTING: i32 = 2;
const DONE: i32 = 3;

/** Sorts the indexes of a table's rules, those whose ports are in no order left out. */
@unmanaged
class Sorting {
  /** The result, `sorted` of u32, once it is done. */
  indexes: usize;
  sorted: i32 = 0;
  private spare: usize;
  private counters: usize;
  private phase: i32 = CHOOSING;
  /** The byte that is sorted by. */
  private column: i32 = -1;
  /** How far the phase has come. */
  private at: i32 = 0;
  private inOrder: bool = true;
  /** Bits in which any two rules differ: of the address's halves, and of the eight bytes from the first port on. */
  private high: u64 = 0;
  private low: u64 = 0;
  private tail: u64 = 0;

  constructor(private table: usize, private count: i32) {
    this.indexes = heap.alloc(<usize> count << 2);
    this.spare = heap.alloc(<usize> count << 2);
    this.counters = heap.alloc(COUNTERS_SIZE);
  }

  /** Whether it is done. */
  step(): bool {
    while (this.phase != DONE && unitsLeft() > 0) {
      if (this.phase == CHOOSING) this.choose();
      else if (this.phase == COUNTING) this.countValues();
      else this.distribute();
    }
    return this.phase == DONE;
  }

  free(): void {
    if (this.indexes != 0) heap.free(this.indexes);
    heap.free(this.spare);
    heap.free(this.counters);
    heap.free(changetype<usize>(this));
  }

  private choose(): void {
    const end = reach(this.at, this.count);
    for (let i = this.at; i < end; i++) {
      const rule = recordAt(this.table, i);
      const first = portAt(rule, RECORD.FIRST);
      if (first > portAt(rule, RECORD.LAST)) continue;
      if (this.sorted > 0) {
        const before = recordAt(this.table, load<u32>(this.indexes + (<usize> (this.sorted - 1) << 2)));
        this.high |= load<u64>(rule, RECORD.ADDRESS) ^ load<u64>(before, RECORD.ADDRESS);
        this.low |= load<u64>(rule, RECORD.ADDRESS + 8) ^ load<u64>(before, RECORD.ADDRESS + 8);
        this.tail |= load<u64>(rule, RECORD.FIRST) ^ load<u64>(before, RECORD.FIRST);
        if (this.inOrder) {
          const order = compareBindings(before, rule);
          this.inOrder = order < 0 || (order == 0 && portAt(before, RECORD.FIRST) <= first);
        }
      }
      store<u32>(this.indexes + (<usize> this.sorted << 2), i);
      this.sorted++;
    }
    this.at = end;
    if (end < this.count) return;
    if (this.inOrder) this.phase = DONE;
    else this.nextColumn();
  }

  private countValues(): void {
    const end = reach(this.at, this.sorted);
    for (let i = this.at; i < end; i++) {
      const counter = this.counterOf(load<u32>(this.indexes + (<usize> i << 2)));
      store<u32>(counter, load<u32>(counter) + 1);
    }
    this.at = end;
    if (end < this.sorted) return;
    let place: u32 = 0;
    for (let counter = this.counters; counter < this.counters + COUNTERS_SIZE; counter += 4) {
      const size = load<u32>(counter);
      store<u32>(counter, place);
      place += size;
    }
    this.at = 0;
    this.phase = DISTRIBUTING;
  }

  private distribute(): void {
    const end = reach(this.at, this.sorted);
    for (let i = this.at; i < end; i++) {
      const index = load<u32>(this.indexes + (<usize> i << 2));
      const counter = this.counterOf(index);
      const slot = load<u32>(counter);
      store<u32>(counter, slot + 1);
      store<u32>(this.spare + (<usize> slot << 2), index);
    }
    this.at = end;
    if (end < this.sorted) return;
    const sorted = this.spare;
    this.spare = this.indexes;
    this.indexes = sorted;
    this.nextColumn();
  }

  /** Goes on to the next byte in which rules differ. */
  private nextColumn(): void {
    do this.column++; while (this.column < COLUMNS && !this.differs());
    this.at = 0;
    this.phase = this.column == COLUMNS ? DONE : COUNTING;
    memory.fill(this.counters, 0, COUNTERS_SIZE);
  }

  /** Where the byte of this column is in a record. */
  private get offset(): usize {
    if (this.column < FIRST_OF_ADDRESS) return RECORD.FIRST + 1 - this.column;
    if (this.column < FLAGS_COLUMN) return RECORD.ADDRESS + FLAGS_COLUMN - 1 - this.column;
    return this.column == FLAGS_COLUMN ? RECORD.FLAGS : RECORD.PROTOCOL;
  }

  private get mask(): u32 {
    return this.column == FLAGS_COLUMN ? RULE_FLAG.DUAL_STACK : 0xff;
  }

  private differs(): bool {
    const offset = this.offset;
    const bits = offset >= RECORD.FIRST ? this.tail : offset < RECORD.ADDRESS + 8 ? this.high : this.low;
    return ((<u32> (bits >> (((<u64> offset) & 7) << 3))) & this.mask) != 0;
  }

  /** Address of the counter for the rule's value. */
  private counterOf(index: u32): usize {
    return this.counters + ((load<u8>(recordAt(this.table, index) + this.offset) & this.mask) << 2);
  }
}

/** Begins to sort a table of `count` rules. */
export function beginSorting(table: usize, count: i32): usize {
  return changetype<usize>(new Sorting(table, count));
}

/** Whether the sort is done, after so many more units of work. */
export function stepSorting(sorting: usize, budget: i32): bool {
  grant(budget);
  return changetype<Sorting>(sorting).step();
}

/**
 * Hands over the result of a sort that is done: indexes, u32 each, which the caller frees.
 *
 * @param answer where their number is written, as u32
 */
export function takeSorted(sorting: usize, answer: usize): usize {
  const done = changetype<Sorting>(sorting);
  const indexes = done.indexes;
  done.indexes = 0;
  store<u32>(answer, done.sorted);
  return indexes;
}

/** Frees a sort, done or not. */
export function endSorting(sorting: usize): void {
  changetype<Sorting>(sorting).free();
}
