import { CAPABILITY } from "../../codec/constants.ts";
import { diffTables, type EndpointRun, RuleTable, type TablePolicy } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../assert.ts";

const POLICY: TablePolicy = {
  capabilities: Object.values(CAPABILITY).reduce((all, bit) => all | bit, 0),
  maxRules: 65535,
  maxSockets: 327680,
  sameNamespace: true,
};

/** `[udp ]ADDRESS[%INTERFACE]:FIRST[-LAST]>TARGET/PORT`. */
function rule(text: string): Rule {
  const match = /^(udp )?(.*?)(?:%(\w+))?:(\d+)(?:-(\d+))?>(.*)\/(\d+)$/.exec(text);
  assert(match, text);
  const [, udp, address = "", name, first = "", last = first, target = "", targetPort = ""] = match;
  return {
    protocol: udp ? "udp" : "tcp",
    address,
    ...(name && { interface: name }),
    firstPort: Number(first),
    lastPort: Number(last),
    ...(target && { target }),
    targetPort: Number(targetPort),
    weak: false,
    scan: false,
  };
}

function table(...texts: string[]): RuleTable {
  return RuleTable.of(texts.map(rule));
}

function diff(before: string[], after: string[]): { kept: number; runs: EndpointRun[] } {
  using old = table(...before);
  using next = table(...after);
  const { kept, runs } = diffTables(old, next);
  return { kept, runs: [...runs] };
}

Deno.test("rules() gives back what of() took", () => {
  const rules = [
    { ...rule("*:1-65535>10.0.0.1/1"), weak: true },
    { ...rule("udp ::%lo:53>/53"), scan: true },
    rule("0.0.0.0%averyverylong15:80>fd00::2/8080"),
    rule("2001:db8::1:443>/443"),
  ];
  using one = RuleTable.of(rules);
  assertEquals(one.rules(), rules);
  assertEquals(one.rule(2), rules[2]);
  assertEquals(one.length, 4);
});

Deno.test("validate() takes just the interface names that rules() and of() carry over unchanged", () => {
  const record = table("10.0.0.1:80>10.0.0.2/80").records();
  const withName = (name: readonly number[]) => {
    const changed = record.slice();
    changed.set(name, 32);
    return changed;
  };
  const text = (name: string) => [...new TextEncoder().encode(name)];
  const good = ["lo", "...", ".a", "abcdefghijklmno", "é網😀", "\ufeff", "\ud7ff\ue000", "\u{10ffff}", "a:b"].map(text);
  for (const name of good) {
    using one = RuleTable.ofRecords(withName(name));
    assertEquals(one.validate(POLICY), { kind: "valid", sockets: 1 }, `${name}`);
    using again = RuleTable.of(one.rules());
    assertEquals(again.records(), one.records());
  }
  const bad = [
    ...["a/b", "a b", "a\tb", "\x1b[m", "a\x7f", "\x85", ".", "..", "abcdefghijklmnop", "a\0b"].map(text),
    ...[[0x80], [0xc3], [0xc3, 0x61], [0xc0, 0xaf], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]],
    // A sequence that the terminating zero cuts off, and one that the field's end does.
    [0x61, 0xf0, 0x9f, 0x98],
    [...new Array(14).fill(0x61), 0xc3, 0xa9],
  ];
  for (const name of bad) {
    using one = RuleTable.ofRecords(withName(name));
    assertEquals(one.validate(POLICY), { kind: "invalid", code: "bad-interface-name", rule: 0 }, `${name}`);
  }
});

