/**
 * Seeded randomness for property tests, and generators for rules, tables and conversations. The same seed gives the
 * same cases on every machine, so a failure can be repeated from its message.
 *
 * The generators draw from small pools on purpose: with ports from a narrow window and a handful of addresses,
 * conflicts, neighbours, overlaps and equal rules come up all the time, which they never would in uniform noise.
 *
 * @module
 */

import type { Rule } from "../codec/types.ts";

/** A source of random numbers that can be started again from its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to 2³² − 1. The generator is mulberry32 (public domain, by Tommy Ettinger). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.next() % (high - low + 1);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.next() % 100 < percent;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("Can't pick from nothing");
    return items[this.next() % items.length] as T;
  }

  /** `count` random bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() & 0xff);
  }

  /** A whole number of 64 bits, one time in three a small one. */
  u64(): bigint {
    return this.chance(33) ? BigInt(this.between(0, 9)) : (BigInt(this.next()) << 32n) | BigInt(this.next());
  }

  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.between(0, last);
      const moved = shuffled[last] as T;
      shuffled[last] = shuffled[other] as T;
      shuffled[other] = moved;
    }
    return shuffled;
  }
}

/** Listening addresses: dual stack, both wildcards, and specific ones of both families. */
export const ADDRESSES = [
  "*",
  "0.0.0.0",
  "::",
  "127.0.0.1",
  "127.0.0.2",
  "192.0.2.7",
  "::1",
  "2001:db8::1",
  "fe80::1:0:0:1",
] as const;

/** Targets of both families, unset more often than not; two of them are multicast, some are local. */
export const TARGETS = [
  undefined,
  undefined,
  undefined,
  "10.88.0.2",
  "10.88.0.3",
  "127.0.0.1",
  "127.0.0.2",
  "0.0.0.0",
  "192.0.2.7",
  "::1",
  "fd00::2",
  "2001:db8::1",
  "224.0.0.251",
  "ff02::fb",
] as const;

/** How a generated rule may look. */
export interface RuleShape {
  /** First ports come from 1 to this. */
  readonly window: number;
  /** The most ports that a range has. */
  readonly longest: number;
  readonly addresses?: readonly string[];
  readonly targets?: readonly (string | undefined)[];
}

/** Few ports, few addresses: rules that meet. */
export const CROWDED: RuleShape = { window: 60, longest: 9 };
/** Many ports: rules that mostly miss each other. */
export const ROOMY: RuleShape = { window: 60000, longest: 40 };

/** One rule whose fields are each in range; nothing else about it need be valid. */
export function randomRule(random: Random, shape: RuleShape): Rule {
  const length = random.chance(60) ? 1 : random.between(1, shape.longest);
  const firstPort = random.chance(3) ? 65536 - length : random.between(1, shape.window);
  const target = random.pick(shape.targets ?? TARGETS);
  const name = random.chance(80) ? undefined : random.pick(["lo", "eth0", "abcdefghijklmno", "brücke0", "\ufeff網😀"]);
  return {
    protocol: random.pick(["tcp", "udp"]),
    address: random.pick(shape.addresses ?? ADDRESSES),
    ...(name === undefined ? {} : { interface: name }),
    firstPort,
    lastPort: firstPort + length - 1,
    ...(target === undefined ? {} : { target }),
    targetPort: random.chance(60) ? firstPort : random.between(1, 65536 - length),
    weak: random.chance(20),
    scan: random.chance(10),
  };
}

/** The rule with one thing about it changed: what an operator does between two tables. */
export function editedRule(random: Random, rule: Rule): Rule {
  const { interface: name, target, ...rest } = rule;
  const kept = { ...rest, ...(name === undefined ? {} : { interface: name }) };
  const whole = { ...kept, ...(target === undefined ? {} : { target }) };
  const length = rule.lastPort - rule.firstPort;
  switch (random.between(0, 7)) {
    case 0:
      return { ...kept, target: random.pick(["10.88.0.2", "fd00::2", "10.88.0.9"]) };
    case 1:
      return { ...whole, targetPort: random.between(1, 65535 - length) };
    case 2:
      return { ...whole, address: random.pick(ADDRESSES) };
    case 3:
      return { ...rest, ...(target === undefined ? {} : { target }), interface: random.pick(["lo", "eth0"]) };
    case 4:
      return { ...rest, ...(target === undefined ? {} : { target }) };
    case 5: {
      const lastPort = Math.min(65535, rule.lastPort + random.between(0, 3));
      return { ...whole, lastPort, targetPort: Math.min(rule.targetPort, 65535 - (lastPort - rule.firstPort)) };
    }
    case 6: {
      // The same routes, port by port, from a rule that begins later.
      const cut = random.between(0, length);
      return { ...whole, firstPort: rule.firstPort + cut, targetPort: rule.targetPort + cut };
    }
    default:
      return { ...whole, weak: !rule.weak, protocol: rule.protocol === "tcp" ? "udp" : "tcp" };
  }
}
