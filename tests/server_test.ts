import { connect, look, UpdateError } from "../client.ts";
import { PestoError, TableError } from "../codec/errors.ts";
import { nativeClient } from "../codec/native.ts";
import type { Code, Outcome, Rule } from "../codec/types.ts";
import { serve, Server } from "../server.ts";
import { Forwarder } from "../sync/forwarder.ts";
import { linuxAvailable } from "../sync/linux.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused, RawClient, TestServer, updateBytes } from "./harness.ts";
import { freeRow } from "./free_port.ts";
import { tcpRule } from "./rules.ts";
import { setImmediate } from "node:timers";

/** A server with one rule to a target, and free ports to play with. */
async function oneRule(ports: number, options: Parameters<typeof TestServer.start>[0] = {}) {
  const stack = new AsyncDisposableStack();
  const target = stack.use(new EchoTarget("A"));
  const [port = 0, ...free] = freePorts(ports + 1);
  const rule = tcpRule(port, target.port);
  const running = stack.use(await TestServer.start({ rules: { HOST: [rule] }, ...options }));
  return {
    target,
    port,
    rule,
    free,
    running,
    path: running.path,
    /** The table, the socket and the server are as they were. */
    async unharmed() {
      assertEquals((await look(running.path)).hello.revision, 1n);
      assertEquals((await running.rules()).map(({ firstPort }) => firstPort), [port]);
      assertEquals(await firstWords(port), "A");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test("serve() shows its pifs, rules and revision to whoever looks", async () => {
  await using it = await oneRule(0, { pifs: [{ name: "WEB", target: "192.0.2.7" }], target: "127.0.0.2" });
  const { hello, pifs } = await look(it.path);
  assertEquals(hello.revision, 1n);
  assertEquals(pifs.map(({ id, name, defaultTarget }) => ({ id, name, defaultTarget })), [
    { id: 1, name: "HOST", defaultTarget: "127.0.0.2" },
    { id: 4, name: "WEB", defaultTarget: "192.0.2.7" },
  ]);
  assertEquals(pifs[0]?.rules, [{ ...it.rule, status: "bound", failedPorts: 0 }]);
});

Deno.test("serve() applies a one-shot update, and says what became of the sockets", async () => {
  await using it = await oneRule(1);
  using other = new EchoTarget("B");
  const [second = 0] = it.free;
  using session = await connect(it.path);
  const result = await session.update({ HOST: [it.rule, tcpRule(second, other.port)] });
  assertEquals(
    { ...result },
    {
      ...{ outcome: "done", code: "none", revision: 2n, sentence: "", rules: [], failures: [] },
      ...{ kept: 1, opened: 1, retired: 0, failed: 0, rebound: 0 },
    },
  );
  assertEquals([await firstWords(it.port), await firstWords(second)], ["A", "B"]);

  using next = await connect(it.path);
  assertEquals((await next.update({ HOST: [tcpRule(second, it.target.port)] })).retired, 1);
  assertEquals(await firstWords(second), "A");
  assert(await isRefused(it.port));
});

Deno.test("serve() leaves established flows alone when their rule goes", async () => {
  await using it = await oneRule(0);
  using flow = await Deno.connect({ port: it.port, hostname: "127.0.0.1" });
  const buffer = new Uint8Array(10);
  await flow.read(buffer);
  using session = await connect(it.path);
  await session.update({ HOST: [] });
  await flow.write(new TextEncoder().encode("still"));
  assertEquals(new TextDecoder().decode(buffer.subarray(0, await flow.read(buffer) ?? 0)), "still");
});

Deno.test("serve() keeps the table of a pif that an update doesn't name", async () => {
  await using it = await oneRule(1, { pifs: [{ name: "WEB", target: "127.0.0.1" }] });
  using session = await connect(it.path);
  const [port = 0] = it.free;
  await session.update({ WEB: [tcpRule(port, it.target.port)] });
  assertEquals((await it.running.rules()).length, 1);
  assertEquals(await firstWords(it.port), "A");
});

Deno.test("serve() keeps the socket of a rule that wanders from one pif to another", async () => {
  await using it = await oneRule(0, { pifs: [{ name: "WEB", target: "127.0.0.1" }] });
  using session = await connect(it.path);
  const { kept, opened, retired } = await session.update({ HOST: [], WEB: [it.rule] });
  assertEquals({ kept, opened, retired }, { kept: 1, opened: 0, retired: 0 });
});

Deno.test("serve() changes nothing when it is only asked to check", async () => {
  await using it = await oneRule(1);
  using taken = new EchoTarget("taken");
  const [free = 0] = it.free;
  using session = await connect(it.path);
  const good = await session.check({ HOST: [it.rule, tcpRule(free, 80)] });
  assertEquals([good.outcome, good.kept, good.opened, good.failed], ["done", 1, 1, 0]);
  assert(await isRefused(free));

  using next = await connect(it.path);
  const bad = await next.check({ HOST: [tcpRule(free, 80), tcpRule(taken.port, 80)] });
  assertEquals([bad.outcome, bad.kept, bad.opened, bad.retired, bad.failed], ["rolled-back", 0, 1, 1, 1]);
  assertEquals(bad.failures, [{ pif: "HOST", rule: 1, ports: [{ first: taken.port, last: taken.port, errno: 98 }] }]);
  await it.unharmed();
});

Deno.test("serve() rolls back by itself when a rule can't have its socket, and names it", async () => {
  await using it = await oneRule(1);
  using taken = new EchoTarget("taken");
  const [free = 0] = it.free;
  using session = await connect(it.path);
  const wanted = [tcpRule(free, 80), tcpRule(taken.port, 80)];
  const { result } = await assertRejects(() => session.update({ HOST: wanted }), UpdateError);
  assertEquals([result.outcome, result.code, result.pif, result.rule, result.failed], [
    "rolled-back",
    "bind-failed",
    1,
    1,
    1,
  ]);
  assertEquals(result.sentence, `Can't listen on TCP [127.0.0.1]:${taken.port}: address in use (EADDRINUSE)`);
  assertEquals(result.rules.map(({ pif, rule }) => [pif, rule.firstPort, rule.status, rule.failedPorts]), [
    ["HOST", taken.port, "failed", 1],
  ]);
  assert(await isRefused(free));
  await it.unharmed();
});

Deno.test("serve() lets weak rules lack ports, tells which, and tries them again with the next update", async () => {
  await using it = await oneRule(0);
  const port = freeRow(2);
  const wanted = tcpRule(port, it.target.port, { weak: true, lastPort: port + 1 });
  {
    using _taken = Deno.listen({ port, hostname: "127.0.0.1" });
    using session = await connect(it.path);
    const result = await session.update({ HOST: [it.rule, wanted] });
    assertEquals([result.outcome, result.failed], ["done", 1]);
    assertEquals(result.failures, [{ pif: "HOST", rule: 1, ports: [{ first: port, last: port, errno: 98 }] }]);
    assertEquals((await look(it.path)).pifs[0]?.rules.map(({ status, failedPorts }) => [status, failedPorts]), [
      ["bound", 0],
      ["partial", 1],
    ]);
    assertEquals((await look(it.path)).pifs[0]?.failures, result.failures);
  }
  using next = await connect(it.path);
  const again = await next.update({ HOST: [it.rule, wanted] });
  assertEquals([again.kept, again.opened, again.failed], [2, 1, 0]);
  assertEquals((await look(it.path)).pifs[0]?.failures, []);
  assertEquals(await firstWords(port), "A");
});

Deno.test("serve() lists the failed ports of each pif under its own name, and those of an applied table not before its commit", async () => {
  await using it = await oneRule(0, { pifs: [{ name: "WEB", target: "127.0.0.1" }] });
  const first = freeRow(6);
  using _gone = Deno.listen({ port: first + 1, hostname: "127.0.0.1" });
  using _too = Deno.listen({ port: first + 2, hostname: "127.0.0.1" });
  using _third = Deno.listen({ port: first + 4, hostname: "127.0.0.1" });
  const weak = (port: number, lastPort: number) => tcpRule(port, 80, { weak: true, lastPort });
  using session = await connect(it.path);
  await using update = await session.stage({
    HOST: [it.rule, weak(first, first + 3)],
    WEB: [weak(first + 4, first + 5)],
  });
  const applied = await update.apply();
  assertEquals((await look(it.path)).pifs.map(({ failures }) => failures), [[], []]);
  await update.commit();
  const host = { pif: "HOST", rule: 1, ports: [{ first: first + 1, last: first + 2, errno: 98 }] };
  const web = { pif: "WEB", rule: 0, ports: [{ first: first + 4, last: first + 4, errno: 98 }] };
  assertEquals(applied.failures, [host, web]);
  assertEquals((await look(it.path)).pifs.map(({ name, failures }) => ({ name, failures })), [
    { name: "HOST", failures: [host] },
    { name: "WEB", failures: [web] },
  ]);
});

Deno.test("serve() refuses what isn't valid in one sentence, and changes nothing", async (test) => {
  await using it = await oneRule(0, { backend: "portable" });
  const good = tcpRule(40000, 80);
  const cases: [string, Partial<Rule>[], Code, string][] = [
    ["overlapping rules", [{}, { address: "*" }], "conflict", "it conflicts with TCP [127.0.0.1]:40000"],
    ["port 0", [{ firstPort: 0 }], "port-zero", "its first port is 0"],
    ["ports in reverse", [{ firstPort: 40001 }], "port-order", "40001"],
    ["a target range past 65535", [{ lastPort: 40001, targetPort: 65535 }], "target-port", "65535"],
    ["target port 0", [{ targetPort: 0 }], "target-port", "0"],
    ["an interface", [{ interface: "lo" }], "interface-unsupported", "lo"],
    ["a multicast target", [{ target: "224.0.0.1" }], "target-multicast", "224.0.0.1"],
    ["a rule to itself", [{ targetPort: 40000 }], "forwards-to-itself", "itself"],
  ];
  for (const [name, rules, code, words] of cases) {
    await test.step(name, async () => {
      using session = await connect(it.path);
      const wanted = rules.map((more) => ({ ...good, ...more }));
      const { result } = await assertRejects(() => session.update({ HOST: wanted }), UpdateError);
      assertEquals([result.outcome, result.code, result.pif, result.rule], ["rejected", code, 1, rules.length - 1]);
      assert(result.sentence.includes(words), result.sentence);
      await it.unharmed();
    });
  }
});

Deno.test("serve() refuses rules of two pifs that want the same endpoint, and names both", async () => {
  await using it = await oneRule(0, { pifs: [{ name: "WEB", target: "127.0.0.1" }] });
  using session = await connect(it.path);
  const { result } = await assertRejects(() => session.update({ WEB: [it.rule] }), UpdateError);
  assertEquals([result.code, result.pif, result.rule, result.otherPif, result.otherRule], ["conflict", 4, 0, 1, 0]);
});

Deno.test("serve() reports an address that isn't this machine's", async () => {
  await using it = await oneRule(0);
  using session = await connect(it.path);
  const { result } = await assertRejects(
    () => session.update({ HOST: [tcpRule(40000, 80, { address: "192.0.2.1" })] }),
    UpdateError,
  );
  assertEquals(result.outcome, "rolled-back");
  assertEquals(
    result.sentence,
    "Can't listen on TCP [192.0.2.1]:40000: address not available (EADDRNOTAVAIL)",
  );
  await it.unharmed();
});

Deno.test("serve() answers stale to an edit of a table that is no longer in force", async () => {
  await using it = await oneRule(0);
  using late = await connect(it.path);
  using early = await connect(it.path);
  await early.update({ HOST: [it.rule] });
  const { result } = await assertRejects(() => late.update({ HOST: [] }), UpdateError);
  assertEquals([result.outcome, result.code, result.revision], ["stale", "stale-revision", 2n]);
  assertEquals(
    result.sentence,
    "Can't update the table: it was edited from revision 1, and revision 2 is in force",
  );
  using careless = await connect(it.path);
  await early[Symbol.dispose]();
  await careless.update({ HOST: [] }, { anyBase: true });
});

Deno.test("serve() refuses bytes that aren't the protocol's, and serves on", async (test) => {
  await using it = await oneRule(0);
  const update = updateBytes([]);
  const patched = (at: number, ...bytes: number[]) => {
    const copy = update.slice();
    copy.set(bytes, at);
    return copy;
  };
  // 8 bytes of magic, then UPDATE: header 8 to 15, payload 16 to 39; then TABLE: header 40 to 47, payload 48 to 55.
  const cases: [string, Uint8Array, Outcome, Code][] = [
    ["a lone zero byte", new Uint8Array(1), "protocol-error", "bad-magic"],
    ["another program's request", new TextEncoder().encode("GET / HTTP/1.1\r\n"), "protocol-error", "bad-magic"],
    ["the wrong version", patched(16, 0, 9), "protocol-error", "unsupported-version"],
    ["an unknown frame type", patched(8, 0x7f, 0xff), "protocol-error", "unknown-frame"],
    ["a gigantic length", patched(12, 0xff, 0xff, 0xff, 0xff), "protocol-error", "frame-length"],
    ["an unknown mode", patched(18, 0, 9), "protocol-error", "bad-field"],
    ["a zero field that isn't zero", patched(10, 0, 1), "protocol-error", "reserved-bytes"],
    ["too many rules", patched(52, 0xff, 0xff, 0xff, 0xff), "protocol-error", "too-many-rules"],
    ["a pif that isn't there", patched(48, 0, 0, 0, 77), "rejected", "unknown-pif"],
    [
      "a frame where another one must stand",
      joinedFrames(update.subarray(0, 8), [0, 4, 0, 0, 0, 0, 0, 0]),
      "protocol-error",
      "unexpected-frame",
    ],
  ];
  for (const [name, bytes, outcome, code] of cases) {
    await test.step(name, async () => {
      using client = await RawClient.connect(it.path);
      await client.send(bytes);
      const verdict = await client.verdict();
      assertEquals([verdict.outcome, verdict.code, verdict.revision], [outcome, code, 1n], verdict.sentence);
      assert(verdict.sentence.length > 10);
      await client.closed();
      await it.unharmed();
    });
  }
});

Deno.test("serve() takes a one-shot update that has come whole, whatever follows it in the same piece or the next", async () => {
  await using it = await oneRule(2);
  for (const [index, port] of it.free.entries()) {
    const update = updateBytes([tcpRule(port, it.target.port)]);
    using client = await RawClient.connect(it.path);
    const garbage = new TextEncoder().encode("garbage!");
    await client.send(...index === 0 ? [joinedFrames(update, garbage)] : [update, garbage]);
    assertEquals((await client.verdict()).outcome, "done");
    assertEquals(await firstWords(port), "A");
  }
});

Deno.test("serve() rolls back a table whose client breaks the protocol after APPLY, in one piece with it", async () => {
  await using it = await oneRule(1);
  using client = await RawClient.connect(it.path);
  const update = updateBytes([tcpRule(it.free[0] ?? 0, it.target.port)], { mode: "staged" });
  await client.send(joinedFrames(update, nativeClient.signal("apply"), new TextEncoder().encode("garbage!")));
  const [applied, end] = [await client.verdict(), await client.verdict()];
  assertEquals([applied.outcome, end.outcome, end.code], ["done", "rolled-back", "unknown-frame"]);
  await client.closed();
  await it.unharmed();
});

function joinedFrames(...parts: Iterable<number>[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("serve() takes a one-shot update exactly when it has come whole, wherever the client hangs up", async () => {
  await using it = await oneRule(1);
  const [port = 0] = it.free;
  const bytes = updateBytes([it.rule, tcpRule(port, 80)]);
  for (let cut = 0; cut < bytes.length; cut++) {
    using client = await RawClient.connect(it.path);
    await client.send(bytes.subarray(0, cut));
  }
  await it.unharmed();
  {
    using client = await RawClient.connect(it.path);
    await client.send(bytes);
  }
  // Nobody is told when a client that is gone has been served, so it is asked for until it shows.
  while ((await look(it.path)).hello.revision === 1n);
  assertEquals((await it.running.rules()).length, 2);
});

Deno.test("serve() has the old table or the new one in force when a client that asked for a roll-back is gone", async () => {
  await using it = await oneRule(1);
  const [port = 0] = it.free;
  {
    using client = await RawClient.connect(it.path);
    await client.send(updateBytes([tcpRule(port, 80)], { rollBackUndelivered: true }));
  }
  while (!it.running.logged.some((line) => /^(Rolled back|Revision 2)/.test(line))) await look(it.path);
  const { hello } = await look(it.path);
  // Whether the hang-up was seen before the result was sent is the kernel's to say; a mixture there must never be.
  const ports = (await it.running.rules()).map(({ firstPort }) => firstPort);
  assertEquals(ports, hello.revision === 1n ? [it.port] : [port]);
});

Deno.test("serve() gives up a client that stalls, with a reason, after the time that a read may take", async () => {
  await using it = await oneRule(0, { readSeconds: 0.05 });
  using client = await RawClient.connect(it.path);
  await client.send(updateBytes([it.rule]).subarray(0, 20));
  const verdict = await client.verdict();
  assertEquals([verdict.outcome, verdict.code], ["timed-out", "read-deadline"]);
  assertEquals(verdict.sentence, "Can't go on with a transaction: nothing moved for 0.05 s");
  await client.closed();
  await it.unharmed();
});

Deno.test("serve() gives up a client that takes too long altogether", async () => {
  await using it = await oneRule(0, { transactionSeconds: 0.05 });
  using client = await RawClient.connect(it.path);
  assertEquals((await client.verdict()).code, "transaction-deadline");
  await client.closed();
  await it.unharmed();
});

Deno.test("serve() lets nobody wait for a silent client", async () => {
  await using it = await oneRule(0);
  using stack = new DisposableStack();
  for (let count = 0; count < 50; count++) stack.use(await RawClient.connect(it.path));
  using session = await connect(it.path);
  await session.update({ HOST: [it.rule] });
});

Deno.test("serve() applies a staged table on APPLY and keeps it on COMMIT", async () => {
  await using it = await oneRule(1);
  const [port = 0] = it.free;
  using client = await RawClient.connect(it.path);
  await client.send(updateBytes([tcpRule(port, it.target.port)], { mode: "staged" }));
  await client.until("accepted");
  await it.unharmed();
  await client.send(nativeClient.signal("apply"));
  assertEquals((await client.verdict()).outcome, "done");
  await client.until("reported");
  assertEquals(await firstWords(port), "A");

  using other = await connect(it.path);
  assertEquals((await assertRejects(() => other.update({ HOST: [] }), UpdateError)).code, "busy");

  await client.send(nativeClient.signal("commit"));
  assertEquals((await client.verdict()).revision, 2n);
  await client.closed();
  assert(await isRefused(it.port));
});

Deno.test("serve() goes back on ROLLBACK, and on a hang-up after APPLY", async () => {
  await using it = await oneRule(1);
  const [port = 0] = it.free;
  for (const ending of ["rollback", "hang-up"] as const) {
    {
      using client = await RawClient.connect(it.path);
      await client.send(updateBytes([tcpRule(port, it.target.port)], { mode: "staged" }), nativeClient.signal("apply"));
      await client.verdict();
      await client.until("reported");
      if (ending === "rollback") {
        await client.send(nativeClient.signal("rollback"));
        assertEquals((await client.verdict()).outcome, "rolled-back");
        await client.closed();
      }
    }
    // It has the turn again only when the one before is done.
    for (;;) {
      using next = await connect(it.path);
      if ((await next.check({ HOST: [it.rule] })).outcome !== "busy") break;
    }
    await it.unharmed();
    assert(await isRefused(port));
  }
});

Deno.test("serve() greets one client at a time when it is to be exclusive", async () => {
  await using it = await oneRule(0, { concurrency: "exclusive" });
  const first = await connect(it.path);
  let greeted = false;
  const waiting = connect(it.path).then((session) => {
    greeted = true;
    return session;
  });
  const result = await first.update({ HOST: [it.rule] });
  assertEquals([result.revision, greeted], [2n, false]);
  using second = await waiting;
  assertEquals(second.hello.revision, 2n);
  await second.update({ HOST: [it.rule] });
});

Deno.test("serve() comes back with the committed tables and their revision from its state file", async () => {
  const folder = await Deno.makeTempDir();
  const statePath = `${folder}/state`;
  using target = new EchoTarget("A");
  const [first = 0, second = 0] = freePorts(2);
  {
    await using running = await TestServer.start({ statePath, rules: { HOST: [tcpRule(first, target.port)] } });
    using session = await connect(running.path);
    await session.update({ HOST: [tcpRule(first, target.port), tcpRule(second, target.port)] });
  }
  // What the second start is given for the first is no longer of interest.
  const restart = () => TestServer.start({ statePath, rules: { HOST: [] } });
  {
    await using running = await restart();
    assertEquals((await look(running.path)).hello.revision, 2n);
    assertEquals([await firstWords(first), await firstWords(second)], ["A", "A"]);
  }
  {
    const taken = Deno.listen({ port: second, hostname: "127.0.0.1" });
    await using running = await restart();
    assertEquals((await running.rules()).length, 2);
    assertEquals(await firstWords(first), "A");
    assert(running.logged.some((line) => line.startsWith("Going on without a socket, and trying again")));
    const lost = { pif: "HOST", rule: 1, ports: [{ first: second, last: second, errno: 98 }] };
    assertEquals((await look(running.path)).pifs[0]?.failures, [lost]);
    taken.close();
    while ((await look(running.path)).pifs[0]?.rules[1]?.status !== "bound");
    assertEquals((await look(running.path)).pifs[0]?.failures, []);
    assertEquals(await firstWords(second), "A");
  }
  await Deno.writeTextFile(statePath, "precious");
  await assertRejects(restart, PestoError, "it isn't a state file of pesto");
  assertEquals(await Deno.readTextFile(statePath), "precious");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("serve() refuses a table to start with that isn't valid or can't be bound, and leaves nothing behind", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/control`;
  using taken = new EchoTarget("taken");
  const [port = 0] = freePorts(1);
  const bad = await assertRejects(
    () => serve({ path, rules: { HOST: [tcpRule(port, 80), tcpRule(port, 81)] } }),
    TableError,
  );
  assertEquals(bad.code, "conflict");
  const unbound = await assertRejects(
    () => serve({ path, rules: { HOST: [tcpRule(port, 80), tcpRule(taken.port, 80)] } }),
    PestoError,
  );
  assertEquals(unbound.code, "bind-failed");
  assert(await isRefused(port));
  await Deno.remove(directory);
});

Deno.test("Server's disposal waits for the look after lost sockets that is under way", async () => {
  const order: string[] = [];
  const looking = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  class Losing extends Forwarder {
    override get hasLost(): boolean {
      return true;
    }
    override async retryLost(): Promise<never[]> {
      looking.resolve();
      await end.promise;
      order.push("looked");
      return [];
    }
    override async [Symbol.asyncDispose](): Promise<void> {
      order.push("closed");
      await super[Symbol.asyncDispose]();
    }
  }
  const server = new Server(new Losing([]), [], { path: "" }, undefined);
  await looking.promise;
  const stopped = server[Symbol.asyncDispose]();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  end.resolve();
  await stopped;
  assertEquals(order, ["looked", "closed"]);
});

Deno.test({
  name: "serve() lets clients in when its relays have used up their file descriptors",
  ignore: linuxAvailable().kind === "unavailable",
  async fn() {
    const script = new URL("few_descriptors.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", 'ulimit -n 120 && exec "$0" run -A --no-check "$1"', Deno.execPath(), script],
      stderr: "inherit",
    }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
      logged: ["Can't relay more TCP connections: 60 file descriptors are in use, the most allowed"],
      outcome: "done",
    });
  },
});
