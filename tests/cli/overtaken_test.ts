/** What becomes of an update when another client comes first. */

import { connect } from "../../client.ts";
import { assertEquals, assertStringIncludes } from "../assert.ts";
import { freePorts, TestServer } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { captured } from "./captured.ts";
import { Overtaker } from "./overtaker.ts";

/** A server on whose table another client puts one rule each time that an update comes; `port` is one for the test. */
async function overtaken(times: number) {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await TestServer.start());
  const [port = 0, ...theirs] = freePorts(times + 1);
  const overtake = async (time: number) => {
    using session = await connect(server.path);
    await session.update({ HOST: [...await server.rules(), tcpRule(theirs[time - 1] ?? 0, 1)] });
  };
  const front = stack.use(new Overtaker(server.path, times, overtake));
  const ports = async () => (await server.rules()).map(({ firstPort }) => firstPort);
  return { server, path: front.path, port, theirs, ports, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("pesto -A does its edit again when another client has changed the table", async () => {
  await using it = await overtaken(4);
  const { status, stdout, complaints } = await captured(["-A", "-t", `127.0.0.1/${it.port}:1`, it.path]);
  assertEquals({ status, stdout, complaints }, { status: 0, stdout: "", complaints: [] });
  assertEquals(await it.ports(), [...it.theirs, it.port]);
});

Deno.test("pesto -A gives up after five times, and exits with 4", async () => {
  await using it = await overtaken(5);
  const { status, stdout, complaints } = await captured(["--json", "-A", "-t", `127.0.0.1/${it.port}:1`, it.path]);
  assertEquals([status, JSON.parse(stdout).outcome], [4, "stale"]);
  assertEquals(complaints, [
    "Can't update the table: it was edited from revision 5, and revision 6 is in force",
    "Gave up: other clients have changed the table 5 times",
  ]);
  assertEquals(await it.ports(), it.theirs);
});

Deno.test("pesto --confirm -A does its edit again, too", async () => {
  await using it = await overtaken(1);
  const operator = () => ({
    atTerminal: true,
    decision: () => Promise.resolve("keep" as const),
    [Symbol.dispose]() {},
  });
  const { status } = await captured(["--confirm", "60", "-A", "-t", `127.0.0.1/${it.port}:1`, it.path], { operator });
  assertEquals([status, await it.ports()], [0, [...it.theirs, it.port]]);
});

Deno.test("pesto puts no whole table in the place of another client's, and says why", async () => {
  await using it = await overtaken(2);
  for (const args of [["-t", `127.0.0.1/${it.port}:1`], ["-C", "HOST"]]) {
    const { status, complaints } = await captured([...args, it.path]);
    assertEquals([status, complaints.length], [4, 2]);
    assertStringIncludes(complaints[0] ?? "", "Can't update the table: it was edited from revision");
    assertEquals(complaints[1], "Not done again: a whole table would undo what the other client has changed");
  }
  assertEquals(await it.ports(), it.theirs);
});

Deno.test("pesto -A refuses on the new table what it would have refused at first", async () => {
  await using it = await overtaken(1);
  const { status, complaints } = await captured(["-A", "-t", `127.0.0.1/${it.theirs[0]}:2`, it.path]);
  assertEquals(status, 1);
  assertStringIncludes(complaints[0] ?? "", "it conflicts with");
});

Deno.test("pesto exits with 4 and a sentence while another client's table waits to be confirmed", async () => {
  await using server = await TestServer.start();
  using session = await connect(server.path);
  await using update = await session.stage({ HOST: [] });
  await update.apply();
  const { status, complaints } = await captured(["-C", "HOST", server.path]);
  assertEquals([status, complaints.length], [4, 1]);
  assertStringIncludes(complaints[0] ?? "", "Can't update the table: another one is applied and not yet committed");
});