Deno.test("of() refuses what a record can't hold", () => {
  const make = (changes: Record<string, unknown>) => RuleTable.of([{ ...rule("*:80>/80"), ...changes } as Rule]);
  const cases: [Record<string, unknown>, ErrorConstructor | SyntaxErrorConstructor, string][] = [
    [{ protocol: "sctp" }, TypeError, `Can't encode the protocol "sctp": it must be "tcp" or "udp"`],
    [{ firstPort: 65536 }, RangeError, `Can't encode the first port 65536: it must be a whole number from 0 to 65535`],
    [{ lastPort: 1.5 }, RangeError, `Can't encode the last port 1.5: it must be a whole number from 0 to 65535`],
    [{ targetPort: -1 }, RangeError, `Can't encode the target port -1: it must be a whole number from 0 to 65535`],
    [{ target: "::" }, RangeError, `Can't encode the target "::": leave it out for the default target`],
    [
      { interface: "sixteen-bytes-xx" },
      RangeError,
      `Can't encode the interface name "sixteen-bytes-xx": it must be 1 to 15 bytes of text`,
    ],
    [{ interface: "" }, RangeError, `Can't encode the interface name "": it must be 1 to 15 bytes of text`],
    [{ address: "127.0.0.256" }, SyntaxError, `Can't read address "127.0.0.256": `],
  ];
  for (const [changes, kind, text] of cases) assertThrows(() => make(changes), kind, text);
});

Deno.test("rule() refuses a record of another protocol, text() prints it", () => {
  using tcp = table("127.0.0.1:80>/80");
  const records = tcp.records();
  records[54] = 132;
  using sctp = RuleTable.ofRecords(records);
  assertThrows(
    () => sctp.rule(0),
    RangeError,
    "Can't read a rule of IP protocol 132: it must be 6 (TCP) or 17 (UDP)",
  );
  assertEquals(sctp.text(0), "PROTOCOL 132 [127.0.0.1]:80  =>  80");
});

Deno.test("append() and concat() add rules, memory at most doubling", () => {
  using all = table();
  const record = table("*:80>/80").records();
  for (let round = 0; round < 1000; round++) all.append(record);
  assertEquals(all.length, 1000);
  assertEquals(all.records(999), record);
  using twice = RuleTable.concat([all, all]);
  assertEquals(twice.length, 2000);
  assertEquals(twice.records(1000), all.records());
  all.append(all.records(0, 10));
  assertEquals(all.length, 1010);
});

Deno.test("ofRecords() and append() refuse a part of a record", () => {
  const text = "Can't read rules from 100 bytes: it must be a multiple of 64";
  assertThrows(() => RuleTable.ofRecords(new Uint8Array(100)), RangeError, text);
});

Deno.test("rule(), text(), records() and setStatus() refuse an index that isn't there", () => {
  using one = table("*:80>/80");
  assertThrows(() => one.rule(1), RangeError, "Can't take rule 1: the table has 1");
  assertThrows(() => one.text(-1), RangeError, "Can't take rule -1: the table has 1");
  assertThrows(() => one.rule(0.5), RangeError, "Can't take rule 0.5: the table has 1");
  assertThrows(() => one.records(1, 0), RangeError, "Can't take rules 1 to 0: the table has 1");
  assertThrows(() => one.records(0, 2), RangeError, "Can't take rules 0 to 2: the table has 1");
  assertThrows(() => one.setStatus(1, "bound", 0), RangeError, "Can't take rule 1: the table has 1");
});

Deno.test("setStatus(), setAllStatus() and clearStatus() note what listed() tells", () => {
  using two = table("*:80-89>/80", "*:90>/90");
  two.setStatus(0, "partial", 3);
  assertEquals(two.listed(0), { ...rule("*:80-89>/80"), status: "partial", failedPorts: 3 });
  assertEquals(two.listed(1).status, "unset");
  two.setAllStatus("bound");
  assertEquals(two.listedRules().map(({ status, failedPorts }) => [status, failedPorts]), [["bound", 0], ["bound", 0]]);
  two.clearStatus();
  assertEquals(two.records(), table("*:80-89>/80", "*:90>/90").records());
  assertThrows(
    () => two.setStatus(0, "failed", 65536),
    RangeError,
    "Can't note 65536 failed ports: it must be a whole number from 0 to 65535",
  );
});

