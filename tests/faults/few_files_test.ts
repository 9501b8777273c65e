/**
 * More ports than there may be open files: what doesn't fit is reported, port by port and in little space, and the server
 * goes on serving the others, and whoever comes to its control socket.
 *
 * @module
 */

import { connect, look } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals } from "../assert.ts";
import { EchoTarget } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { within } from "../sync/harness.ts";
import { BACKENDS } from "./scene.ts";

/** Open files that the server may have, and the ports that it is asked for: many times as many. */
const FILES = 400;
const PORTS = 5000;
const FIRST = 20_000;
/** An address of its own, so that no port is taken. */
const ADDRESS = "127.88.0.1";
/** Linux's EMFILE. */
const TOO_MANY_FILES = 24;
const CLIENTS = 20;

Deno.test({
  name: `serve() reports which of ${PORTS} weak ports don't fit into ${FILES} files, and serves the others`,
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    for (const backend of BACKENDS) await test.step(backend, () => fill(backend));
  },
});

async function fill(backend: (typeof BACKENDS)[number]): Promise<void> {
  using target = new EchoTarget("A");
  const directory = await Deno.makeTempDir({ prefix: "pesto-test-" });
  const path = `${directory}/control`;
  const server = start(backend, path);
  const input = server.stdin.getWriter();
  const output = server.stdout.getReader();
  try {
    await within("the start", output.read());
    const wide = tcpRule(FIRST, FIRST, { address: ADDRESS, lastPort: FIRST + PORTS - 1, weak: true });
    const first = tcpRule(FIRST - 1, target.port, { address: ADDRESS });
    // Nothing is left for this one, which is no fault of the table's either.
    const last = tcpRule(FIRST + PORTS, 1, { address: ADDRESS, weak: true });
    const result = await updated(path, [first, wide, last]);
    const opened = PORTS + 2 - result.failed;
    assert(opened > FILES / 4 && opened < FILES, `${opened} were opened`);
    assertEquals([result.outcome, result.opened], ["done", opened]);
    assertEquals(result.failures, [{
      ...{ pif: "HOST", rule: 1 },
      ports: [{ first: FIRST + opened - 1, last: FIRST + PORTS - 1, errno: TOO_MANY_FILES }],
    }, {
      ...{ pif: "HOST", rule: 2 },
      ports: [{ first: FIRST + PORTS, last: FIRST + PORTS, errno: TOO_MANY_FILES }],
    }]);
    // Everybody is listened to, and shown the same.
    for (const { pifs } of await Promise.all(Array.from({ length: CLIENTS }, () => look(path)))) {
      assertEquals(pifs[0]?.rules.map(({ status, failedPorts }) => [status, failedPorts]), [
        ["bound", 0],
        ["partial", result.failed - 1],
        ["failed", 1],
      ]);
    }
    assertEquals(await firstWordsAt(FIRST - 1), "A");
    // What is given up makes room for what did not fit.
    const less = { ...wide, firstPort: FIRST + 100, targetPort: FIRST + 100 };
    assertEquals((await updated(path, [first, less])).failed, result.failed - 1);
    assertEquals((await updated(path, [first, less])).failed, result.failed - 101);
    assertEquals((await updated(path, [])).failed, 0);
    await input.close();
    assertEquals((await within("the end", server.status)).success, true);
  } finally {
    await output.cancel();
    end(server);
    await Deno.remove(directory, { recursive: true });
  }
}

function start(backend: string, path: string): Deno.ChildProcess {
  const script = new URL("few_files_server.ts", import.meta.url).pathname;
  return new Deno.Command("sh", {
    args: ["-c", `ulimit -n ${FILES} && exec "$0" run -A --no-check "$@"`, Deno.execPath(), script, backend, path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

function end(server: Deno.ChildProcess): void {
  try {
    server.kill();
  } catch (error) {
    // It has ended by itself, as it should.
    if (!(error instanceof TypeError)) throw error;
  }
}

async function updated(path: string, rules: readonly Rule[]) {
  using session = await connect(path);
  return await session.update({ HOST: rules });
}

async function firstWordsAt(port: number): Promise<string> {
  using connection = await Deno.connect({ port, hostname: ADDRESS });
  const buffer = new Uint8Array(8);
  const size = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, size ?? 0));
}
