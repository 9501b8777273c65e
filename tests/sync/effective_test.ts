import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { EffectiveTable } from "../../sync/effective.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

function effective(...parts: [pif: number, rules: Rule[], more?: { defaultTarget?: string; tcp?: number[] }][]) {
  return new EffectiveTable(parts.map(([pif, rules, { defaultTarget, tcp } = {}]) => ({
    pif,
    table: RuleTable.of(rules),
    ...(defaultTarget !== undefined && { defaultTarget }),
    ...(tcp !== undefined && { listening: () => ({ tcp: new Set(tcp), udp: new Set<number>() }) }),
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
  assertEquals([table.table.length, table.waiting, table.scans], [0, [{ pif: 1, rule: 0 }], true]);
});
