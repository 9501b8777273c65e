import { diffTables, RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { planOf } from "../../sync/plan.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

/** As many ports from `port` on, to the ports with the same number or some others. */
function row(port: number, count: number, more: Partial<Rule> = {}): Rule {
  return tcpRule(port, port, { target: "10.0.0.1", lastPort: port + count - 1, ...more });
}

Deno.test("planOf() counts the ports of runs by what is done with them", () => {
  const none = { kept: 0, opened: 0, rebound: 0, retired: 0 };
  const dual = { address: "*" };
  const cases: [string, Rule[], Rule[], typeof none][] = [
    ["nothing", [], [], none],
    ["kept alone", [row(10, 7)], [row(10, 7)], { ...none, kept: 7 }],
    ["moved is kept", [row(10, 7), row(20, 3)], [row(10, 7), row(20, 3, { target: "10.0.0.2" })], {
      ...none,
      kept: 10,
    }],
    ["opened", [], [row(1, 65535), row(20, 1, { address: "::1" })], { ...none, opened: 65536 }],
    ["retired", [row(40, 4)], [], { ...none, retired: 4 }],
    ["rebound is opened, released is retired", [row(30, 2)], [row(30, 2, dual)], {
      ...none,
      opened: 2,
      rebound: 2,
      retired: 2,
    }],
    [
      "all",
      [row(1, 1), row(10, 3), row(30, 2), row(40, 4)],
      [row(1, 1), row(10, 3, { target: "10.0.0.2" }), row(20, 1), row(30, 2, dual)],
      { kept: 4, opened: 3, rebound: 2, retired: 6 },
    ],
  ];
  for (const [name, before, after, expected] of cases) {
    using old = RuleTable.of(before);
    using next = RuleTable.of(after);
    const diff = diffTables(old, next);
    assertEquals(planOf(diff), { ...expected, runs: diff.runs }, name);
  }
});
