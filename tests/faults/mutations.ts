/**
 * Transactions with something wrong in them, from a seed. None of them can change a table, whatever the mutation hits:
 *
 * - a one-shot or staged one has more rules that can't be bound, or that conflict, than mutations can heal;
 * - a staged one isn't committed, a check never is.
 *
 * Target ports are at their end, so that no mutation makes a range of thousands of ports, which would only be slow.
 *
 * @module
 */

import { nativeClient } from "../../codec/native.ts";
import { CLIENT_MAGIC } from "../../codec/constants.ts";
import type { Rule } from "../../codec/types.ts";
import { concat } from "../bytes.ts";
import { updateBytes } from "../harness.ts";
import type { Random } from "../random.ts";
import { tcpRule } from "../rules.ts";

/** Each touches two records at most, and there are at most two. */
const SPOILT_RULES = 6;
const MAX_MUTATIONS = 2;
/** Nobody's (RFC 5737), so no socket can be bound to it. */
const NOWHERE = "192.0.2.1";
/** First of the ports that the rules name. */
const PORT = 19_000;

const rules = (make: (index: number) => Rule) => Array.from({ length: SPOILT_RULES }, (_, index) => make(index));
const unbindable = rules((index) => tcpRule(PORT + index, 65535, { address: NOWHERE }));
const conflicting = rules(() => tcpRule(PORT, 65535, { address: NOWHERE }));
const APPLY = nativeClient.signal("apply");

const TRANSACTIONS: readonly Uint8Array[] = [
  updateBytes(unbindable, { base: 1n }),
  updateBytes(conflicting),
  updateBytes(unbindable, { mode: "check" }),
  updateBytes(unbindable, { rollBackUndelivered: true }),
  concat([updateBytes(unbindable, { mode: "staged" }), APPLY]),
  concat([updateBytes(unbindable, { mode: "staged", base: 1n, holdSeconds: 1 }), APPLY]),
];

/** Lengths and counts that programs have stumbled over. */
const GREAT_NUMBERS = [0x7fffffff, 0x80000000, 0xffffffff, 0xffffffc0, 0x00010000, 0x00010001] as const;

/** A transaction with one or two mutations; every tenth is noise. */
export function mutatedTransaction(random: Random): Uint8Array {
  if (random.chance(5)) return random.bytes(random.between(1, 300));
  if (random.chance(5)) return concat([CLIENT_MAGIC, random.bytes(random.between(1, 300))]);
  let bytes: Uint8Array = random.pick(TRANSACTIONS).slice();
  for (let count = random.between(1, MAX_MUTATIONS); count > 0; count--) bytes = mutated(random, bytes);
  return bytes;
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.between(0, Math.max(0, bytes.length - 1));
  switch (random.between(0, 6)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
      return bytes;
    case 1:
      bytes[at] = random.next() & 0xff;
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3: {
      const aligned = at & ~3;
      if (aligned + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(aligned, random.pick(GREAT_NUMBERS));
      return bytes;
    }
    case 4:
      return concat([bytes.slice(0, at), random.bytes(random.between(1, 16)), bytes.slice(at)]);
    case 5:
      return concat([bytes.slice(0, at), bytes.slice(at + random.between(1, 16))]);
    default:
      return concat([bytes, bytes.slice(at)]);
  }
}

/** The bytes in one to three pieces. */
export function pieces(random: Random, bytes: Uint8Array): Uint8Array[] {
  const cuts = Array.from({ length: random.between(0, 2) }, () => random.between(0, bytes.length)).sort((a, b) =>
    a - b
  );
  return [0, ...cuts].map((start, index) => bytes.subarray(start, cuts[index] ?? bytes.length))
    .filter(({ length }) => length > 0);
}
