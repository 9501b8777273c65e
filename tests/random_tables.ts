/**
 * Random rule records, tables and policies, the faulty among them faulty in every way that "Validity of a table" in
 * PROTOCOL.md knows.
 *
 * @module
 */

import { type RawRecord, recordOf, ruleOf } from "./oracle/record.ts";
import { faultOf, type OraclePolicy } from "./oracle/validate.ts";
import { CROWDED, editedRule, type Random, randomRule, ROOMY, type RuleShape } from "./random.ts";

/** A pif that can do everything and stands in nobody's way. */
export const LIBERAL: OraclePolicy = {
  capabilities: 0x1ff,
  defaultTarget: "127.0.0.1",
  maxRules: 65535,
  maxSockets: 327680,
  sameNamespace: false,
};

/** A pif with something that it can't do or doesn't allow, two times in three. */
export function randomPolicy(random: Random): OraclePolicy {
  const defaultTarget = random.pick([undefined, "127.0.0.1", "::1", "10.88.0.2", "192.0.2.7"]);
  return {
    capabilities: random.chance(50)
      ? 0x1ff
      : random.pick([0x0f, 0x2f, 0x3f, 0x3e, 0x3d, 0x3b, 0x37, 0x2f, 0x1f, 0x7f, 0x4f]),
    ...(defaultTarget === undefined ? {} : { defaultTarget }),
    maxRules: random.chance(5) ? random.between(0, 8) : 65535,
    maxSockets: random.chance(15) ? random.between(0, 60) : 327680,
    sameNamespace: random.chance(40),
    ...(random.chance(50) ? {} : { localAddresses: ["192.0.2.7", "2001:db8::1"] }),
  };
}

/** A record, broken in one field or two if `broken`. */
export function randomRecord(random: Random, shape: RuleShape, broken: boolean): RawRecord {
  let record = recordOf(randomRule(random, shape));
  for (let faults = broken ? random.between(1, 2) : 0; faults > 0; faults--) {
    record = { ...record, ...brokenField(random, record) };
  }
  return record;
}

/** A table of at most `length` records for this policy, with about `faults` faulty ones in 1000. */
export function randomTable(
  random: Random,
  shape: RuleShape,
  length: number,
  policy: OraclePolicy,
  faults: number,
): RawRecord[] {
  const table: RawRecord[] = [];
  while (table.length < length) {
    const record = randomRecord(random, shape, random.next() % 2000 < faults);
    const fault = faultOf(record, table, policy);
    if (fault === undefined || random.next() % 1000 < faults) table.push(record);
    else length--;
  }
  return table;
}

/** What an operator may make of a valid table: rules changed, gone, new, in another order. Valid as well. */
export function editedTable(random: Random, table: readonly RawRecord[], shape: RuleShape): RawRecord[] {
  const edited: RawRecord[] = [];
  const add = (record: RawRecord) => {
    if (faultOf(record, edited, LIBERAL) === undefined) edited.push(record);
  };
  const percent = random.pick([0, 5, 30, 80]);
  for (const record of random.chance(50) ? table : random.shuffle(table)) {
    if (!random.chance(percent)) add(record);
    else if (random.chance(70)) add(recordOf(editedRule(random, ruleOf(record))));
  }
  for (let count = random.between(0, 4); count > 0; count--) add(randomRecord(random, shape, false));
  return edited;
}

/** A crowded shape or a roomy one. */
export function randomShape(random: Random): RuleShape {
  return random.chance(75) ? CROWDED : ROOMY;
}

function brokenField(random: Random, record: RawRecord): Partial<RawRecord> {
  switch (random.between(0, 9)) {
    case 0:
      return { first: record.last + 1 & 0xffff };
    case 1:
      return { first: 0 };
    case 2:
      return { targetPort: 0 };
    case 3:
      return { targetPort: 65535, last: Math.min(65535, record.last + 1) };
    case 4:
      return { flags: record.flags | random.pick([8, 16, 32, 64, 128]) };
    case 5:
      return { flags: record.flags | 1, address: random.pick([1n, 0xffffn << 32n, record.address]) };
    case 6:
      return { protocol: random.pick([0, 1, 2, 7, 16, 18, 132, 255]) };
    case 7:
      return { interfaceName: badInterfaceName(random) };
    case 8:
      return { first: 0, last: 0 };
    default:
      return { target: random.pick([0xffffe0000001n, 0xffffefffffffn, 0xff02n << 112n, 0xffffn << 112n]) };
  }
}

/** A lone continuation, cut off by a letter and by the end of the name, overlong, a surrogate, past the last code point. */
const NOT_UTF8 = [
  [0x80],
  [0xc3, 0x61],
  [0x61, 0xf0, 0x9f, 0x98],
  [0xc0, 0xaf],
  [0xe0, 0x9f, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff],
] as const;

function badInterfaceName(random: Random): Uint8Array {
  const field = new Uint8Array(16);
  const name = random.pick([
    ".",
    "..",
    "a/b",
    "a b",
    "\teth0",
    "\x1b[31m",
    "eth\x7f",
    "eth\x85",
    "\0eth0",
    "eth0\0x",
    "n".repeat(16),
  ]);
  field.set(random.chance(60) ? new TextEncoder().encode(name) : random.pick(NOT_UTF8));
  return field;
}
