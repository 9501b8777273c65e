/**
 * This client and a released server, and a released client and this server, where the environment variables PASTA and
 * PESTO name such programs. The recordings hold what those did once; this finds out whether it is still so.
 */

import { PestoError } from "../../codec/errors.ts";
import { look } from "../../client.ts";
import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused, TestServer } from "../harness.ts";
import { pesto } from "./program.ts";

/** A test that needs a program; without it, its name says why it is skipped. */
function live(name: string, variable: string, run: (program: string) => Promise<void>): void {
  const program = Deno.env.get(variable);
  if (program !== undefined) Deno.test(name, () => run(program));
  else Deno.test.ignore(`${name} (skipped: the environment variable ${variable} names no program)`, () => {});
}

/** A released server in the foreground, with empty tables; disposing of it ends it. */
async function serving(program: string) {
  const folder = await Deno.makeTempDir({ prefix: "pesto-live-" });
  const path = `${folder}/control`;
  const none = ["-t", "-u", "-T", "-U"].flatMap((option) => [option, "none"]);
  const child = new Deno.Command(program, {
    // The command ends with its input, and the server with the command.
    args: ["--foreground", "--config-net", "-c", path, ...none, "--", "cat"],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  await listening(path, () => ended);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Resolves when somebody answers at `path`. Nothing announces it, so that there is only trying. */
async function listening(path: string, ended: () => boolean): Promise<void> {
  for (;;) {
    try {
      await look(path);
      return;
    } catch (error) {
      if (ended()) throw new Error("The released server has ended before it listened");
      if (!(error instanceof PestoError && error.code === "unreachable")) throw error;
    }
  }
}

live("pesto shows, adds and deletes rules of a released server", "PASTA", async (program) => {
  await using server = await serving(program);
  const { path } = server;
  const [port = 0] = freePorts(1);
  const empty = `(${path})\n  HOST\n  SPLICE\n`;
  assertEquals(await pesto(path), { status: 0, stdout: `passt/pasta configuration ${empty}`, stderr: "" });
  const specifier = `127.0.0.1/${port}:80`;
  assertEquals(await pesto("-s", "-A", "-t", specifier, path), {
    status: 0,
    stdout: `Previous configuration ${empty}Updated configuration (${path})\n  HOST\n` +
      `    TCP [127.0.0.1]:${port}  =>  80 \n  SPLICE\n`,
    stderr: "",
  });
  assert(!await isRefused(port));
  assertEquals(await pesto("-D", "-t", specifier, path), { status: 0, stdout: "", stderr: "" });
  assert(await isRefused(port));
});

live("pesto finds the port that a released server could not bind", "PASTA", async (program) => {
  await using server = await serving(program);
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = taken.addr;
  const { status, stderr } = await pesto("-t", `127.0.0.1/${port}:80`, server.path);
  // The server shows its descriptors to root only.
  if (Deno.uid() === 0) {
    assertEquals(status, 3);
    assertStringIncludes(stderr, `another program listens on port ${port}: `);
    assertStringIncludes(stderr, `(${Deno.pid})\n`);
  } else assertEquals({ status, stderr }, { status: 0, stderr: "" });
});

live("a released pesto shows, adds and deletes rules of pesto serve", "PESTO", async (program) => {
  await using folder = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "pesto-live-" });
  folder.defer(() => Deno.remove(directory, { recursive: true }));
  const path = `${directory}/passt`;
  await using server = await TestServer.start({ passtPath: path });
  using target = new EchoTarget("A");
  const [port = 0] = freePorts(1);
  const run = async (...args: string[]) => {
    const { code, stdout } = await new Deno.Command(program, { args: [...args, path] }).output();
    return { code, stdout: new TextDecoder().decode(stdout) };
  };
  // The released client hangs up when it has sent its table, and doesn't wait for what becomes of it.
  const until = async (count: number) => {
    while ((await server.rules()).length !== count);
  };
  const shown = await run();
  assertEquals(shown.code, 0);
  assertStringIncludes(shown.stdout, `passt/pasta configuration (${path})\n  HOST\n`);
  const specifier = `127.0.0.1/${port}:127.0.0.1/${target.port}`;
  assertEquals((await run("-A", "-t", specifier)).code, 0);
  await until(1);
  assertEquals(await firstWords(port), "A");
  assertEquals((await run("-D", "-t", specifier)).code, 0);
  await until(0);
  assert(await isRefused(port));
});
