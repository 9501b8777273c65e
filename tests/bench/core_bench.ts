/**
 * How much the WebAssembly core gains over plain TypeScript, in one run on one machine, so that only the ratio counts.
 *
 *     deno run tests/bench/core_bench.ts [--short]
 *
 * For tables of several sizes: decode an update, validate its table, and diff it against the one before. The plain side
 * is the oracle of the tests, which compares every rule with every earlier one; above `ORACLE_LIMIT` rules it is left
 * out. Then the rate of rules encoded and decoded. `--short` runs the smallest size once, asserts that both sides come
 * to the same answer, and prints no time: that is what can be checked on any machine.
 *
 * @module
 */

import { nativeClient, nativeServer } from "../../codec/native.ts";
import { diffTables, RuleTable, type TablePolicy } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { concat } from "../bytes.ts";
import { assertEquals } from "../assert.ts";
import { decodeClient } from "../oracle/decode.ts";
import { diffSlowly } from "../oracle/diff.ts";
import { readRecords, recordOf, ruleOf, writeRecords } from "../oracle/record.ts";
import { validateSlowly } from "../oracle/validate.ts";
import { LIBERAL } from "../random_tables.ts";
import { median } from "./figures.ts";

const SIZES = [255, 1000, 4000, 16000, 65535];
/** Rules; one oracle round of this many took 1.5 s on two cores, and the time grows with the square. */
const ORACLE_LIMIT = 16000;
/** Rules of all runs together for a small table: the compiler needs some hundred runs of 255 rules. */
const SMALL_RUNS = 100_000;
const LIMITS = { maxPifs: 255, maxRules: 65535 };
const POLICY: TablePolicy = LIBERAL;

/** What both sides have to come to. */
interface Answer {
  readonly sockets: number;
  readonly kept: number;
  readonly touched: number;
}

/** One rule per port, every other one with a target of its own. */
function rulesOf(count: number, target: string): Rule[] {
  return Array.from({ length: count }, (_, index) => ({
    protocol: "tcp",
    address: "*",
    firstPort: index + 1,
    lastPort: index + 1,
    ...(index % 2 === 0 ? { target } : {}),
    targetPort: index + 1,
    weak: false,
    scan: false,
  }));
}

function updateOf(table: RuleTable): Uint8Array {
  return concat([
    ...nativeClient.update({
      version: 1,
      mode: "staged",
      rollBackUndelivered: false,
      holdSeconds: 0,
      pifCount: 1,
    }, [{ pif: 1, table }]),
  ]);
}

function coreAnswer(bytes: Uint8Array, before: RuleTable): Answer {
  using table = RuleTable.ofRecords(new Uint8Array(0));
  for (const event of nativeServer.decoder(LIMITS).push(bytes)) {
    if (event.kind === "rules") table.append(event.records);
  }
  const validity = table.validate(POLICY);
  const { kept, runs } = diffTables(before, table);
  const touched = [...runs].reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return { sockets: validity.kind === "valid" ? validity.sockets : -1, kept, touched };
}

function oracleAnswer(bytes: Uint8Array, before: Uint8Array): Answer {
  const records = decodeClient(bytes, LIMITS).events.flatMap((event) =>
    event.kind === "rules" ? readRecords(event.records) : []
  );
  const validity = validateSlowly(records, LIBERAL);
  const { kept, lines } = diffSlowly(readRecords(before), records);
  return { sockets: validity.kind === "valid" ? validity.sockets : -1, kept, touched: lines.length };
}

/** Milliseconds of the middle one of so many runs, after as many that aren't counted, while it is being compiled. */
function measure(rounds: number, run: () => unknown): number {
  const times = Array.from({ length: 2 * rounds }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return median(times.slice(rounds));
}

function compare(size: number, short: boolean): void {
  using before = RuleTable.of(rulesOf(size, "10.88.0.2"));
  using after = RuleTable.of(rulesOf(size, "10.88.0.3"));
  const bytes = updateOf(after);
  const old = before.records();
  const expected: Answer = { sockets: size, kept: size >> 1, touched: size - (size >> 1) };
  assertEquals(coreAnswer(bytes, before), expected);
  const withOracle = size <= ORACLE_LIMIT;
  if (short) {
    assertEquals(oracleAnswer(bytes, old), expected);
    return;
  }
  const core = measure(Math.max(15, Math.round(SMALL_RUNS / size)), () => coreAnswer(bytes, before));
  const oracle = withOracle ? measure(size > 1000 ? 2 : 9, () => oracleAnswer(bytes, old)) : NaN;
  const ratio = withOracle ? `${oracle.toFixed(1)} ms plain, ${(oracle / core).toFixed(0)} times as long` : "";
  console.log(`${String(size).padStart(6)} rules: ${core.toFixed(2)} ms core  ${ratio}`);
}

function rates(size: number, short: boolean): void {
  const rules = rulesOf(size, "10.88.0.2");
  const records = writeRecords(rules.map(recordOf));
  const encode = () => {
    using table = RuleTable.of(rules);
    return table.records();
  };
  const decode = () => {
    using table = RuleTable.ofRecords(records);
    return table.rules();
  };
  if (short) {
    assertEquals(encode(), records);
    assertEquals(decode().length, size);
    return;
  }
  const perSecond = (milliseconds: number) => `${Math.round(size / milliseconds).toLocaleString("en")} thousand/s`;
  console.log(
    `encode rules: ${perSecond(measure(15, encode))} core, ${
      perSecond(measure(15, () => writeRecords(rules.map(recordOf))))
    } plain`,
  );
  console.log(
    `decode rules: ${perSecond(measure(15, decode))} core, ${
      perSecond(measure(15, () => readRecords(records).map(ruleOf)))
    } plain`,
  );
}

if (import.meta.main) {
  const short = Deno.args.includes("--short");
  for (const size of short ? SIZES.slice(0, 1) : SIZES) compare(size, short);
  rates(short ? 255 : 20000, short);
  if (short) console.log("The core and the oracle come to the same answers");
}
