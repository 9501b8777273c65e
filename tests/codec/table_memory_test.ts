/** Tables and the core's memory. A file of its own, so that the core starts with little of it. */

import { core } from "../../codec/core.ts";
import { diffTables, RuleTable } from "../../codec/table.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

Deno.test("a replaced table's memory is used again, and nothing is left of comparing it", () => {
  const ports = Array.from({ length: 5000 }, (_, index) => index + 1);
  const dualStack = RuleTable.of(ports.map((port) => tcpRule(port, 80, { address: "*" }))).records();
  const wildcard = RuleTable.of(ports.map((port) => tcpRule(port, 80, { address: "0.0.0.0" }))).records();
  const specific = RuleTable.of(ports.map((port) => tcpRule(port, 80))).records();
  const round = () => {
    using before = RuleTable.ofRecords(dualStack);
    using after = RuleTable.ofRecords(wildcard);
    before.match("tcp", "*", undefined, 1);
    assertEquals(diffTables(before, after).runs.length, 10_000);
    using other = RuleTable.ofRecords(specific);
    other.validate({ capabilities: 15, maxRules: 65535, maxSockets: 65535, sameNamespace: false });
  };
  for (let count = 0; count < 20; count++) round();
  const { length } = core().bytes;
  // What any of the blocks takes is at least 20 KB: 20 MB if one of them were lost each time.
  for (let count = 0; count < 1000; count++) round();
  assertEquals(core().bytes.length, length);
});
