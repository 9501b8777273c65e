/**
 * Which rule an endpoint is of. A table that is asked often is sorted once; then each answer takes a bisection.
 *
 * @module
 */

import { RECORD } from "./layout";
import { recordAt, sameSixteen } from "./records";
import { compareBindings } from "./sorting";
import { portAt } from "./text";

/**
 * Index of the rule with this endpoint, or -1. The rules don't conflict with each other.
 *
 * @param indexes the table's `sortedIndexes`, and `count` how many
 * @param endpoint a record of which protocol, dual-stack flag, address, interface and first port count
 */
export function matchRule(table: usize, indexes: usize, count: i32, endpoint: usize): i32 {
  const port = portAt(endpoint, RECORD.FIRST);
  // Of the rules in this order, those before `low` begin at or before the endpoint, those from `high` on after it.
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const rule = recordAt(table, load<u32>(indexes + (<usize> middle << 2)));
    const order = compareBindings(rule, endpoint);
    if (order < 0 || (order == 0 && portAt(rule, RECORD.FIRST) <= port)) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return -1;
  const index = load<u32>(indexes + (<usize> (low - 1) << 2));
  const rule = recordAt(table, index);
  const matches = compareBindings(rule, endpoint) == 0 && portAt(rule, RECORD.LAST) >= port &&
    sameSixteen(rule + RECORD.INTERFACE, endpoint + RECORD.INTERFACE);
  return matches ? index : -1;
}
