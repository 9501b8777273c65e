/** A server whose targets are in another network namespace: HOST connects in there, SPLICE listens there. */

import { connect, look } from "../client.ts";
import { PestoError } from "../codec/errors.ts";
import { assertEquals, assertRejects } from "./assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused, TestServer } from "./harness.ts";
import { tcpRule } from "./rules.ts";
import { noNamespaces, TestNamespace } from "./sync/linux/test_namespace.ts";

const reason = await noNamespaces();

Deno.test({
  name: `serve() forwards into a namespace with HOST, and out of it with SPLICE${
    reason === undefined ? "" : ` (${reason})`
  }`,
  ignore: reason !== undefined,
  async fn() {
    await using namespace = await TestNamespace.make();
    using target = new EchoTarget("outside");
    const [inward = 0, inside = 0] = freePorts(2);
    await using running = await TestServer.start({ netns: namespace.path });
    using session = await connect(running.path);
    assertEquals(session.pifs.map(({ id, name }) => [id, name]), [[1, "HOST"], [3, "SPLICE"]]);
    // In through HOST, to a port inside on which SPLICE listens, and out again through that.
    await session.update({
      HOST: [tcpRule(inward, inside)],
      SPLICE: [tcpRule(inside, target.port, { interface: "lo" })],
    });
    assertEquals(await firstWords(inward), "outside");
    assertEquals(await isRefused(inside), true);
  },
});

Deno.test({
  name: `serve() scans the namespace that it forwards into${reason === undefined ? "" : ` (${reason})`}`,
  ignore: reason !== undefined,
  async fn() {
    await using namespace = await TestNamespace.make();
    const [port = 0] = freePorts(1);
    const scan = tcpRule(port, port, { scan: true, weak: true });
    await using running = await TestServer.start({ netns: namespace.path, rules: { HOST: [scan] } });
    const status = async () => (await look(running.path)).pifs[0]?.rules[0]?.status;
    assertEquals(await status(), "waiting");
    const listener = new Deno.Command("ip", {
      args: ["netns", "exec", namespace.path.replace("/run/netns/", ""), Deno.execPath(), "eval", listenFor(port)],
      stdout: "piped",
    }).spawn();
    while (await status() !== "bound");
    assertEquals(await firstWords(port), "inside");
    listener.kill("SIGKILL");
    await listener.output();
    while (await status() !== "waiting");
  },
});

/** A program that greets whoever connects. */
function listenFor(port: number): string {
  return `for await (const c of Deno.listen({ port: ${port}, hostname: "127.0.0.1" })) {
    c.write(new TextEncoder().encode("inside"));
  }`;
}

Deno.test("serve() says why a namespace can't be used, and leaves nothing behind", async () => {
  const missing = await assertRejects(() => TestServer.start({ netns: "/nonexistent/namespace" }), PestoError);
  assertEquals(missing.message.startsWith(`Can't enter network namespace "/nonexistent/namespace": `), true);
  const portable = await assertRejects(
    () => TestServer.start({ netns: "/run/netns/x", backend: "portable" }),
    PestoError,
  );
  assertEquals(
    portable.message,
    `Can't enter network namespace "/run/netns/x": it takes the backend "linux", and the portable one can't`,
  );
});
