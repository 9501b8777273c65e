import { connect, look, settle, UpdateError } from "../client.ts";
import { Channel } from "../codec/channel.ts";
import { DeadlineError } from "../codec/deadlines.ts";
import { PestoError, ProtocolError } from "../codec/errors.ts";
import { nativeServer } from "../codec/native.ts";
import { RuleTable } from "../codec/table.ts";
import { linuxAvailable } from "../sync/linux.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { FullSocket } from "./full_socket.ts";
import { EchoTarget, firstWords, freePorts, isRefused, TestServer } from "./harness.ts";
import { tcpRule } from "./rules.ts";

/** A server with one rule to a target, and a free port. */
async function oneRule(options: Parameters<typeof TestServer.start>[0] = {}) {
  const stack = new AsyncDisposableStack();
  const target = stack.use(new EchoTarget("A"));
  const [port = 0, free = 0] = freePorts(2);
  const rule = tcpRule(port, target.port);
  const running = stack.use(await TestServer.start({ rules: { HOST: [rule] }, ...options }));
  return { target, port, free, rule, path: running.path, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("Session.stage() touches nothing before apply(), which commit() keeps", async () => {
  await using it = await oneRule();
  using session = await connect(it.path);
  await using update = await session.stage({ HOST: [tcpRule(it.free, it.target.port)] });
  assert(await isRefused(it.free));
  const applied = await update.apply();
  assertEquals([applied.outcome, applied.opened, applied.retired, applied.revision], ["done", 1, 1, 1n]);
  assertEquals(await firstWords(it.free), "A");
  assertEquals((await update.commit()).revision, 2n);
  assert(await isRefused(it.port));
  assertEquals((await update.rollback()).outcome, "done");
});

Deno.test("StagedUpdate takes its steps in order only", async () => {
  await using it = await oneRule();
  using session = await connect(it.path);
  await using update = await session.stage({ HOST: [it.rule] });
  await assertRejects(() => update.commit(), TypeError, "Can't commit: the update is accepted, and must be applied");
  await update.apply();
  await assertRejects(() => update.apply(), TypeError, "Can't apply: the update is applied, and must be accepted");
});

Deno.test("StagedUpdate.rollback() brings the old table back", async () => {
  await using it = await oneRule();
  using session = await connect(it.path);
  const update = await session.stage({ HOST: [tcpRule(it.free, it.target.port)] });
  await update.apply();
  const { outcome, code, revision } = await update.rollback();
  assertEquals({ outcome, code, revision }, { outcome: "rolled-back", code: "none", revision: 1n });
  assertEquals([await firstWords(it.port), await isRefused(it.free)], ["A", true]);
});

Deno.test("StagedUpdate rolls back when its scope is left without a commit", async () => {
  await using it = await oneRule();
  {
    using session = await connect(it.path);
    await using update = await session.stage({ HOST: [] });
    await update.apply();
  }
  assertEquals([await firstWords(it.port), (await look(it.path)).hello.revision], ["A", 1n]);
});

Deno.test("StagedUpdate.apply() leaves it to the caller whether failed ports matter", async () => {
  await using it = await oneRule();
  using taken = new EchoTarget("taken");
  using session = await connect(it.path);
  await using update = await session.stage({ HOST: [it.rule, tcpRule(taken.port, 80)] });
  const applied = await update.apply();
  assertEquals([applied.outcome, applied.code, applied.failed], ["done", "bind-failed", 1]);
  await update.commit();
  assertEquals((await look(it.path)).pifs[0]?.rules.map(({ status }) => status), ["bound", "failed"]);
});

Deno.test("StagedUpdate.commit() comes too late once the table has been held for as long as was asked for", async () => {
  await using it = await oneRule({ transactionSeconds: 30 });
  using session = await connect(it.path);
  await using update = await session.stage({ HOST: [] }, { holdSeconds: 1 });
  await update.apply();
  // The old table's port is served again when the time is up.
  while (await isRefusedOrReset(it.port));
  const { result } = await assertRejects(() => update.commit(), UpdateError);
  assertEquals([result.outcome, result.code], ["rolled-back", "transaction-deadline"]);
  assertEquals(result.sentence, "Can't keep the table: nobody confirmed it for 1 s");
});

/** Whether the port isn't served, because nobody listens or because it is parked. */
async function isRefusedOrReset(port: number): Promise<boolean> {
  try {
    return await firstWords(port) === "";
  } catch {
    return true;
  }
}

Deno.test("settle() keeps or takes back what another client has applied, and both hear of it", async () => {
  await using it = await oneRule();
  for (const decision of ["rollback", "commit"] as const) {
    using session = await connect(it.path);
    await using update = await session.stage({ HOST: [tcpRule(it.free, it.target.port)] });
    await update.apply();
    const [here, there] = await Promise.all([update.settled(), settle(it.path, decision)]);
    const kept = decision === "commit";
    assertEquals([here.outcome, here.revision], [kept ? "done" : "rolled-back", kept ? 2n : 1n]);
    assertEquals(there, here);
    assertEquals([await isRefused(it.port), await isRefused(it.free)], [kept, !kept]);
  }
});

Deno.test("settle() is refused when no table waits", async () => {
  await using it = await oneRule();
  const { result } = await assertRejects(() => settle(it.path, "commit"), UpdateError);
  assertEquals([result.outcome, result.code], ["rejected", "nothing-held"]);
  assertEquals(result.sentence, "Can't commit: no applied table waits for it");
});

Deno.test("Session.stage() rejects with the server's reason when a table isn't valid", async () => {
  await using it = await oneRule();
  using session = await connect(it.path);
  const { result } = await assertRejects(() => session.stage({ HOST: [it.rule, it.rule] }), UpdateError);
  assertEquals([result.outcome, result.code, result.rule, result.otherRule], ["rejected", "conflict", 1, 0]);
});

Deno.test("StagedUpdate.apply() rejects when another client was faster", async () => {
  await using it = await oneRule();
  using slow = await connect(it.path);
  await using update = await slow.stage({ HOST: [] });
  using fast = await connect(it.path);
  await fast.update({ HOST: [it.rule] });
  const { result } = await assertRejects(() => update.apply(), UpdateError);
  assertEquals(result.outcome, "stale");
});

Deno.test("connect() says why it can't", async (test) => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  const dead = Deno.listen({ transport: "unix", path: `${folder}/before` });
  await Deno.rename(`${folder}/before`, `${folder}/dead`);
  dead.close();
  const cases: [string, string][] = [
    [`${folder}/none`, "there is no such file"],
    [`${folder}/file`, "it is no socket"],
    [folder, "it is no socket"],
    [`${folder}/dead`, "nobody listens there"],
    [`${folder}/${"x".repeat(107)}`, "it is longer than the 107 bytes that a socket's path may have"],
  ];
  for (const [path, reason] of cases) {
    await test.step(reason, async () => {
      const error = await assertRejects(() => connect(path), PestoError);
      assertEquals(
        [error.code, error.message],
        ["unreachable", `Can't connect to the control socket "${path}": ${reason}`],
      );
    });
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("Session.update() takes one update, and only for pifs that the server has", async () => {
  await using it = await oneRule();
  using session = await connect(it.path);
  const unknown = await assertRejects(() => session.update({ NOPE: [] }), PestoError);
  assertEquals([unknown.code, unknown.message], ["unknown-pif", `Can't update pif "NOPE": the server has "HOST"`]);
  await session.update({ HOST: [it.rule] });
  await assertRejects(() => session.update({ HOST: [] }), TypeError, "the session is used up");
});

Deno.test("look() puts together the ports of one rule that come in several frames", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/control`;
  using listener = Deno.listen({ transport: "unix", path });
  using table = RuleTable.of([tcpRule(1, 1, { lastPort: 20000 }), tcpRule(20001, 1)]);
  const ports = Array.from({ length: 10000 }, (_, index) => ({ first: 2 * index + 1, last: 2 * index + 1, errno: 98 }));
  const last = [{ first: 20001, last: 20001, errno: 13 }];
  const failures = [{ pif: 1, rule: 0, ports }, { pif: 1, rule: 1, ports: last }];
  const hello = { version: 1, minCompat: 1, features: 0, revision: 1n, maxPifs: 1, maxRules: 2, maxSockets: 20001 };
  const greeting = nativeServer.greeting({ ...hello, transactionSeconds: 1, holdSeconds: 1 }, [
    { header: { id: 1, name: "HOST", capabilities: 0 }, table, failures },
  ]);
  const served = listener.accept().then(async (connection) => {
    using channel = new Channel(connection, nativeServer.decoder({ maxPifs: 1, maxRules: 1 }));
    await channel.send(greeting);
    await channel.next();
  });
  const [pif] = (await look(path)).pifs;
  await served;
  assertEquals(pif?.failures, [{ pif: "HOST", rule: 0, ports }, { pif: "HOST", rule: 1, ports: last }]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test({
  name: "connect() waits for room among those who wait to be let in",
  ignore: linuxAvailable().kind === "unavailable",
  async fn() {
    using socket = await FullSocket.make();
    const connecting = assertRejects(() => connect(socket.path), ProtocolError);
    assert(await socket.isFull());
    let over = false;
    const end = connecting.finally(() => over = true);
    while (!over) {
      socket.drop();
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals((await end).code, "truncated");
  },
});

Deno.test({
  name: "connect() gives up at its deadline when there is no room, or when its signal says so",
  ignore: linuxAvailable().kind === "unavailable",
  async fn() {
    using socket = await FullSocket.make();
    const late = await assertRejects(() => connect(socket.path, { timeoutSeconds: 0.01 }), DeadlineError);
    assertEquals(late.code, "read-deadline");
    assertEquals(late.message, `Can't connect to the control socket "${socket.path}": too many others wait there`);
    const reason = new Error("enough");
    const aborted = await assertRejects(() => connect(socket.path, { signal: AbortSignal.abort(reason) }));
    assertEquals(aborted, reason);
  },
});
