/**
 * One order of rules for everything that sweeps over a table: by protocol, dual stack, address, first port, compared as
 * big-endian bytes. Rules that share the first three and don't conflict have ports that don't overlap, whatever their
 * interfaces are, so in this order their ports ascend.
 *
 * Indexes are sorted, not records, by their bytes from the least significant one on (radix sort): its time depends on the
 * number of rules only, not on what a client put into them. Bytes that are the same in all rules are left out; in most
 * tables that leaves the ports and a byte or two of the address.
 *
 * @module
 */

import { RECORD, RULE_FLAG } from "./layout";
import { recordAt } from "./records";
import { portAt } from "./text";

/** How often each value of a byte occurs, then where the next index with that value goes: 256 u32. */
const counters: usize = memory.data(1024);

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

/** Sorts `count` indexes of rules, u32 each, at `indexes`; `spare` is as much memory. Equal rules stay in order. */
export function sortRules(table: usize, indexes: usize, spare: usize, count: i32): void {
  if (count < 2) return;
  const reference = recordAt(table, load<u32>(indexes));
  let high: u64 = 0;
  let low: u64 = 0;
  let tail: u64 = 0;
  for (let i = 1; i < count; i++) {
    const rule = recordAt(table, load<u32>(indexes + (<usize> i << 2)));
    high |= load<u64>(rule, RECORD.ADDRESS) ^ load<u64>(reference, RECORD.ADDRESS);
    low |= load<u64>(rule, RECORD.ADDRESS + 8) ^ load<u64>(reference, RECORD.ADDRESS + 8);
    tail |= load<u64>(rule, RECORD.FIRST) ^ load<u64>(reference, RECORD.FIRST);
  }
  let from = indexes;
  let to = spare;
  // Columns in ascending significance: port, address, dual stack, protocol.
  for (let column = 1; column >= 0; column--) {
    if (((tail >> (column << 3)) & 0xff) == 0) continue;
    sortByByte(table, from, to, count, RECORD.FIRST + column, 0xff);
    const sorted = to;
    to = from;
    from = sorted;
  }
  for (let column = 15; column >= 0; column--) {
    if ((((column < 8 ? high : low) >> ((column & 7) << 3)) & 0xff) == 0) continue;
    sortByByte(table, from, to, count, RECORD.ADDRESS + column, 0xff);
    const sorted = to;
    to = from;
    from = sorted;
  }
  if (((tail >> ((RECORD.FLAGS - RECORD.FIRST) << 3)) & RULE_FLAG.DUAL_STACK) != 0) {
    sortByByte(table, from, to, count, RECORD.FLAGS, RULE_FLAG.DUAL_STACK);
    const sorted = to;
    to = from;
    from = sorted;
  }
  if (((tail >> ((RECORD.PROTOCOL - RECORD.FIRST) << 3)) & 0xff) != 0) {
    sortByByte(table, from, to, count, RECORD.PROTOCOL, 0xff);
    const sorted = to;
    to = from;
    from = sorted;
  }
  if (from != indexes) memory.copy(indexes, from, <usize> count << 2);
}

/** Copies the indexes from `from` to `to`, sorted by the byte at `offset` of their rules under `mask`. */
function sortByByte(table: usize, from: usize, to: usize, count: i32, offset: usize, mask: u32): void {
  memory.fill(counters, 0, 1024);
  const end = from + (<usize> count << 2);
  for (let at = from; at < end; at += 4) {
    const counter = counters + ((load<u8>(recordAt(table, load<u32>(at)) + offset) & mask) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let place: u32 = 0;
  for (let counter = counters; counter < counters + 1024; counter += 4) {
    const size = load<u32>(counter);
    store<u32>(counter, place);
    place += size;
  }
  for (let at = from; at < end; at += 4) {
    const index = load<u32>(at);
    const counter = counters + ((load<u8>(recordAt(table, index) + offset) & mask) << 2);
    const slot = load<u32>(counter);
    store<u32>(counter, slot + 1);
    store<u32>(to + (<usize> slot << 2), index);
  }
}

/**
 * The indexes of all rules of a table whose ports are in order, sorted: u32 each, `count` at most. The caller frees them.
 *
 * @param answer where their number is written, as u32
 */
export function sortedIndexes(table: usize, count: i32, answer: usize): usize {
  const size = <usize> count << 2;
  const indexes = heap.alloc(size);
  const spare = heap.alloc(size);
  let sorted = 0;
  for (let i = 0; i < count; i++) {
    const rule = recordAt(table, i);
    if (portAt(rule, RECORD.FIRST) > portAt(rule, RECORD.LAST)) continue;
    store<u32>(indexes + (<usize> sorted << 2), i);
    sorted++;
  }
  sortRules(table, indexes, spare, sorted);
  heap.free(spare);
  store<u32>(answer, sorted);
  return indexes;
}
