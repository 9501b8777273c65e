/** The released dialect as a server speaks it, with the recordings as its clients, and ours. */

import { connect, look, UpdateError } from "../client.ts";
import type { Rule } from "../codec/types.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused, TestServer } from "./harness.ts";
import { passtUpdate } from "./passt_update.ts";
import { tcpRule } from "./rules.ts";

/** A server with both control sockets, a target, a rule to it and free ports. */
async function speakingBoth(ports: number, pifs: { name: string; target: string }[] = []) {
  const stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const target = stack.use(new EchoTarget("A"));
  const [port = 0, ...free] = freePorts(ports + 1);
  const rule = tcpRule(port, target.port);
  const passt = `${folder}/passt`;
  const running = stack.use(await TestServer.start({ rules: { HOST: [rule] }, pifs, passtPath: passt }));
  return {
    running,
    passt,
    native: running.path,
    target,
    port,
    free,
    rule,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Sends bytes to a control socket as a released client does: without waiting for anything but the listing. */
async function send(path: string, bytes: Uint8Array): Promise<void> {
  using connection = await Deno.connect({ transport: "unix", path });
  const buffer = new Uint8Array(65536);
  await connection.read(buffer);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

const ports = (rules: readonly Rule[]) => rules.map(({ firstPort }) => firstPort);

/** Waits until something logged tells that a client has been dealt with. */
async function logged(running: TestServer, words: RegExp): Promise<void> {
  while (!running.logged.some((line) => words.test(line))) await look(running.path);
}

Deno.test("serve() lists its rules to a released client, which may add to them", async () => {
  await using it = await speakingBoth(1);
  using session = await connect(it.passt);
  assertEquals(session.dialect, { name: "passt", version: 2 });
  assertEquals(ports(session.pifs[0]?.rules ?? []), [it.port]);
  const [port = 0] = it.free;
  const result = await session.update({ HOST: [it.rule, tcpRule(port, it.target.port)] });
  assertEquals(result.outcome, "done");
  assertEquals([await firstWords(it.port), await firstWords(port)], ["A", "A"]);
});

Deno.test("serve() keeps its table when a released client sends one that it can't take, and the client finds out", async () => {
  await using it = await speakingBoth(0);
  using taken = new EchoTarget("taken");
  for (const bad of [[it.rule, it.rule], [tcpRule(taken.port, 80)]]) {
    using session = await connect(it.passt);
    const { result } = await assertRejects(() => session.update({ HOST: bad }), UpdateError);
    assertEquals([result.outcome, result.code], ["rejected", "refused"]);
    assertEquals(result.sentence, "Can't update the table: the server refused it, and doesn't say why");
  }
  assertEquals(await firstWords(it.port), "A");
});

Deno.test("serve() is not changed by what isn't a whole update of the released protocol, wherever it is cut", async () => {
  await using it = await speakingBoth(1);
  const [port = 0] = it.free;
  const update = passtUpdate([tcpRule(port, 80)]);
  const garbage = [new Uint8Array(0), new Uint8Array(1), new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")];
  const cuts = Array.from({ length: update.length }, (_, length) => update.subarray(0, length));
  for (const bytes of [...garbage, ...cuts]) await send(it.passt, bytes);
  // It answers the next client, whose update is the first to be taken.
  await send(it.passt, passtUpdate([it.rule, tcpRule(port, it.target.port)]));
  await logged(it.running, /^Revision/);
  assertEquals((await look(it.native)).hello.revision, 2n);
  assertEquals(await firstWords(port), "A");
});

Deno.test("serve() keeps the rules of a pif that a released client doesn't name", async () => {
  await using it = await speakingBoth(1, [{ name: "WEB", target: "127.0.0.1" }]);
  using native = await connect(it.native);
  const [port = 0] = it.free;
  await native.update({ WEB: [tcpRule(port, it.target.port)] });
  await send(it.passt, passtUpdate([]));
  await logged(it.running, /^Revision 3/);
  assert(await isRefused(it.port));
  assertEquals(await firstWords(port), "A");
});

Deno.test("serve() keeps both edits of two released clients that began from the same table", async () => {
  await using it = await speakingBoth(2);
  const [first = 0, second = 0] = it.free;
  using a = await connect(it.passt);
  using b = await connect(it.passt);
  await a.update({ HOST: [it.rule, tcpRule(first, it.target.port)] });
  // To the second client the table is another one than it sent, and it can't know more.
  await assertRejects(() => b.update({ HOST: [tcpRule(second, it.target.port)] }), UpdateError);
  assertEquals(ports(await it.running.rules()), [first, second]);
});

Deno.test("serve() shows a released client what it can of a table, and doesn't let it lose the rest", async () => {
  await using it = await speakingBoth(1);
  const [port = 0] = it.free;
  const other = tcpRule(port, it.target.port, { target: "::1", address: "127.0.0.1" });
  using native = await connect(it.native);
  await native.update({ HOST: [it.rule, other] });

  using lucky = await connect(it.passt);
  const shown = lucky.pifs[0]?.rules ?? [];
  assertEquals(ports(shown), [it.port]);
  await send(it.passt, passtUpdate([]));
  await logged(it.running, /was shown only 1 of its 2 rules/);
  assertEquals(ports(await it.running.rules()), [it.port, port]);
  // Sent back as it was shown, it is left alone.
  await send(it.passt, passtUpdate([it.rule]));
  await logged(it.running, /^Revision 3/);
  assertEquals(ports(await it.running.rules()), [it.port, port]);
});

Deno.test("serve() follows the ports that a target comes to listen on, with a scan rule", async () => {
  const [from = 0] = freePorts(1);
  const rule = tcpRule(from, from, { address: "127.0.0.77", scan: true, weak: true, target: "127.0.0.1" });
  await using running = await TestServer.start({ rules: { HOST: [rule] } });
  const status = async () => (await look(running.path)).pifs[0]?.rules[0]?.status;
  assertEquals(await status(), "waiting");
  {
    using _target = Deno.listen({ port: from, hostname: "127.0.0.1" });
    while (await status() !== "bound");
    (await Deno.connect({ port: from, hostname: "127.0.0.77" })).close();
  }
  while (await status() !== "waiting");
  await assertRejects(() => Deno.connect({ port: from, hostname: "127.0.0.77" }), Deno.errors.ConnectionRefused);
  assertEquals((await look(running.path)).hello.revision, 1n);
});
