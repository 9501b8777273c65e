/** `pesto --confirm` as people use it: on a terminal, from two of them, and when one goes away. */

import { connect } from "../../client.ts";
import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused } from "../harness.ts";
import { pesto, pestoInShell, Serving } from "./program.ts";
import { NO_TERMINAL, OnTerminal } from "./terminal.ts";

/** A test that needs a terminal; without one, its name says why it is skipped. */
function onTerminal(name: string, run: () => Promise<void>): void {
  if (NO_TERMINAL === undefined) Deno.test(name, run);
  else Deno.test.ignore(`${name} (skipped: ${NO_TERMINAL})`, run);
}

/** A server without rules, and a specifier of one. */
async function serving() {
  const stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const path = `${folder}/control`;
  const server = stack.use(await Serving.start(path));
  const target = stack.use(new EchoTarget("new"));
  const [port = 0] = freePorts(1);
  const add = ["-A", "-t", `127.0.0.1/${port}:${target.port}`, path];
  return { server, path, port, add, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Resolves when nothing is held at `path` any more, which the server doesn't announce to others. */
async function released(path: string): Promise<void> {
  for (;;) {
    using session = await connect(path);
    const { outcome } = await session.check({});
    if (outcome !== "busy") return;
  }
}

onTerminal("pesto --confirm keeps the table at Enter", async () => {
  await using it = await serving();
  await using terminal = new OnTerminal("--confirm", "60", ...it.add);
  await terminal.shows(/Enter keeps it, Ctrl-C undoes it.*\r60 seconds left/s);
  assertEquals(await firstWords(it.port), "new");
  await terminal.types("no\r");
  await terminal.shows(/\r59 seconds left/);
  await terminal.types("\r");
  assertEquals(await terminal.ended(), 0);
  assertStringIncludes(terminal.shown, "\r\nConfirmed: the new table is kept\r\n");
  assertEquals(await firstWords(it.port), "new");
});

onTerminal("pesto --confirm brings the old table back when nobody confirms", async () => {
  await using it = await serving();
  await using terminal = new OnTerminal("--confirm", "1", ...it.add);
  assertEquals(await terminal.ended(), 2);
  assertStringIncludes(terminal.shown, "Can't keep the table: nobody confirmed it for 1 s\r\n");
  assertStringIncludes(terminal.shown, "Rolled back: the old table is in force again\r\n");
  assert(await isRefused(it.port));
});

onTerminal("pesto --confirm brings the old table back at Ctrl-C", async () => {
  await using it = await serving();
  await using terminal = new OnTerminal("--confirm", "60", ...it.add);
  await terminal.shows(/seconds left/);
  await terminal.types("\x03");
  assertEquals(await terminal.ended(), 2);
  assertStringIncludes(terminal.shown, "Rolled back: the old table is in force again\r\n");
  assert(await isRefused(it.port));
});

onTerminal("pesto --confirm doesn't take Ctrl-D for consent", async () => {
  await using it = await serving();
  await using terminal = new OnTerminal("--confirm", "2", ...it.add);
  await terminal.shows(/seconds left/);
  await terminal.types("\x04");
  assertEquals(await terminal.ended(), 2);
  assert(await isRefused(it.port));
});

for (const signal of ["SIGTERM", "SIGHUP"] as const) {
  onTerminal(`pesto --confirm brings the old table back at ${signal}`, async () => {
    await using it = await serving();
    await using terminal = new OnTerminal("--confirm", "60", ...it.add);
    await terminal.shows(/seconds left/);
    await terminal.signal(signal);
    assertEquals(await terminal.ended(), 2);
    assert(await isRefused(it.port));
  });
}

onTerminal("pesto --confirm brings the old table back when it is killed, and when its terminal goes away", async () => {
  await using it = await serving();
  {
    await using terminal = new OnTerminal("--confirm", "60", ...it.add);
    await terminal.shows(/seconds left/);
    await terminal.signal("SIGKILL");
    await it.server.logs("Rolled back a table");
  }
  assert(await isRefused(it.port));
  {
    await using terminal = new OnTerminal("--confirm", "60", ...it.add);
    await terminal.shows(/seconds left/);
    await terminal.close();
    await it.server.logs("Rolled back a table");
  }
  await released(it.path);
  assert(await isRefused(it.port));
});

onTerminal("pesto confirm and pesto rollback decide from another terminal", async () => {
  await using it = await serving();
  await using undone = new OnTerminal("--confirm", "60", ...it.add);
  await undone.shows(/seconds left/);
  assertEquals(await pesto("rollback", it.path), { status: 0, stdout: "", stderr: "" });
  assertEquals([await undone.ended(), await isRefused(it.port)], [2, true]);
  await using kept = new OnTerminal("--confirm", "60", ...it.add);
  await kept.shows(/seconds left/);
  assertEquals(await pesto("confirm", it.path), { status: 0, stdout: "", stderr: "" });
  assertEquals([await kept.ended(), await firstWords(it.port)], [0, "new"]);
  const { status, stderr } = await pesto("confirm", it.path);
  assertEquals(status, 1);
  assertStringIncludes(stderr, "no applied table waits");
});

Deno.test("pesto --confirm asks nobody where standard input is no terminal", async () => {
  await using it = await serving();
  // Neither Enter from a pipe nor its end is consent.
  const { status, stdout, stderr } = await pestoInShell('echo | "$0" "$@"', "--confirm", "1", ...it.add);
  assertEquals([status, stdout], [2, ""]);
  assertEquals(stderr.split("\n"), [
    `The new table is in force, for 1 second unless it is confirmed: "pesto confirm ${it.path}" keeps it, ` +
    `"pesto rollback ${it.path}" undoes it`,
    "Can't keep the table: nobody confirmed it for 1 s",
    "Rolled back: the old table is in force again",
    "",
  ]);
  assert(await isRefused(it.port));
});

Deno.test("pesto names the program that has a port", async () => {
  await using it = await serving();
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const command = (await Deno.readTextFile("/proc/self/comm")).trimEnd();
  const { status, stderr } = await pesto("-A", "-t", `127.0.0.1/${taken.addr.port}:1`, it.path);
  assertEquals([status, stderr.trimEnd().split("\n").at(-1)], [
    2,
    `HOST  TCP [127.0.0.1]:${taken.addr.port}  =>  1  ${taken.addr.port}  address in use (EADDRINUSE)  ` +
    `${command} (${Deno.pid})`,
  ]);
});
