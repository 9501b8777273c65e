import { ProtocolError } from "../../codec/errors.ts";
import { readListing } from "../../codec/listing.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Hello, ServerEvent } from "../../codec/types.ts";
import { UpdateError } from "../../codec/update_result.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const HELLO: Hello = {
  ...{ version: 1, minCompat: 1, features: 0, revision: 7n },
  ...{ maxPifs: 1, maxRules: 1, maxSockets: 1, transactionSeconds: 60, holdSeconds: 60 },
};

/** Hands these out, and then a hang-up. */
function handing(events: readonly ServerEvent[]) {
  const left = [...events];
  return () => Promise.resolve(left.shift());
}

Deno.test("readListing() gives each pif its rules, and the ports that have no socket", async () => {
  using table = RuleTable.of([tcpRule(80, 8080)]);
  const host = { id: 1, name: "HOST", capabilities: 5, ruleCount: 1, runCount: 1 };
  const ports = [{ first: 80, last: 80, errno: 98 }];
  assertEquals(
    await readListing(handing([
      { kind: "hello", hello: HELLO },
      { kind: "pif", pif: host },
      { kind: "rules", pif: 1, records: table.records() },
      { kind: "ports", failure: { pif: 1, rule: 0, ports } },
      { kind: "pif", pif: { id: 3, name: "SPLICE", capabilities: 1, ruleCount: 0, runCount: 0 } },
      { kind: "listed" },
    ])),
    {
      hello: HELLO,
      pifs: [
        {
          ...{ id: 1, name: "HOST", capabilities: 5 },
          rules: [{ ...tcpRule(80, 8080), status: "unset", failedPorts: 0 }],
          failures: [{ pif: "HOST", rule: 0, ports }],
        },
        { id: 3, name: "SPLICE", capabilities: 1, rules: [], failures: [] },
      ],
    },
  );
});

Deno.test("readListing() rejects when the server refuses, hangs up, or says what has no place there", async () => {
  const counts = { kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0 };
  const verdict = { outcome: "busy", code: "busy", sentence: "Can't list", revision: 1n, ...counts } as const;
  await assertRejects(() => readListing(handing([{ kind: "rejected", verdict }])), UpdateError, "Can't list");
  await assertRejects(
    () => readListing(handing([{ kind: "hello", hello: HELLO }])),
    ProtocolError,
    "Can't read the listing: the server hung up before it was complete",
  );
  for (const event of [{ kind: "listed" }, { kind: "accepted" }] as const) {
    await assertRejects(
      () => readListing(handing([event])),
      ProtocolError,
      `Can't take "${event.kind}" from the server: it has no place there`,
    );
  }
});
