import { finish } from "../../codec/steps.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { EffectiveTable } from "../../sync/effective.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

function effective(...parts: [pif: number, rules: Rule[], more?: { defaultTarget?: string; tcp?: number[] }][]) {
  return EffectiveTable.of(parts.map(([pif, rules, { defaultTarget, tcp } = {}]) => ({
    pif,
    table: RuleTable.of(rules),
    ...(defaultTarget !== undefined && { defaultTarget }),
    ...(tcp !== undefined && { listening: { tcp: new Set(tcp), udp: new Set<number>() } }),
  })));
}

Deno.test("EffectiveTable fills in the default target of each pif, and leaves other targets alone", () => {
  using table = effective(
    [1, [tcpRule(10, 1), tcpRule(20, 1, { target: "192.0.2.1" })], { defaultTarget: "127.0.0.2" }],
    [4, [tcpRule(30, 31)], { defaultTarget: "fd00::1" }],
  );
  assertEquals([0, 1, 2].map((index) => table.route(index)), [
    { address: "127.0.0.2", shift: -9 },
    { address: "192.0.2.1", shift: -19 },
    { address: "fd00::1", shift: 1 },
  ]);
});

Deno.test("EffectiveTable.place() says from which pif and rule a row came", () => {
  using table = effective([1, [tcpRule(10, 1), tcpRule(20, 1)]], [4, []], [5, [tcpRule(30, 1)]]);
  assertEquals([0, 1, 2].map((index) => table.place(index)), [
    { pif: 1, rule: 0 },
    { pif: 1, rule: 1 },
    { pif: 5, rule: 0 },
  ]);
});

Deno.test("EffectiveTable replaces a scan rule by rows of ports that are in use in the target", () => {
  const scan = tcpRule(100, 200, { lastPort: 110, scan: true, weak: true });
  using table = effective([1, [tcpRule(10, 1), scan, tcpRule(20, 1)], { tcp: [199, 200, 201, 204, 210, 211] }]);
  assertEquals(table.table.rules().map(({ firstPort, lastPort, targetPort }) => [firstPort, lastPort, targetPort]), [
    [10, 10, 1],
    [100, 101, 200],
    [104, 104, 204],
    [110, 110, 210],
    [20, 20, 1],
  ]);
  assertEquals([0, 1, 2, 3, 4].map((index) => table.place(index).rule), [0, 1, 1, 1, 2]);
});

Deno.test("EffectiveTable has no rows for a scan rule when nothing is known of the target", () => {
  using table = effective([1, [tcpRule(100, 200, { scan: true })]]);
  assertEquals([table.table.length, table.scans], [0, true]);
});

Deno.test("noteStatus() says of each pif's rules which have no row, and forgets what was noted before", () => {
  using one = RuleTable.of([
    tcpRule(10, 1),
    tcpRule(100, 200, { lastPort: 110, scan: true }),
    tcpRule(120, 1, { scan: true }),
  ]);
  using other = RuleTable.of([tcpRule(30, 1)]);
  one.setStatus(0, "partial", 3);
  const listening = { tcp: new Set([205]), udp: new Set<number>() };
  using table = EffectiveTable.of([{ pif: 1, table: one, listening }, { pif: 4, table: other }]);
  table.noteStatus(1, one);
  const statuses = () => [one, other].map((table) => table.listedRules().map(({ status }) => status));
  assertEquals(statuses(), [["bound", "bound", "waiting"], ["unset"]]);
  assertEquals(one.listed(0).failedPorts, 0);
  table.noteStatus(4, other);
  table.noteStatus(5, one);
  assertEquals(statuses(), [["bound", "bound", "waiting"], ["bound"]]);
});

Deno.test("EffectiveTable is whole when its pifs' tables are disposed of while it is made", () => {
  const table = RuleTable.of(Array.from({ length: 20_000 }, (_, index) => tcpRule(index + 1, 1)));
  const work = EffectiveTable.making([{ pif: 1, table, defaultTarget: "127.0.0.1" }]);
  work.next();
  table[Symbol.dispose]();
  using effective = finish(work);
  assertEquals([effective.table.length, effective.rule(19_999).firstPort], [20_000, 20_000]);
});
