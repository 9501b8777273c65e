/**
 * The codec against the oracle: the same random rules, tables and conversations through both, with fixed seeds. The
 * tests count what the generators come up with, so that a generator gone dull turns them red, too.
 *
 * @module
 */

import { nativeClient, nativeServer } from "../../codec/native.ts";
import { diffTables, RuleTable, type TablePolicy } from "../../codec/table.ts";
import type { Code } from "../../codec/types.ts";
import { concat } from "../bytes.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../assert.ts";
import { hear, speakAsClient, speakAsServer } from "../conversation.ts";
import { decodeClient, decodeServer } from "../oracle/decode.ts";
import { diffSlowly, endpointText, type Fate, fateLine, type Fates } from "../oracle/diff.ts";
import { encodeClient, encodeServer } from "../oracle/frames.ts";
import { listedRuleOf, type RawRecord, recordOf, ruleOf, writeRecords } from "../oracle/record.ts";
import { type OraclePolicy, validateSlowly, type Validity } from "../oracle/validate.ts";
import { CROWDED, Random, randomRule, ROOMY } from "../random.ts";
import { randomClientEvents, randomServerEvents } from "../random_conversations.ts";
import { editedTable, LIBERAL, randomPolicy, randomShape, randomTable } from "../random_tables.ts";

const LIMITS = { maxPifs: 255, maxRules: 65535 };
/** Header and the most payload bytes. */
const LONGEST_FRAME = 8 + 65536;

Deno.test("RuleTable.of() makes the oracle's records of 5,000 rules, and rules() takes them back", () => {
  const random = new Random(1);
  const rules = Array.from({ length: 5000 }, (_, index) => randomRule(random, index % 2 === 0 ? CROWDED : ROOMY));
  const records = writeRecords(rules.map(recordOf));
  using table = RuleTable.of(rules);
  assertEquals(table.records(), records);
  using again = RuleTable.ofRecords(records);
  assertEquals(again.records(), records);
  assertEquals(again.rules().map((rule) => recordOf(rule)), rules.map(recordOf));
  for (const [index, rule] of again.rules().entries()) assertEquals(ruleOf(recordOf(rule)), rules[index]);
});

Deno.test("listedRules() knows the state of a listed rule as the oracle does", () => {
  const random = new Random(2);
  const records = Array.from({ length: 500 }, () => ({
    ...recordOf(randomRule(random, CROWDED)),
    status: random.between(0, 4),
    failed: random.between(0, 65535),
  }));
  using table = RuleTable.ofRecords(writeRecords(records));
  assertEquals<unknown>(table.listedRules(), records.map(listedRuleOf));
});

