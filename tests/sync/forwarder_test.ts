import { PestoError } from "../../codec/errors.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { Forwarder } from "../../sync/forwarder.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { tcpRule } from "../rules.ts";
import { FakeBackend } from "./fake_backend.ts";

const HOST = 1;

/** A forwarder with one pif, HOST, over a backend that only keeps a book. */
function forwarderOf(backend: FakeBackend): Forwarder {
  return new Forwarder([{ id: HOST, name: "HOST", backend, defaultTarget: "127.0.0.1", sameNamespace: true }]);
}

const tables = (rules: Iterable<Rule>) => new Map([[HOST, RuleTable.of(rules)]]);

/** What a listing tells of ports without a socket. */
const portsOf = (forwarder: Forwarder) => forwarder.failures(HOST).map(({ rule, ports }) => ({ rule, ports }));

async function committed(forwarder: Forwarder, rules: Iterable<Rule>): Promise<void> {
  await (await forwarder.apply(tables(rules))).commit();
}

Deno.test("Forwarder.apply() points kept sockets at their rule, then swaps rebound ones, opens, and parks, in this order", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(10, 1), tcpRule(20, 1), tcpRule(30, 1), tcpRule(40, 1)]);
  backend.book.length = 0;
  const change = await forwarder.apply(tables([
    tcpRule(50, 1),
    tcpRule(20, 1, { address: "0.0.0.0" }),
    tcpRule(10, 2),
    tcpRule(40, 1),
  ]));
  assertEquals(backend.book, [
    "route TCP [127.0.0.1]:10",
    "close TCP [127.0.0.1]:20",
    "open TCP [0.0.0.0]:20",
    "open TCP [127.0.0.1]:50",
    "park TCP [127.0.0.1]:30",
  ]);
  assertEquals(change.counts, { kept: 2, opened: 2, retired: 2, failed: 0, rebound: 1 });
  await change.commit();
  assertEquals(backend.book.slice(5), ["close TCP [127.0.0.1]:30"]);
  assertEquals(backend.serving(), [
    "TCP [0.0.0.0]:20 -> 127.0.0.1:1 #5",
    "TCP [127.0.0.1]:10 -> 127.0.0.1:2 #1",
    "TCP [127.0.0.1]:40 -> 127.0.0.1:1 #4",
    "TCP [127.0.0.1]:50 -> 127.0.0.1:1 #6",
  ]);
});

Deno.test("Forwarder.apply() followed by rollback() restores every socket, and binds only what was released", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(10, 1), tcpRule(20, 1), tcpRule(30, 1)]);
  const before = backend.serving();
  const change = await forwarder.apply(
    tables([tcpRule(10, 2), tcpRule(20, 1, { address: "0.0.0.0" }), tcpRule(50, 1)]),
  );
  backend.book.length = 0;
  assertEquals(await change.rollback(), []);
  assertEquals(backend.book, [
    "unpark TCP [127.0.0.1]:30",
    "close TCP [0.0.0.0]:20",
    "close TCP [127.0.0.1]:50",
    "open TCP [127.0.0.1]:20",
    "route TCP [127.0.0.1]:10",
  ]);
  // All but the rebound one are the very sockets that they were.
  assertEquals(backend.serving(), before.map((line) => line.replace("#2", "#6")));
  assertEquals(forwarder.revision, 1n);
});

Deno.test("Forwarder.apply() followed by rollback() says which released endpoints are lost", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(10, 1), tcpRule(20, 1)]);
  const change = await forwarder.apply(tables([tcpRule(20, 1, { address: "0.0.0.0" })]));
  backend.fails = ({ port }) => port === 20;
  const lost = await change.rollback();
  assertEquals(lost.map(({ rule, status, ports, fault }) => ({ rule, status, ports, fault })), [
    { rule: 1, status: "failed", ports: [{ first: 20, last: 20, errno: 98 }], fault: true },
  ]);
  assertEquals(forwarder.table(HOST).listedRules().map(({ status }) => status), ["bound", "failed"]);
  assertEquals(portsOf(forwarder), [{ rule: 1, ports: [{ first: 20, last: 20, errno: 98 }] }]);
  assertEquals(backend.serving(), ["TCP [127.0.0.1]:10 -> 127.0.0.1:1 #1"]);
});

Deno.test("Forwarder.retryLost() gets back what a rollback has lost, once it is free again", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(20, 1)]);
  const change = await forwarder.apply(tables([tcpRule(20, 1, { address: "0.0.0.0" })]));
  backend.fails = ({ port }) => port === 20;
  await change.rollback();
  assertEquals([forwarder.hasLost, await forwarder.retryLost()], [true, []]);
  backend.fails = () => false;
  assertEquals(await forwarder.retryLost(), [{ protocol: "tcp", address: "127.0.0.1", port: 20 }]);
  assertEquals([forwarder.hasLost, forwarder.table(HOST).listed(0).status], [false, "bound"]);
  assertEquals(portsOf(forwarder), []);
  assertEquals(backend.serving(), ["TCP [127.0.0.1]:20 -> 127.0.0.1:1 #3"]);
});

Deno.test("Forwarder.retryLost() leaves alone what a weak rule never had", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  backend.fails = ({ port }) => port === 11;
  await committed(forwarder, [tcpRule(10, 1, { lastPort: 11, weak: true })]);
  backend.fails = () => false;
  assertEquals([forwarder.hasLost, await forwarder.retryLost()], [false, []]);
});