Deno.test("find() goes by everything but the status", () => {
  using two = table("*:80>/80", "*:90>/90");
  two.setStatus(1, "failed", 1);
  assertEquals(two.find(rule("*:90>/90")), 1);
  assertEquals(two.find({ ...rule("*:90>/90"), weak: true }), -1);
  assertEquals(two.find(rule("*:90>/91")), -1);
});

Deno.test("match() finds the rule with exactly this endpoint", () => {
  using some = table("*:80-89>/80", "0.0.0.0:100-199>/1", "127.0.0.1%lo:200>/1", "127.0.0.1:90>/1", "udp *:80>/80");
  assertEquals(some.match("tcp", "*", undefined, 89), 0);
  assertEquals(some.match("udp", "*", undefined, 80), 4);
  assertEquals(some.match("udp", "*", undefined, 89), -1);
  assertEquals(some.match("tcp", "0.0.0.0", undefined, 150), 1);
  assertEquals(some.match("tcp", "0.0.0.0", undefined, 80), -1);
  assertEquals(some.match("tcp", "::", undefined, 80), -1);
  assertEquals(some.match("tcp", "127.0.0.1", "lo", 200), 2);
  assertEquals(some.match("tcp", "127.0.0.1", undefined, 200), -1);
  some.append(table("*:70>/70").records());
  assertEquals(some.match("tcp", "*", undefined, 70), 5);
});

Deno.test("validate() tells the earliest fault, and the sockets of a table without any", () => {
  using good = table("*:80-89>10.0.0.1/80", "udp *:80>10.0.0.1/80");
  assertEquals(good.validate(POLICY), { kind: "valid", sockets: 11 });
  using bad = table("*:80>10.0.0.1/80", "*:0>10.0.0.1/80", "*:80>10.0.0.1/80");
  assertEquals(bad.validate(POLICY), { kind: "invalid", code: "port-zero", rule: 1 });
  assertEquals(good.validate({ ...POLICY, maxRules: 1 }), { kind: "invalid", code: "too-many-rules" });
  assertEquals(good.validate({ ...POLICY, maxSockets: 10 }), { kind: "invalid", code: "too-many-sockets" });
});

Deno.test("validate() reports the first rule that conflicts, with its earliest partner", () => {
  using address = table("10.0.0.1:1-9>10.0.0.2/1", "10.0.0.1:20>10.0.0.2/1", "10.0.0.1:5-20>10.0.0.2/1", "*:1>/1");
  assertEquals(address.validate(POLICY), { kind: "invalid", code: "conflict", rule: 2, otherRule: 0 });
  using wildcard = table("10.0.0.1:5>10.0.0.2/1", "::1:5>10.0.0.2/1", "::%lo:1-9>10.0.0.2/1");
  assertEquals(wildcard.validate(POLICY), { kind: "invalid", code: "conflict", rule: 2, otherRule: 1 });
  using overlapping = table("10.0.0.1:100>10.9.9.9/1", "10.0.0.2:1-1000>10.9.9.9/1", "0.0.0.0:101>10.9.9.9/1");
  assertEquals(overlapping.validate(POLICY), { kind: "invalid", code: "conflict", rule: 2, otherRule: 1 });
  using families = table("0.0.0.0:5>10.0.0.2/1", ":::5>10.0.0.2/1", "udp *:5>10.0.0.2/1");
  assertEquals(families.validate(POLICY), { kind: "valid", sockets: 3 });
});

Deno.test("validate() holds a rule that forwards to itself against the others first", () => {
  using both = table("*:80>10.0.0.1/80", "127.0.0.1:80>127.0.0.1/80");
  assertEquals(both.validate(POLICY), { kind: "invalid", code: "conflict", rule: 1, otherRule: 0 });
});