Deno.test("validate() says what the oracle says of 6,000 tables", () => {
  const random = new Random(3);
  const seen = new Map<Code | "valid", number>();
  for (let round = 0; round < 6000; round++) {
    const policy = random.chance(30) ? LIBERAL : randomPolicy(random);
    const faults = random.pick([0, 30, 100, 400]);
    const length = random.chance(2) ? 300 : random.between(0, 30);
    const records = randomTable(random, randomShape(random), length, policy, faults);
    const expected = validateSlowly(records, policy);
    assertEquals(validity(records, policy), expected, `Round ${round}`);
    const name = expected.kind === "valid" ? "valid" : expected.code;
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  assertGreater(seen.get("valid") ?? 0, 1500);
  for (const code of RULE_CODES) assertGreater(seen.get(code) ?? 0, 15, `Tables with ${code}`);
});

Deno.test("validate() says what the oracle says of tables with thousands of rules", () => {
  const random = new Random(4);
  const kinds = new Set<string>();
  for (let round = 0; round < 6; round++) {
    const records = randomTable(random, ROOMY, 1500, LIBERAL, 0);
    const first = records[random.between(0, 900)];
    // One table in two gets a late rule that meets an early one.
    if (round % 2 === 0 && first !== undefined) records.splice(random.between(950, 1200), 0, first);
    const expected = validateSlowly(records, LIBERAL);
    assertEquals(validity(records, LIBERAL), expected);
    kinds.add(expected.kind);
  }
  assertEquals([...kinds].sort(), ["invalid", "valid"]);
});

Deno.test("diffTables() says of every endpoint what the oracle says, 4,000 times", () => {
  const random = new Random(5);
  const seen = new Map<string, number>();
  for (let round = 0; round < 4000; round++) {
    const shape = randomShape(random);
    const before = randomTable(random, shape, random.between(0, 25), LIBERAL, 0);
    const after = random.chance(85)
      ? editedTable(random, before, shape)
      : randomTable(random, shape, random.between(0, 25), LIBERAL, 0);
    const expected = diffSlowly(before, after);
    assertEquals(fates(before, after), expected, `Round ${round}`);
    seen.set("kept", (seen.get("kept") ?? 0) + expected.kept);
    for (const line of expected.lines) {
      const fate = line.slice(0, line.indexOf(" "));
      seen.set(fate, (seen.get(fate) ?? 0) + 1);
    }
  }
  for (const fate of ["kept", "moved", "opened", "retired", "released", "rebound"]) {
    assertGreater(seen.get(fate) ?? 0, 2000, `Endpoints ${fate}`);
  }
});

Deno.test("diffTables() takes wide ranges apart as the oracle does", () => {
  const random = new Random(6);
  const wide = { window: 900, longest: 300 };
  for (let round = 0; round < 150; round++) {
    const before = randomTable(random, wide, 12, LIBERAL, 0);
    const after = editedTable(random, before, wide);
    assertEquals(fates(before, after), diffSlowly(before, after), `Round ${round}`);
  }
});

Deno.test("the codec and the oracle understand and spell 600 conversations of clients alike", () => {
  const random = new Random(7);
  for (let round = 0; round < 600; round++) {
    const events = randomClientEvents(random, round % 100 === 0 ? 3000 : 6);
    const bytes = encodeClient(events);
    assertEquals(decodeClient(bytes, LIMITS), { events });
    assertEquals(hear(nativeServer.decoder(LIMITS), pieces(random, bytes)), events, `Round ${round}`);
    const chunks = speakAsClient(nativeClient, events);
    assertEquals(concat(chunks), bytes, `Round ${round}`);
    for (const chunk of chunks) assertLessOrEqual(chunk.length, LONGEST_FRAME);
  }
});

Deno.test("the codec and the oracle understand and spell 600 conversations of servers alike", () => {
  const random = new Random(8);
  for (let round = 0; round < 600; round++) {
    const events = randomServerEvents(random, round % 100 === 0 ? 3000 : 6);
    const bytes = encodeServer(events);
    assertEquals(decodeServer(bytes), { events });
    assertEquals(hear(nativeClient.decoder(), pieces(random, bytes)), events, `Round ${round}`);
    const chunks = speakAsServer(nativeServer, events);
    assertEquals(concat(chunks), bytes, `Round ${round}`);
    for (const chunk of chunks) assertLessOrEqual(chunk.length, LONGEST_FRAME);
  }
});

/** Every code that validation can end with. */
const RULE_CODES: readonly Code[] = [
  "port-order",
  "port-zero",
  "target-port",
  "unknown-flags",
  "dual-stack-address",
  "family-unsupported",
  "unknown-protocol",
  "protocol-unsupported",
  "target-multicast",
  "target-dual-stack",
  "target-family",
  "conflict",
  "too-many-rules",
  "too-many-sockets",
  "bad-interface-name",
  "interface-unsupported",
  "scan-unsupported",
  "forwards-to-itself",
  "no-target",
];

function validity(records: readonly RawRecord[], policy: OraclePolicy): Validity {
  using table = RuleTable.ofRecords(writeRecords(records));
  const result = table.validate(policy satisfies TablePolicy);
  if (result.kind === "valid") return { kind: "valid", sockets: result.sockets };
  const { code, rule, otherRule } = result;
  return {
    kind: "invalid",
    ...(rule === undefined ? {} : { rule }),
    code,
    ...(otherRule === undefined ? {} : { otherRule }),
  };
}

/** The diff spelled out endpoint by endpoint, in the oracle's form. */
function fates(before: readonly RawRecord[], after: readonly RawRecord[]): Fates {
  using old = RuleTable.ofRecords(writeRecords(before));
  using next = RuleTable.ofRecords(writeRecords(after));
  const { kept, runs } = diffTables(old, next);
  const lines: string[] = [];
  for (const run of runs) {
    assert(run.first <= run.last, "A run has at least one port");
    const oldRule = "oldRule" in run ? run.oldRule : undefined;
    const newRule = "newRule" in run ? run.newRule : undefined;
    const record = newRule === undefined ? before[oldRule ?? -1] : after[newRule];
    assert(record !== undefined, "A run names its rule");
    const fate: Fate = run.kind;
    for (let port = run.first; port <= run.last; port++) {
      lines.push(fateLine(fate, endpointText(record, port), oldRule, newRule));
    }
  }
  return { kept, lines: lines.sort() };
}

function* pieces(random: Random, bytes: Uint8Array): Iterable<Uint8Array> {
  const longest = random.pick([3, 50, 1000, 100_000]);
  for (let at = 0; at < bytes.length;) {
    const length = random.between(1, bytes.length > 10_000 ? 100_000 : longest);
    yield bytes.slice(at, at + length);
    at += length;
  }
}
