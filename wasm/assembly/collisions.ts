/**
 * Which new sockets the kernel won't grant while an old one stands, because one of the two has a wildcard address.
 *
 * Theory of operation. In a valid table a port has at most one wildcard rule per protocol and family, a dual-stack rule
 * being one for both families. So for one protocol at a time, four arrays over the ports hold all wildcards that are in
 * question: who retires and who opens there, for IPv4 and for IPv6. Then every run that isn't of a wildcard asks the
 * arrays port by port, and wildcards are held against each other in them. An entry is a rule's index plus one, 0 for
 * none; its highest bit is set when it turns out to collide. Afterwards the runs are cut where that changes.
 *
 *     looking ─▶ (none can collide) ────────────────────────────────────────────────▶ done
 *        └─────▶ (some may) ─ entering ─▶ marking ─▶ splitting ─▶ clearing ─▶ done
 *                                ▲             the next protocol        │
 *                                └──────────────────────────────────────┘
 *
 * The arrays take 1 MiB, are kept for the next search, and are cleared after use where they were written; of two searches
 * at a time, each has its own. All other work is in proportion to the sockets that open and close.
 *
 * @module
 */

import { RUN } from "./answers";
import { RECORD } from "./layout";
import { BindingClass, bindingClass, interfacesMeet, isSpecific, recordAt } from "./records";
import { RunList } from "./runs";
import { spend, unitsLeft } from "./steps";

const PORTS: i32 = 65536;
const IPV4: i32 = 0;
const IPV6: i32 = 1;
const COLLIDES: u32 = 0x8000_0000;

const WILDCARDS_SIZE: usize = 4 * PORTS * sizeof<u32>();
/** Ports of a run that count as one unit of work. */
const PORTS_PER_UNIT: i32 = 16;

const LOOKING: i32 = 0;
const ENTERING: i32 = 1;
const MARKING: i32 = 2;
const SPLITTING: i32 = 3;
const CLEARING: i32 = 4;
const DONE: i32 = 5;

/** Cleared arrays that no search uses now. */
let idle: usize = 0;

/** Those of the search whose step it is, with its tables: two arrays, one per family, for the wildcards that retire, then two for those that open. */
let wildcards: usize = 0;
let oldRules: usize = 0;
let newRules: usize = 0;

/** Makes runs whose collisions are resolved out of those of a merge. */
@unmanaged
export class Collisions {
  private resolved: RunList;
  /** As `wildcards`; 0 as long as they aren't needed. */
  private arrays: usize = 0;
  private phase: i32 = LOOKING;
  /** The runs of one protocol, and how far the phase has come with them. */
  private start: i32 = 0;
  private end: i32 = 0;
  private at: i32 = 0;
  private retires: bool = false;
  private opens: bool = false;
  private wildcard: bool = false;

  /** `runs` stay the caller's. */
  constructor(private runs: RunList, private oldTable: usize, private newTable: usize) {
    this.resolved = new RunList();
  }

  /** The runs, once it is done. */
  get result(): RunList {
    return this.arrays == 0 ? this.runs : this.resolved;
  }

  /** Whether it is done. */
  step(): bool {
    oldRules = this.oldTable;
    newRules = this.newTable;
    wildcards = this.arrays;
    while (this.phase != DONE && unitsLeft() > 0) {
      if (this.phase == LOOKING) this.look();
      else if (this.at < this.end) this.handle(this.runs.at(this.at++));
      else this.advance();
    }
    return this.phase == DONE;
  }

  free(): void {
    if (this.arrays != 0) {
      // Broken off, they may still hold something.
      if (this.phase != DONE) memory.fill(this.arrays, 0, WILDCARDS_SIZE);
      if (idle == 0) idle = this.arrays;
      else heap.free(this.arrays);
    }
    this.resolved.free();
    heap.free(changetype<usize>(this));
  }

  /** Whether sockets both retire and open, at least one of them with a wildcard. */
  private look(): void {
    while (this.at < this.runs.count && unitsLeft() > 0) {
      spend(1);
      const run = this.runs.at(this.at++);
      if (load<u32>(run, RUN.KIND) == RUN.MOVED) continue;
      if (isOpening(run)) this.opens = true;
      else this.retires = true;
      this.wildcard = this.wildcard || !isSpecific(bindingClass(ruleOf(run)));
      if (this.retires && this.opens && this.wildcard) return this.begin();
    }
    if (this.at == this.runs.count) this.phase = DONE;
  }

  private begin(): void {
    this.arrays = idle != 0 ? idle : heap.alloc(WILDCARDS_SIZE);
    if (idle == 0) memory.fill(this.arrays, 0, WILDCARDS_SIZE);
    idle = 0;
    wildcards = this.arrays;
    this.phase = CLEARING;
    this.at = this.end = 0;
  }

  private handle(run: usize): void {
    spend(1 + (<i32> load<u16>(run, RUN.LAST) - <i32> load<u16>(run, RUN.FIRST)) / PORTS_PER_UNIT);
    if (this.phase == ENTERING) enter(run);
    else if (this.phase == MARKING) markCollisions(run);
    else if (this.phase == SPLITTING) split(run, this.resolved);
    else clear(run);
  }

