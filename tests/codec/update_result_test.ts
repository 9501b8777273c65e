import { ProtocolError } from "../../codec/errors.ts";
import { RuleTable } from "../../codec/table.ts";
import type { ServerEvent, Verdict } from "../../codec/types.ts";
import { readAnswer } from "../../codec/update_result.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const VERDICT: Verdict = {
  ...{ outcome: "done", code: "none", sentence: "", revision: 2n },
  ...{ kept: 1, opened: 2, retired: 0, failed: 3, rebound: 0 },
};

/** Hands these out, and then a hang-up; what it was told goes into `asked`. */
function handing(events: readonly ServerEvent[], asked: boolean[] = []) {
  const left = [...events];
  return (first: boolean) => {
    asked.push(first);
    return Promise.resolve(left.shift());
  };
}

const named = (id: number) => `pif${id}`;

Deno.test("readAnswer() puts a report together, and joins what several frames say of one rule", async () => {
  using table = RuleTable.of([tcpRule(80, 8080)]);
  table.setStatus(0, "partial", 3);
  const port = (port: number) => [{ first: port, last: port, errno: 98 }];
  const asked: boolean[] = [];
  const answer = await readAnswer(
    handing([
      { kind: "result", verdict: VERDICT },
      { kind: "table", pif: 1, ruleCount: 1 },
      { kind: "rules", pif: 1, records: table.records() },
      { kind: "ports", failure: { pif: 1, rule: 0, ports: port(80) } },
      { kind: "ports", failure: { pif: 1, rule: 0, ports: port(82) } },
      { kind: "ports", failure: { pif: 3, rule: 0, ports: port(84) } },
      { kind: "reported" },
    ], asked),
    named,
  );
  assertEquals(answer, {
    kind: "result",
    result: {
      ...VERDICT,
      rules: [{ pif: "pif1", rule: { ...tcpRule(80, 8080), status: "partial", failedPorts: 3 } }],
      failures: [
        { pif: "pif1", rule: 0, ports: [...port(80), ...port(82)] },
        { pif: "pif3", rule: 0, ports: port(84) },
      ],
    },
  });
  assertEquals(asked, [true, false, false, false, false, false, false]);
});

Deno.test("readAnswer() takes a refusal, and the word that tables are accepted", async () => {
  const verdict = { ...VERDICT, outcome: "rejected", code: "conflict" } as const;
  assertEquals(await readAnswer(handing([{ kind: "rejected", verdict }]), named), {
    kind: "result",
    result: { ...verdict, rules: [], failures: [] },
  });
  assertEquals(await readAnswer(handing([{ kind: "accepted" }]), named), { kind: "accepted" });
});

Deno.test("readAnswer() rejects when the server hangs up, or says what has no place there", async () => {
  await assertRejects(
    () => readAnswer(handing([{ kind: "result", verdict: VERDICT }]), named),
    ProtocolError,
    "Can't read the result: the server hung up before it was complete",
  );
  for (const event of [{ kind: "listed" }, { kind: "reported" }] as const) {
    await assertRejects(
      () => readAnswer(handing([event]), named),
      ProtocolError,
      `Can't take "${event.kind}" from the server: it has no place there`,
    );
  }
});
