/**
 * Which rule of a table is the first that wants an endpoint of an earlier one.
 *
 * Theory of operation. Comparing pair by pair would take minutes for the largest tables, so conflicts are looked for in
 * two ways, each nearly linear:
 *
 * - A wildcard or dual-stack rule against anything: in the table's order, each rule asks the occupancies of the classes
 *   it can conflict with, then takes its ports in its own.
 * - Two rules with the same specific address: sorted by address and port, such a pair exists among the rules before
 *   index n if in this order, later ones left out, a rule starts before an earlier one with its address has ended. That
 *   is monotone in n, so the first conflicting rule is found by bisection.
 *
 * Only when the rule is known, its earliest partner is looked for one by one.
 *
 * @module
 */

import { IP_PROTOCOL, RECORD } from "./layout";
import { isTaken, OCCUPANCY_SIZE, take } from "./occupancy";
import { BindingClass, bindingClass, isSpecific, recordAt, rulesConflict } from "./records";
import { compareBindings, sortRules } from "./sorting";
import { portAt } from "./text";

/** Index of the first of these rules that conflicts with an earlier one, or -1. The rules are valid each by itself. */
export function firstConflict(table: usize, count: i32): i32 {
  const byClass = firstClassConflict(table, count);
  const byAddress = firstAddressConflict(table, byClass);
  return byAddress < count ? byAddress : -1;
}

/** Index of the earliest rule that conflicts with this one. */
export function earliestPartner(table: usize, index: i32): i32 {
  const rule = recordAt(table, index);
  for (let i = 0; i < index; i++) {
    if (rulesConflict(recordAt(table, i), rule)) return i;
  }
  return -1;
}

/** Index of the first rule that conflicts with an earlier one and isn't specific, or the earlier one isn't, or `count`. */
function firstClassConflict(table: usize, count: i32): i32 {
  const size = OCCUPANCY_SIZE * BindingClass.COUNT * 2;
  const occupancies = heap.alloc(size);
  memory.fill(occupancies, 0, size);
  let index = 0;
  while (index < count) {
    const rule = recordAt(table, index);
    const first = portAt(rule, RECORD.FIRST);
    const last = portAt(rule, RECORD.LAST);
    const binding = bindingClass(rule);
    const ofProtocol = load<u8>(rule, RECORD.PROTOCOL) == IP_PROTOCOL.TCP
      ? occupancies
      : occupancies + OCCUPANCY_SIZE * BindingClass.COUNT;
    if (isClassTaken(ofProtocol, binding, first, last)) break;
    take(ofProtocol + binding * OCCUPANCY_SIZE, first, last);
    index++;
  }
  heap.free(occupancies);
  return index;
}

function isClassTaken(occupancies: usize, binding: i32, first: i32, last: i32): bool {
  const dual = BindingClass.DUAL_STACK * OCCUPANCY_SIZE;
  const wildcard4 = BindingClass.WILDCARD_IPV4 * OCCUPANCY_SIZE;
  const specific4 = BindingClass.SPECIFIC_IPV4 * OCCUPANCY_SIZE;
  const wildcard6 = BindingClass.WILDCARD_IPV6 * OCCUPANCY_SIZE;
  const specific6 = BindingClass.SPECIFIC_IPV6 * OCCUPANCY_SIZE;
  const ipv4 = binding != BindingClass.WILDCARD_IPV6 && binding != BindingClass.SPECIFIC_IPV6;
  const ipv6 = binding != BindingClass.WILDCARD_IPV4 && binding != BindingClass.SPECIFIC_IPV4;
  if (isTaken(occupancies + dual, first, last)) return true;
  if (ipv4 && isTaken(occupancies + wildcard4, first, last)) return true;
  if (ipv6 && isTaken(occupancies + wildcard6, first, last)) return true;
  if (isSpecific(binding)) return false;
  return (ipv4 && isTaken(occupancies + specific4, first, last)) ||
    (ipv6 && isTaken(occupancies + specific6, first, last));
}

/** Index of the first of these rules whose specific address and ports an earlier one has, or `count`. */
function firstAddressConflict(table: usize, count: i32): i32 {
  let specific = 0;
  for (let i = 0; i < count; i++) {
    if (isSpecific(bindingClass(recordAt(table, i)))) specific++;
  }
  if (specific < 2) return count;
  const size = <usize> specific << 2;
  const indexes = heap.alloc(size);
  const spare = heap.alloc(size);
  let end = indexes;
  for (let i = 0; i < count; i++) {
    if (!isSpecific(bindingClass(recordAt(table, i)))) continue;
    store<u32>(end, i);
    end += 4;
  }
  sortRules(table, indexes, spare, specific);
  heap.free(spare);
  let result = count;
  if (hasOverlap(table, indexes, end, count)) {
    // Rules before `low` don't conflict among themselves, those before `high` do.
    let low = 1;
    let high = count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (hasOverlap(table, indexes, end, middle)) high = middle;
      else low = middle;
    }
    result = low;
  }
  heap.free(indexes);
  return result;
}

/** Whether two of the sorted rules with indexes below `limit` have the same address and a port in common. */
function hasOverlap(table: usize, indexes: usize, end: usize, limit: i32): bool {
  let previous: usize = 0;
  let last = 0;
  for (let at = indexes; at < end; at += 4) {
    const index = <i32> load<u32>(at);
    if (index >= limit) continue;
    const rule = recordAt(table, index);
    if (previous != 0 && compareBindings(previous, rule) == 0 && portAt(rule, RECORD.FIRST) <= last) return true;
    last = portAt(rule, RECORD.LAST);
    previous = rule;
  }
  return false;
}