  /** On to the next phase, after the last one to the next protocol. */
  private advance(): void {
    if (this.phase < CLEARING) {
      this.phase++;
      this.at = this.start;
      return;
    }
    this.start = this.at = this.end;
    if (this.start == this.runs.count) {
      this.phase = DONE;
      return;
    }
    // The runs are in the order of sorting.ts, so those of a protocol are together, and there are two protocols at most.
    const protocol = protocolOf(this.runs.at(this.start));
    let low = this.start;
    let high = this.runs.count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (protocolOf(this.runs.at(middle)) == protocol) low = middle;
      else high = middle;
    }
    this.end = high;
    this.phase = ENTERING;
  }
}

function isOpening(run: usize): bool {
  const kind = load<u32>(run, RUN.KIND);
  return kind == RUN.OPENED || kind == RUN.REBOUND;
}

/** The rule that a run is about: the new one if it opens or moves, the old one if it retires. */
function ruleOf(run: usize): usize {
  return isOpening(run)
    ? recordAt(newRules, load<u32>(run, RUN.NEW_RULE))
    : recordAt(oldRules, load<u32>(run, RUN.OLD_RULE));
}

function protocolOf(run: usize): u8 {
  return load<u8>(ruleOf(run), RECORD.PROTOCOL);
}

/** Address of the entry for a port. */
function entry(opening: bool, family: i32, port: i32): usize {
  return wildcards + (<usize> (((opening ? 2 : 0) + family) * PORTS + port) << 2);
}

function hasFamily(binding: i32, family: i32): bool {
  if (binding == BindingClass.DUAL_STACK) return true;
  const ipv4 = binding == BindingClass.WILDCARD_IPV4 || binding == BindingClass.SPECIFIC_IPV4;
  return ipv4 == (family == IPV4);
}

/** Whether the arrays hold this run's ports. */
function isEntered(run: usize): bool {
  return load<u32>(run, RUN.KIND) != RUN.MOVED && !isSpecific(bindingClass(ruleOf(run)));
}

function enter(run: usize): void {
  if (isEntered(run)) fill(run, load<u32>(run + (isOpening(run) ? RUN.NEW_RULE : RUN.OLD_RULE)) + 1);
}

function clear(run: usize): void {
  if (isEntered(run)) fill(run, 0);
}

function fill(run: usize, value: u32): void {
  const opening = isOpening(run);
  const binding = bindingClass(ruleOf(run));
  for (let family = IPV4; family <= IPV6; family++) {
    if (!hasFamily(binding, family)) continue;
    for (let port: i32 = load<u16>(run, RUN.FIRST); port <= <i32> load<u16>(run, RUN.LAST); port++) {
      store<u32>(entry(opening, family, port), value);
    }
  }
}

/** Marks the wildcards on the other side that collide with this run, and the run itself where it is one. */
function markCollisions(run: usize): void {
  if (load<u32>(run, RUN.KIND) == RUN.MOVED) return;
  const opening = isOpening(run);
  const rule = ruleOf(run);
  const binding = bindingClass(rule);
  const specific = isSpecific(binding);
  for (let family = IPV4; family <= IPV6; family++) {
    if (!hasFamily(binding, family)) continue;
    for (let port: i32 = load<u16>(run, RUN.FIRST); port <= <i32> load<u16>(run, RUN.LAST); port++) {
      const other = entry(!opening, family, port);
      if (!isInTheWay(rule, other, opening)) continue;
      store<u32>(other, load<u32>(other) | COLLIDES);
      if (specific) continue;
      const own = entry(opening, family, port);
      store<u32>(own, load<u32>(own) | COLLIDES);
    }
  }
}

/** Whether the wildcard in this entry of the other side collides with the rule, whose port and family it has. */
function isInTheWay(rule: usize, other: usize, opening: bool): bool {
  const index = load<u32>(other) & ~COLLIDES;
  return index != 0 && interfacesMeet(rule, recordAt(opening ? oldRules : newRules, index - 1));
}

/** Adds the run to `resolved`, cut where its ports begin or cease to collide. */
function split(run: usize, resolved: RunList): void {
  const kind = load<u32>(run, RUN.KIND);
  const oldRule = load<u32>(run, RUN.OLD_RULE);
  const newRule = load<u32>(run, RUN.NEW_RULE);
  const first: i32 = load<u16>(run, RUN.FIRST);
  const last: i32 = load<u16>(run, RUN.LAST);
  if (kind != RUN.OPENED && kind != RUN.RETIRED) {
    resolved.add(kind, oldRule, newRule, first, last);
    return;
  }
  const opening = kind == RUN.OPENED;
  const rule = ruleOf(run);
  const binding = bindingClass(rule);
  let start = first;
  while (start <= last) {
    const collides = doesCollide(rule, binding, opening, start);
    let end = start;
    while (end < last && doesCollide(rule, binding, opening, end + 1) == collides) end++;
    const becomes = !collides ? kind : opening ? RUN.REBOUND : RUN.RELEASED;
    resolved.add(becomes, oldRule, newRule, start, end);
    start = end + 1;
  }
}

function doesCollide(rule: usize, binding: i32, opening: bool, port: i32): bool {
  for (let family = IPV4; family <= IPV6; family++) {
    if (!hasFamily(binding, family)) continue;
    const collides = isSpecific(binding)
      ? isInTheWay(rule, entry(!opening, family, port), opening)
      : (load<u32>(entry(opening, family, port)) & COLLIDES) != 0;
    if (collides) return true;
  }
  return false;
}
