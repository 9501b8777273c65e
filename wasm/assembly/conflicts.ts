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
 *     by class ─▶ by address ─▶ (no conflict) ──────────────────────▶ done
 *                     └───────▶ (conflict) ─ bisection ─▶ partner ─▶ done
 *
 * @module
 */

import { IP_PROTOCOL, RECORD } from "./layout";
import { isTaken, OCCUPANCY_SIZE, take } from "./occupancy";
import { BindingClass, bindingClass, isSpecific, recordAt, rulesConflict } from "./records";
import { compareBindings } from "./sorting";
import { reach, unitsLeft } from "./steps";
import { portAt } from "./text";

const OCCUPANCIES_SIZE: usize = OCCUPANCY_SIZE * BindingClass.COUNT * 2;

const BY_CLASS: i32 = 0;
const BY_ADDRESS: i32 = 1;
const BISECTION: i32 = 2;
const PARTNER: i32 = 3;
const DONE: i32 = 4;

/** Looks for the first conflict among the first `count` rules of a table, which are valid each by itself. */
@unmanaged
export class ConflictSearch {
  /** Once it is done: index of the first rule that conflicts with an earlier one, or -1, and of that one. */
  rule: i32 = -1;
  partner: i32 = -1;
  /** One per protocol and class. */
  private occupancies: usize;
  private phase: i32 = BY_CLASS;
  /** How far the phase, or the present sweep of a bisection, has come. */
  private at: i32 = 0;
  /** Rules with this index and later ones are left out of the sweep. */
  private limit: i32 = 0;
  /** Rules before `low` don't conflict among themselves, those before `high` do. */
  private low: i32 = 1;
  private high: i32 = 0;
  /** The last rule of the sweep with a specific address. */
  private previous: usize = 0;

  /** `indexes` are the table's in sorted order, `sorted` of them. */
  constructor(private table: usize, private count: i32, private indexes: usize, private sorted: i32) {
    this.occupancies = heap.alloc(OCCUPANCIES_SIZE);
    memory.fill(this.occupancies, 0, OCCUPANCIES_SIZE);
  }

  /** Whether it is done. */
  step(): bool {
    while (this.phase != DONE && unitsLeft() > 0) {
      if (this.phase == BY_CLASS) this.compareClasses();
      else if (this.phase == PARTNER) this.findPartner();
      else this.compareAddresses();
    }
    return this.phase == DONE;
  }

  free(): void {
    heap.free(this.occupancies);
    heap.free(changetype<usize>(this));
  }

  private compareClasses(): void {
    const end = reach(this.at, this.count);
    while (this.at < end) {
      const rule = recordAt(this.table, this.at);
      const first = portAt(rule, RECORD.FIRST);
      const last = portAt(rule, RECORD.LAST);
      const binding = bindingClass(rule);
      const ofProtocol = load<u8>(rule, RECORD.PROTOCOL) == IP_PROTOCOL.TCP
        ? this.occupancies
        : this.occupancies + OCCUPANCY_SIZE * BindingClass.COUNT;
      if (isClassTaken(ofProtocol, binding, first, last)) {
        // What conflicts by address may come before it, but not after it.
        this.rule = this.at;
        break;
      }
      take(ofProtocol + binding * OCCUPANCY_SIZE, first, last);
      this.at++;
    }
    if (this.rule < 0 && this.at < this.count) return;
    this.high = this.at;
    this.phase = BY_ADDRESS;
    this.beginSweep(this.at);
  }

  private compareAddresses(): void {
    const overlap = this.sweep();
    if (overlap < 0) return;
    if (this.phase == BY_ADDRESS) {
      if (overlap == 0) return this.conclude(this.rule);
      this.phase = BISECTION;
    } else if (overlap == 1) {
      this.high = this.limit;
    } else {
      this.low = this.limit;
    }
    if (this.high - this.low > 1) this.beginSweep((this.low + this.high) >>> 1);
    else this.conclude(this.low);
  }

  private beginSweep(limit: i32): void {
    this.limit = limit;
    this.at = 0;
    this.previous = 0;
  }

  /** Whether two of the sorted rules within the limit have the same specific address and a port in common; -1 as long as that isn't known. */
  private sweep(): i32 {
    const end = reach(this.at, this.sorted);
    for (let i = this.at; i < end; i++) {
      const index = <i32> load<u32>(this.indexes + (<usize> i << 2));
      if (index >= this.limit) continue;
      const rule = recordAt(this.table, index);
      if (!isSpecific(bindingClass(rule))) continue;
      const previous = this.previous;
      if (
        previous != 0 && compareBindings(previous, rule) == 0 &&
        portAt(rule, RECORD.FIRST) <= portAt(previous, RECORD.LAST)
      ) return 1;
      this.previous = rule;
    }
    this.at = end;
    return end < this.sorted ? -1 : 0;
  }

  private conclude(rule: i32): void {
    this.rule = rule;
    this.at = 0;
    this.phase = rule < 0 ? DONE : PARTNER;
  }

  /** The earliest rule that conflicts with the one that was found; there is one. */
  private findPartner(): void {
    const rule = recordAt(this.table, this.rule);
    const end = reach(this.at, this.rule);
    for (let i = this.at; i < end; i++) {
      if (!rulesConflict(recordAt(this.table, i), rule)) continue;
      this.partner = i;
      this.phase = DONE;
      return;
    }
    this.at = end;
    if (end == this.rule) this.phase = DONE;
  }
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
