import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { EffectiveTable } from "../../sync/effective.ts";
import { SocketSet } from "../../sync/socket_set.ts";
import { assert, assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";
import { FakeBackend } from "./fake_backend.ts";

/** So many that no machine closes them within one slice. */
const MANY = 20_000;

function tableOf(...rules: Rule[]): EffectiveTable {
  return EffectiveTable.of([{ pif: 1, table: RuleTable.of(rules), defaultTarget: "127.0.0.1" }]);
}

async function setWith(backend: FakeBackend, ...rules: Rule[]): Promise<SocketSet> {
  const set = new SocketSet(backend, tableOf());
  await (await set.apply(tableOf(...rules))).commit();
  backend.book.length = 0;
  return set;
}

/** How often the event loop had its turn while this was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const turn = () => {
    turns++;
    timer = setTimeout(turn, 0);
  };
  let timer = setTimeout(turn, 0);
  await work();
  clearTimeout(timer);
  return turns;
}

const range = (more: Partial<Rule> = {}) => tcpRule(10_000, 1, { lastPort: 10_000 + MANY - 1, ...more });

Deno.test("SocketSet.apply() and what settles it let the event loop run", async () => {
  const set = new SocketSet(new FakeBackend(), tableOf());
  const steps: [string, readonly Rule[], "commit" | "rollback"][] = [
    ["open, take back", [range()], "rollback"],
    ["open, keep", [range()], "commit"],
    ["move, take back", [range({ targetPort: 2 })], "rollback"],
    ["move, keep", [range({ targetPort: 2 })], "commit"],
    ["retire, take back", [], "rollback"],
    ["retire, keep", [], "commit"],
  ];
  for (const [name, rules, end] of steps) {
    let change: Awaited<ReturnType<SocketSet["apply"]>> | undefined;
    const applying = await turnsDuring(async () => change = await set.apply(tableOf(...rules)));
    const settling = await turnsDuring(() => change?.[end]() ?? Promise.resolve());
    assert(applying > 0, `${name}: applying`);
    // There is nothing to be done to keep what was opened or moved.
    if (end === "rollback" || name === "retire, keep") assert(settling > 0, `${name}: settling`);
  }
});

Deno.test("AppliedSockets.commit() puts the new table in force before it closes what is parked", async () => {
  const backend = new FakeBackend();
  const set = await setWith(backend, range());
  const change = await set.apply(tableOf(tcpRule(1, 1)));
  const closing = change.commit();
  assertEquals(set.table.rule(0).firstPort, 1);
  assert(backend.bound.size > 1, "not all are closed at once");
  // Those that aren't closed yet are still the set's own.
  assertEquals(set.listener({ protocol: "tcp", address: "127.0.0.1", port: 10_000 + MANY - 1 })?.parked, true);
  await closing;
  assertEquals(backend.serving(), [`TCP [127.0.0.1]:1 -> 127.0.0.1:1 #${MANY + 1}`]);
  assertEquals(set.listener({ protocol: "tcp", address: "127.0.0.1", port: 10_000 + MANY - 1 }), undefined);
});

Deno.test("AppliedSockets.commit() is harmless when the backend is disposed of meanwhile", async () => {
  const backend = new FakeBackend();
  const set = await setWith(backend, range());
  const closing = (await set.apply(tableOf())).commit();
  await backend[Symbol.asyncDispose]();
  await closing;
  assertEquals(backend.bound.size, 0);
});

Deno.test("SocketSet.listener() knows new sockets while they are not committed, and not once they are taken back", async () => {
  const backend = new FakeBackend();
  const set = await setWith(backend);
  const endpoint = { protocol: "tcp", address: "127.0.0.1", port: 5 } as const;
  const change = await set.apply(tableOf(tcpRule(5, 1)));
  assertEquals(set.listener(endpoint)?.socketId, 1);
  await change.rollback();
  assertEquals(set.listener(endpoint), undefined);
});

Deno.test("SocketSet.failures() has what is missing, hasLost what is to be got back", async () => {
  const backend = new FakeBackend();
  const set = await setWith(backend);
  backend.fails = ({ port }) => port === 6;
  const rules = tcpRule(5, 1, { lastPort: 7, weak: true });
  const missing = () => [...set.failures()].map(({ pif, rule, endpoint }) => [pif, rule, endpoint.port]);
  await (await set.apply(tableOf(rules))).commit();
  assertEquals([missing(), set.hasLost], [[[1, 0, 6]], false]);
  await (await set.apply(tableOf(tcpRule(1, 1), rules))).commit(true);
  assertEquals([missing(), set.hasLost, await set.retryLost()], [[[1, 1, 6]], true, []]);
  backend.fails = () => false;
  assertEquals((await set.retryLost()).map(({ port }) => port), [6]);
  assertEquals([missing(), set.hasLost], [[], false]);
});
