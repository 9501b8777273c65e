import { BindError } from "../../sync/backend.ts";
import { ruleOutcomes } from "../../sync/report.ts";
import type { PortFailure } from "../../sync/socket_change.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

function failure(pif: number, rule: number, port: number, errno = 98): PortFailure {
  const endpoint = { protocol: "tcp", address: "127.0.0.1", port } as const;
  return { pif, rule, endpoint, error: new BindError(endpoint, `E${errno}`, errno, `${errno}`) };
}

Deno.test("ruleOutcomes() groups ports by rule and error, in whatever order they failed", async () => {
  const outcomes = await ruleOutcomes(
    [
      failure(2, 0, 9),
      failure(1, 3, 12, 24),
      failure(1, 0, 7),
      failure(1, 3, 10),
      failure(1, 3, 14, 24),
      failure(1, 3, 11),
    ],
    (_pif, rule) => tcpRule(rule === 0 ? 7 : 10, 1, { lastPort: rule === 0 ? 9 : 14, weak: rule !== 0 }),
  );
  const seen = outcomes.map(({ pif, rule, ports, status, failedPorts, fault }) => {
    return { place: [pif, rule], ports, status, failedPorts, fault };
  });
  const one = { status: "partial", failedPorts: 1, fault: true } as const;
  assertEquals(seen, [
    { place: [1, 0], ports: [{ first: 7, last: 7, errno: 98 }], ...one },
    {
      place: [1, 3],
      ports: [
        { first: 10, last: 11, errno: 98 },
        { first: 12, last: 12, errno: 24 },
        { first: 14, last: 14, errno: 24 },
      ],
      ...{ status: "partial", failedPorts: 4, fault: false },
    },
    { place: [2, 0], ports: [{ first: 9, last: 9, errno: 98 }], ...one },
  ]);
});

Deno.test("ruleOutcomes() says which rules are not served as they demand", async () => {
  const fault = async (more: Parameters<typeof tcpRule>[2], ports: number[], ...errnos: number[]) => {
    const [outcome] = await ruleOutcomes(
      ports.map((port, index) => failure(1, 0, port, errnos[index])),
      () => tcpRule(10, 1, { lastPort: 11, ...more }),
    );
    return [outcome?.status, outcome?.fault];
  };
  assertEquals(await fault({}, [10]), ["partial", true]);
  assertEquals(await fault({ weak: true }, [10]), ["partial", false]);
  assertEquals(await fault({ weak: true }, [10, 11]), ["failed", true]);
  assertEquals(await fault({ weak: true }, [10, 11], 24, 24), ["failed", false]);
  assertEquals(await fault({ weak: true }, [10, 11], 24, 98), ["failed", true]);
  assertEquals(await fault({}, [10, 11], 24, 24), ["failed", true]);
  assertEquals(await fault({ scan: true }, [10, 11]), ["failed", false]);
});

Deno.test("ruleOutcomes() lets the event loop run while it sorts 65,535 ports", async () => {
  const failures = Array.from({ length: 65535 }, (_, index) => failure(1, 0, 65535 - index, 24));
  let turns = 0;
  const turn = () => {
    turns++;
    timer = setTimeout(turn, 0);
  };
  let timer = setTimeout(turn, 0);
  const outcomes = await ruleOutcomes(failures, () => tcpRule(1, 1, { lastPort: 65535, weak: true }));
  clearTimeout(timer);
  assertEquals(outcomes.map(({ ports }) => ports), [[{ first: 1, last: 65535, errno: 24 }]]);
  assertEquals(turns > 0, true);
});
