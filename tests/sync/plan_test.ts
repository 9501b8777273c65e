import type { EndpointRun } from "../../codec/table.ts";
import { planOf } from "../../sync/plan.ts";
import { assertEquals } from "../assert.ts";

const run = {
  moved: { kind: "moved", oldRule: 0, newRule: 1, first: 10, last: 12 },
  opened: { kind: "opened", newRule: 2, first: 20, last: 20 },
  openedToo: { kind: "opened", newRule: 3, first: 1, last: 65535 },
  rebound: { kind: "rebound", newRule: 4, first: 30, last: 31 },
  retired: { kind: "retired", oldRule: 5, first: 40, last: 43 },
  released: { kind: "released", oldRule: 6, first: 30, last: 31 },
} as const satisfies Record<string, EndpointRun>;
const NONE = { moved: [], opened: [], rebound: [], retired: [], released: [] };

Deno.test("planOf() sorts runs by kind and counts their ports", () => {
  const cases: [string, number, EndpointRun[], ReturnType<typeof planOf>][] = [
    ["nothing", 0, [], { kept: 0, opened: 0, rebound: 0, retired: 0, runs: NONE }],
    ["kept alone", 7, [], { kept: 7, opened: 0, rebound: 0, retired: 0, runs: NONE }],
    ["moved is kept", 7, [run.moved], {
      kept: 10,
      opened: 0,
      rebound: 0,
      retired: 0,
      runs: { ...NONE, moved: [run.moved] },
    }],
    ["opened", 0, [run.opened, run.openedToo], {
      ...{ kept: 0, opened: 65536, rebound: 0, retired: 0 },
      runs: { ...NONE, opened: [run.opened, run.openedToo] },
    }],
    ["rebound is opened, released is retired", 0, [run.released, run.rebound], {
      ...{ kept: 0, opened: 2, rebound: 2, retired: 2 },
      runs: { ...NONE, rebound: [run.rebound], released: [run.released] },
    }],
    ["all", 1, [run.retired, run.moved, run.opened, run.rebound, run.released], {
      ...{ kept: 4, opened: 3, rebound: 2, retired: 6 },
      runs: {
        moved: [run.moved],
        opened: [run.opened],
        rebound: [run.rebound],
        retired: [run.retired],
        released: [run.released],
      },
    }],
  ];
  for (const [name, kept, runs, expected] of cases) assertEquals(planOf({ kept, runs }), expected, name);
});