Deno.test("Forwarder.apply() serves the old table whichever of 50 binds fails, once it is rolled back", async () => {
  const before = Array.from({ length: 25 }, (_, index) => tcpRule(100 + index, 1));
  const after = Array.from(
    { length: 50 },
    (_, index) =>
      index % 10 === 0
        ? tcpRule(100 + index, 1, { address: "0.0.0.0" })
        : tcpRule(1000 + index, 1, { protocol: index % 2 ? "udp" : "tcp", address: index % 3 ? "127.0.0.1" : "*" }),
  );
  for (let failing = 1; failing <= 50; failing++) {
    const backend = new FakeBackend();
    await using forwarder = forwarderOf(backend);
    await committed(forwarder, before);
    const sockets = () => backend.serving().map((line) => line.replace(/ #\d+/, ""));
    const served = sockets();
    let attempt = 0;
    backend.fails = () => ++attempt === failing;
    const change = await forwarder.apply(tables(after));
    assertEquals([change.counts.opened, change.counts.failed, change.fault], [49, 1, true], `bind ${failing}`);
    assertEquals(await change.rollback(), []);
    assertEquals(sockets(), served, `bind ${failing}`);
  }
});

Deno.test("Forwarder.apply() tries missing endpoints again, and keeps what it gets even when it is rolled back", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  const weak = tcpRule(10, 1, { lastPort: 12, weak: true });
  backend.fails = ({ port }) => port === 11;
  await committed(forwarder, [weak]);
  assertEquals(forwarder.table(HOST).listed(0).failedPorts, 1);
  backend.fails = () => false;
  const change = await forwarder.apply(tables([weak, tcpRule(50, 1)]));
  assertEquals(change.counts, { kept: 2, opened: 2, retired: 0, failed: 0, rebound: 0 });
  await change.rollback();
  assertEquals(backend.serving().length, 3);
  assertEquals(forwarder.table(HOST).listed(0), { ...weak, status: "bound", failedPorts: 0 });
});

Deno.test("Forwarder.failures() tells what the last settled change has left, and nothing of one that stands uncommitted", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  const weak = tcpRule(10, 1, { lastPort: 15, weak: true });
  backend.fails = ({ port }) => [11, 12, 14].includes(port);
  await committed(forwarder, [tcpRule(9, 1), weak]);
  const missing = [{ rule: 1, ports: [{ first: 11, last: 12, errno: 98 }, { first: 14, last: 14, errno: 98 }] }];
  assertEquals(portsOf(forwarder), missing);
  backend.fails = ({ port }) => port === 15;
  const change = await forwarder.apply(tables([{ ...weak, address: "*" }]));
  assertEquals(portsOf(forwarder), missing);
  change.commit();
  assertEquals(portsOf(forwarder), [{ rule: 0, ports: [{ first: 15, last: 15, errno: 98 }] }]);
});

Deno.test("Forwarder.apply() takes a weak rule without a single socket for a fault, and one with some for none", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  backend.fails = ({ port }) => port < 20;
  const some = await forwarder.apply(tables([tcpRule(10, 1, { lastPort: 25, weak: true })]));
  assertEquals([some.fault, some.counts.failed, some.outcomes[0]?.status], [false, 10, "partial"]);
  await some.rollback();
  const none = await forwarder.apply(tables([tcpRule(10, 1, { lastPort: 12, weak: true })]));
  assertEquals([none.fault, none.outcomes[0]?.status], [true, "failed"]);
  await none.rollback();
});

Deno.test("Forwarder.apply() rejects while another change isn't settled", async () => {
  await using forwarder = forwarderOf(new FakeBackend());
  const change = await forwarder.apply(tables([]));
  assertEquals((await assertRejects(() => forwarder.apply(tables([])), PestoError)).code, "busy");
  await change.commit();
  await committed(forwarder, []);
  assertEquals(forwarder.revision, 2n);
});

Deno.test("Forwarder.apply() takes everything back when the backend itself breaks", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(10, 1)]);
  const served = backend.serving();
  const open = backend.open.bind(backend);
  backend.open = (endpoint, route) =>
    endpoint.port === 30 ? Promise.reject(new Error("broken")) : open(endpoint, route);
  await assertRejects(() => forwarder.apply(tables([tcpRule(20, 1), tcpRule(30, 1)])), Error, "broken");
  assertEquals(backend.serving(), served);
  await committed(forwarder, []);
});

Deno.test("Forwarder.check() tries new endpoints on spare sockets and touches nothing", async () => {
  const backend = new FakeBackend();
  await using forwarder = forwarderOf(backend);
  await committed(forwarder, [tcpRule(10, 1), tcpRule(20, 1)]);
  backend.book.length = 0;
  backend.fails = ({ port }) => port === 40;
  const report = await forwarder.check(tables([tcpRule(10, 1), tcpRule(30, 1), tcpRule(40, 1)]));
  assertEquals(backend.book, ["probe TCP [127.0.0.1]:30", "probe TCP [127.0.0.1]:40"]);
  assertEquals(report.counts, { kept: 1, opened: 1, retired: 1, failed: 1, rebound: 0 });
  assertEquals(report.outcomes.map(({ rule, ports }) => ({ rule, ports })), [
    { rule: 2, ports: [{ first: 40, last: 40, errno: 98 }] },
  ]);
});
