/**
 * Tables as long as a pif's may be, where the oracle is too slow: what must hold of them is known without it.
 *
 * @module
 */

import { diffTables, RuleTable, type TablePolicy } from "../../codec/table.ts";
import { assertEquals } from "../assert.ts";
import { type RawRecord, recordOf, writeRecords } from "../oracle/record.ts";
import { Random } from "../random.ts";
import { LIBERAL } from "../random_tables.ts";

const MOST = 65535;
const POLICY: TablePolicy = LIBERAL;

/** One rule for every port. */
function everyPort(address: string, target: string): RawRecord[] {
  const first = recordOf({
    protocol: "tcp",
    address,
    firstPort: 1,
    lastPort: 1,
    target,
    targetPort: 1,
    weak: false,
    scan: false,
  });
  return Array.from({ length: MOST }, (_, index) => ({
    ...first,
    first: index + 1,
    last: index + 1,
    targetPort: index + 1,
  }));
}

/** One rule for every address from 10.0.0.0 on, all for the same port. */
function everyAddress(): RawRecord[] {
  const [first] = everyPort("10.0.0.0", "10.88.0.2");
  if (first === undefined) throw new RangeError("There is no rule");
  return Array.from({ length: MOST }, (_, index) => ({ ...first, address: first.address + BigInt(index) }));
}

function tableOf(records: readonly RawRecord[]): RuleTable {
  return RuleTable.ofRecords(writeRecords(records));
}

function replaced(records: readonly RawRecord[], index: number, change: Partial<RawRecord>): RawRecord[] {
  return records.map((record, at) => at === index ? { ...record, ...change } : record);
}

/** Endpoints by fate. */
function totals(before: RuleTable, after: RuleTable): Record<string, number> {
  const { kept, runs } = diffTables(before, after);
  const sums: Record<string, number> = { kept };
  for (const { kind, first, last } of runs) sums[kind] = (sums[kind] ?? 0) + last - first + 1;
  return sums;
}

Deno.test("validate() takes 65,535 rules for as many ports or addresses", () => {
  for (const records of [everyPort("*", "10.88.0.2"), everyAddress(), new Random(21).shuffle(everyAddress())]) {
    using table = tableOf(records);
    assertEquals(table.validate(POLICY), { kind: "valid", sockets: MOST });
  }
});

Deno.test("validate() finds the one conflict among 65,535 rules", () => {
  const ports = everyPort("127.0.0.1", "10.88.0.2");
  const addresses = everyAddress();
  const cases: [RawRecord[], number, number][] = [
    [replaced(ports, 65534, { first: 18, last: 18, targetPort: 18 }), 65534, 17],
    [replaced(ports, 40000, { first: 30001, last: 50000, targetPort: 1 }), 40000, 30000],
    [replaced(ports, 17, { first: 1, last: 65535, targetPort: 1 }), 17, 0],
    [replaced(ports, 65534, { flags: 1, address: 0n, first: 300, last: 65535, targetPort: 1 }), 65534, 299],
    [replaced(addresses, 65534, { address: 0xffffn << 32n }), 65534, 0],
    [replaced(addresses, 0, { flags: 1, address: 0n }), 1, 0],
    [replaced(addresses, 50001, { address: addresses[50000]?.address ?? 0n }), 50001, 50000],
  ];
  for (const [records, rule, otherRule] of cases) {
    using table = tableOf(records);
    assertEquals(table.validate(POLICY), { kind: "invalid", code: "conflict", rule, otherRule });
  }
});

Deno.test("validate() reports the first of 65,534 conflicts", () => {
  const records = everyAddress().map((record) => ({ ...record, address: 0n, flags: 1 }));
  using table = tableOf(records);
  assertEquals(table.validate(POLICY), { kind: "invalid", code: "conflict", rule: 1, otherRule: 0 });
});

Deno.test("validate() prefers a fault in an early rule to a conflict in a late one", () => {
  const records = replaced(everyPort("127.0.0.1", "10.88.0.2"), 65534, { first: 18, last: 18 });
  using table = tableOf(replaced(records, 65533, { protocol: 1 }));
  const result = table.validate(POLICY);
  assertEquals(result.kind === "invalid" ? [result.code, result.rule] : [], ["unknown-protocol", 65533]);
});

Deno.test("validate() counts the sockets of rules that cover every port", () => {
  const [one] = everyPort("10.0.0.0", "10.88.0.2");
  if (one === undefined) throw new RangeError("There is no rule");
  const wide = Array.from({ length: 6 }, (_, index) => ({ ...one, last: 65535, address: one.address + BigInt(index) }));
  using five = tableOf(wide.slice(0, 5));
  assertEquals(five.validate(POLICY), { kind: "valid", sockets: 5 * 65535 });
  using six = tableOf(wide);
  const result = six.validate(POLICY);
  assertEquals(result.kind === "invalid" ? result.code : "valid", "too-many-sockets");
});

Deno.test("diffTables() keeps all endpoints of a table of 65,535 rules, in whatever order", () => {
  const random = new Random(22);
  for (const records of [everyPort("*", "10.88.0.2"), everyAddress()]) {
    using before = tableOf(records);
    using same = tableOf(records);
    using shuffled = tableOf(random.shuffle(records));
    assertEquals(totals(before, same), { kept: MOST });
    assertEquals(totals(before, shuffled), { kept: MOST });
  }
});

Deno.test("diffTables() opens, retires, moves and rebinds 65,535 endpoints", () => {
  using none = tableOf([]);
  using dual = tableOf(everyPort("*", "10.88.0.2"));
  using moved = tableOf(everyPort("*", "10.88.0.3"));
  using ipv4 = tableOf(everyPort("0.0.0.0", "10.88.0.2"));
  using ipv6 = tableOf(everyPort("::", "fd00::2"));
  assertEquals(totals(none, dual), { kept: 0, opened: MOST });
  assertEquals(totals(dual, none), { kept: 0, retired: MOST });
  assertEquals(totals(dual, moved), { kept: 0, moved: MOST });
  assertEquals(totals(dual, ipv4), { kept: 0, rebound: MOST, released: MOST });
  assertEquals(totals(ipv4, ipv6), { kept: 0, opened: MOST, retired: MOST });
});

Deno.test("diffTables() sees through one wide rule cut into 65,535", () => {
  const [one] = everyPort("*", "10.88.0.2");
  if (one === undefined) throw new RangeError("There is no rule");
  using whole = tableOf([{ ...one, last: 65535 }]);
  using cut = tableOf(everyPort("*", "10.88.0.2"));
  assertEquals(totals(whole, cut), { kept: MOST });
  assertEquals(totals(cut, whole), { kept: MOST });
});
