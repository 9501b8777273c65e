import { RuleTable } from "../../codec/table.ts";
import { rebase } from "../../sync/rebase.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const cases: { name: string; base: number[]; edited: number[]; current: number[]; result: number[] }[] = [
  { name: "nothing, when nothing was edited", base: [1, 2], edited: [1, 2], current: [1, 3], result: [1, 3] },
  { name: "an added rule", base: [1], edited: [1, 9], current: [1, 2], result: [1, 2, 9] },
  { name: "a deleted rule", base: [1, 2], edited: [1], current: [1, 2, 3], result: [1, 3] },
  { name: "a rule that others have deleted", base: [1, 2], edited: [1], current: [1], result: [1] },
  { name: "a rule that others have added, too", base: [], edited: [7], current: [7], result: [7] },
  { name: "a whole new table", base: [1, 2], edited: [8, 9], current: [1, 2, 3], result: [3, 8, 9] },
  { name: "an emptied table", base: [1, 2], edited: [], current: [1, 2, 3], result: [3] },
];

for (const { name, base, edited, current, result } of cases) {
  Deno.test(`rebase() carries over ${name}`, () => {
    const table = (ports: number[]) => RuleTable.of(ports.map((port) => tcpRule(port, 80)));
    const inForce = table(current);
    // What its sockets do is no part of a rule.
    inForce.setAllStatus("bound");
    using rebased = rebase(table(base), table(edited), inForce);
    assertEquals(rebased.rules().map(({ firstPort }) => firstPort), result);
  });
}