Deno.test("validate() refuses a rule that forwards to itself, where the namespace is the same", () => {
  const verdict = (text: string, policy: Partial<TablePolicy> = {}) => {
    using one = table(text);
    const result = one.validate({ ...POLICY, ...policy });
    return result.kind === "valid" ? "valid" : result.code;
  };
  const itself = "forwards-to-itself";
  assertEquals(verdict("*:80>127.0.0.1/80"), itself);
  assertEquals(verdict("*:80>127.0.0.1/80", { sameNamespace: false }), "valid");
  assertEquals(verdict("*:80>127.0.0.1/81"), "valid");
  assertEquals(verdict("*%lo:80>127.9.9.9/80"), itself);
  assertEquals(verdict("*%eth0:80>127.0.0.1/80"), "valid");
  assertEquals(verdict("0.0.0.0:80>::1/80"), "valid");
  assertEquals(verdict(":::80>::1/80"), itself);
  assertEquals(verdict("10.0.0.1:80>10.0.0.1/80"), itself);
  assertEquals(verdict("127.0.0.1:80>0.0.0.0/80"), itself);
  assertEquals(verdict("127.0.0.2:80>127.0.0.1/80"), "valid");
  assertEquals(verdict("*:80>10.0.0.1/80"), "valid");
  assertEquals(verdict("*:80>10.0.0.1/80", { localAddresses: ["fd00::1", "10.0.0.1"] }), itself);
  assertEquals(verdict("*:80>/80"), "no-target");
  assertEquals(verdict("*:80>/80", { defaultTarget: "127.0.0.1" }), itself);
});

