/** Records of the released dialect against the oracle's, field by field. */

import { findUnsayable, fromPasstRecords, isPasstVersion, toPasstRecords } from "../../codec/passt_record.ts";
import { RuleTable } from "../../codec/table.ts";
import { assert, assertEquals } from "../assert.ts";
import { type RawRecord, readRecords, writeRecords } from "../oracle/record.ts";
import { Random } from "../random.ts";

/** What the released dialect has before the interface name, by version. */
const HEAD_SIZE = { 1: 16, 2: 32 } as const;

Deno.test("fromPasstRecords() keeps every field, and leaves target and status unset where there are none", () => {
  const random = new Random(31);
  for (const version of [1, 2] as const) {
    for (const count of [0, 1, 2, 255]) {
      const raw = Array.from({ length: count }, () => randomRecord(random));
      const expected = raw.map((record) => ({ ...record, ...(version === 1 && { target: 0n }) }));
      assertEquals(readRecords(fromPasstRecords(shortened(raw, version), version)), expected);
    }
  }
});

Deno.test("toPasstRecords() keeps every field of the rules that can be said, in order, up to 255", () => {
  const random = new Random(32);
  for (const version of [1, 2] as const) {
    for (const count of [0, 1, 255, 256, 511, 512, 513, 1500]) {
      const raw = Array.from({ length: count }, () => ({ ...randomRecord(random), status: 3, failed: 7 }));
      using table = RuleTable.ofRecords(writeRecords(raw));
      const sayable = raw.filter((record) => isSayable(record, version));
      const bytes = toPasstRecords(table, version);
      assertEquals(bytes, shortened(sayable.slice(0, 255), version));
      assertEquals(findUnsayable(table, version), raw.findIndex((record) => !isSayable(record, version)));
    }
  }
});

Deno.test("findUnsayable() finds one that lies beyond the first chunk", () => {
  const plain = { ...randomRecord(new Random(33)), protocol: 6, flags: 0, target: 0n };
  const raw = Array.from({ length: 1300 }, (_, index) => ({ ...plain, target: index === 1234 ? 5n : 0n }));
  using table = RuleTable.ofRecords(writeRecords(raw));
  assertEquals(findUnsayable(table, 1), 1234);
  using without = RuleTable.ofRecords(writeRecords(raw.slice(0, 1234)));
  assertEquals(findUnsayable(without, 1), -1);
});

Deno.test("isPasstVersion() knows 1 and 2", () => {
  assertEquals([0, 1, 2, 3, 4294967295, 1.5, NaN].map(isPasstVersion), [false, true, true, false, false, false, false]);
});

/** A record with any numbers, but often enough of a kind that the dialect can say. */
function randomRecord(random: Random): RawRecord {
  const address = () => random.pick([0n, 0xffff_7f00_0001n, 0xffff_0000_0000n, (0xfd00n << 112n) + 1n, 1n]);
  return {
    address: address(),
    target: random.chance(50) ? 0n : address(),
    interfaceName: random.bytes(16),
    first: random.between(0, 65535),
    last: random.between(0, 65535),
    targetPort: random.between(0, 65535),
    protocol: random.pick([6, 17, 6, 17, 6, 17, 0, 132]),
    flags: random.pick([0, 1, 2, 4, 7, 0, 8, 255]),
    status: 0,
    failed: 0,
    zero: 0,
  };
}

/** From the list of what makes a rule valid in the released programs. */
function isSayable({ protocol, flags, address, target }: RawRecord, version: 1 | 2): boolean {
  if (protocol !== 6 && protocol !== 17) return false;
  if (flags > 7) return false;
  if (target === 0n) return true;
  const isIPv4 = (address: bigint) => address >> 32n === 0xffffn;
  return version === 2 && flags % 2 === 0 && isIPv4(address) === isIPv4(target);
}

/** The records as they are on the wire, cut out of the oracle's 64 bytes. */
function shortened(raw: readonly RawRecord[], version: 1 | 2): Uint8Array {
  const records = writeRecords(raw);
  const bytes = raw.flatMap((_, index) => {
    const record = records.subarray(64 * index, 64 * (index + 1));
    return [...record.subarray(0, HEAD_SIZE[version]), ...record.subarray(32, 56)];
  });
  assert(bytes.length === raw.length * (HEAD_SIZE[version] + 24));
  return Uint8Array.from(bytes);
}