Deno.test("validate() of the largest tables takes no time to speak of", () => {
  // Pair by pair these would be two thousand million comparisons each, which take minutes.
  const addresses = Array.from({ length: 65535 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  using wide = RuleTable.of(addresses.map((address) => rule(`${address}:1-65535>10.9.9.9/1`)));
  const policy = { ...POLICY, maxRules: 70000 };
  const start = performance.now();
  assertEquals(wide.validate(policy), { kind: "invalid", code: "too-many-sockets" });
  wide.append(wide.records(60000, 60001));
  assertEquals(wide.validate(policy), { kind: "invalid", code: "conflict", rule: 65535, otherRule: 60000 });
  assertLess(performance.now() - start, 5000);
});

Deno.test("diffTables() tells kept, moved, opened and retired ports apart, whatever the rules' bounds", () => {
  assertEquals(diff(["*:80-89>10.0.0.1/80"], ["*:85>10.0.0.1/85", "*:86-95>10.0.0.1/86"]), {
    kept: 5,
    runs: [
      { kind: "retired", oldRule: 0, first: 80, last: 84 },
      { kind: "opened", newRule: 1, first: 90, last: 95 },
    ],
  });
  assertEquals(diff(["*:80-89>10.0.0.1/80"], ["*:82-83>10.0.0.2/82", "*:84-89>10.0.0.1/85"]), {
    kept: 0,
    runs: [
      { kind: "retired", oldRule: 0, first: 80, last: 81 },
      { kind: "moved", oldRule: 0, newRule: 0, first: 82, last: 83 },
      { kind: "moved", oldRule: 0, newRule: 1, first: 84, last: 89 },
    ],
  });
});

Deno.test("EndpointRuns.of() picks runs by kind, in their order, and ports() counts theirs", () => {
  using old = table("*:80-89>10.0.0.1/80", "127.0.0.1:91>10.0.0.1/1");
  using next = table("*:82-83>10.0.0.2/82", "*:84-95>10.0.0.1/85", "*:97>10.0.0.1/1");
  const { runs } = diffTables(old, next);
  const kinds = ["moved", "opened", "rebound", "retired", "released"] as const;
  assertEquals(kinds.map((kind) => [...runs.of(kind)].length), [2, 3, 1, 1, 1]);
  for (const kind of kinds) {
    const those = [...runs].filter((run) => run.kind === kind);
    assertEquals([...runs.of(kind)], those);
    assertEquals(runs.ports(kind), those.reduce((sum, { first, last }) => sum + last - first + 1, 0));
  }
});

Deno.test("diffTables() pays no attention to weak, scan and status", () => {
  using before = table("*:80>10.0.0.1/80");
  before.setStatus(0, "failed", 1);
  using after = RuleTable.of([{ ...rule("*:80>10.0.0.1/80"), weak: true, scan: true }]);
  const { kept, runs } = diffTables(before, after);
  assertEquals([kept, runs.length], [1, 0]);
});

Deno.test("diffTables() finds what the kernel won't grant beside an old socket, port by port", () => {
  assertEquals(diff(["127.0.0.1:80>10.0.0.1/1", "127.0.0.2:90>10.0.0.1/1"], ["0.0.0.0:79-81>10.0.0.1/1"]).runs, [
    { kind: "opened", newRule: 0, first: 79, last: 79 },
    { kind: "rebound", newRule: 0, first: 80, last: 80 },
    { kind: "opened", newRule: 0, first: 81, last: 81 },
    { kind: "released", oldRule: 0, first: 80, last: 80 },
    { kind: "retired", oldRule: 1, first: 90, last: 90 },
  ]);
  assertEquals(diff(["*:80-81>10.0.0.1/1"], ["0.0.0.0:80>10.0.0.1/1", ":::80>10.0.0.1/1"]).runs, [
    { kind: "rebound", newRule: 1, first: 80, last: 80 },
    { kind: "rebound", newRule: 0, first: 80, last: 80 },
    { kind: "released", oldRule: 0, first: 80, last: 80 },
    { kind: "retired", oldRule: 0, first: 81, last: 81 },
  ]);
});

Deno.test("diffTables() knows which interfaces and families stand in each other's way", () => {
  const kinds = (before: string, after: string) =>
    diff([before], [after]).runs.map(({ kind }) => kind).sort().join(" ");
  assertEquals(kinds("*:80>10.0.0.1/1", "*%lo:80>10.0.0.1/1"), "rebound released");
  assertEquals(kinds("*%eth0:80>10.0.0.1/1", "*%lo:80>10.0.0.1/1"), "opened retired");
  assertEquals(kinds("127.0.0.1%eth0:80>10.0.0.1/1", "*%lo:80>10.0.0.1/1"), "opened retired");
  assertEquals(kinds("127.0.0.1%lo:80>10.0.0.1/1", "*%lo:80>10.0.0.1/1"), "rebound released");
  assertEquals(kinds("0.0.0.0:80>10.0.0.1/1", ":::80>10.0.0.1/1"), "opened retired");
  assertEquals(kinds("127.0.0.1:80>10.0.0.1/1", "127.0.0.2:80>10.0.0.1/1"), "opened retired");
  assertEquals(kinds("udp *:80>10.0.0.1/1", "0.0.0.0:80>10.0.0.1/1"), "opened retired");
  assertEquals(kinds("*:80>10.0.0.1/1", "::1:80>10.0.0.1/1"), "rebound released");
});

Deno.test("diffTables() leaves nothing behind that the next one could stumble over", () => {
  const clash = () => diff(["*:80>10.0.0.1/1"], ["0.0.0.0:80>10.0.0.1/1"]).runs.map(({ kind }) => kind);
  assertEquals(clash(), ["rebound", "released"]);
  assertEquals(diff(["*:81>10.0.0.1/1"], ["0.0.0.0:80>10.0.0.1/1"]).runs.map(({ kind }) => kind), [
    "opened",
    "retired",
  ]);
  assertEquals(clash(), ["rebound", "released"]);
});

Deno.test("a table that was disposed of can't be used, and may be disposed of again", () => {
  const gone = table("*:80>/80");
  using here = table("*:80>/80");
  gone[Symbol.dispose]();
  gone[Symbol.dispose]();
  const uses = [
    () => gone.length,
    () => gone.rule(0),
    () => gone.rules(),
    () => gone.text(0),
    () => gone.records(),
    () => gone.append(new Uint8Array(64)),
    () => gone.setAllStatus("bound"),
    () => gone.validate(POLICY),
    () => gone.find(rule("*:80>/80")),
    () => gone.match("tcp", "*", undefined, 80),
    () => diffTables(gone, here),
    () => diffTables(here, gone),
    () => RuleTable.concat([here, gone]),
  ];
  for (const use of uses) assertThrows(use, TypeError, "Can't use a rule table: it has been disposed of");
});
