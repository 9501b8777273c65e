/** `pesto --ensure`, and what `pesto --check` shows. */

import { assertEquals } from "../assert.ts";
import { freePorts, TestServer } from "../harness.ts";
import { captured } from "./captured.ts";

/** A server with a rule, and the text of that rule and of two more. */
async function served() {
  const server = await TestServer.start();
  const ports = freePorts(3);
  const [present = "", absent = "", other = ""] = ports.map((port) => `127.0.0.1/${port}:1`);
  await captured(["-t", present, server.path]);
  const texts = ports.map((port) => `TCP [127.0.0.1]:${port}  =>  1`);
  return {
    server,
    path: server.path,
    present,
    absent,
    other,
    texts,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const QUIET = { status: 0, stdout: "", complaints: [] } as const;

Deno.test("pesto --ensure sends nothing when a rule is there already, or gone already", async () => {
  await using it = await served();
  assertEquals(await captured(["--ensure", "-A", "-t", it.present, it.path]), QUIET);
  assertEquals(await captured(["--ensure", "-D", "-t", it.absent, it.path]), QUIET);
  assertEquals(await captured(["--ensure", "-A", "-t", it.present, "-D", "-t", it.absent, it.path]), QUIET);
  assertEquals(it.server.server.revision, 2n);
  const { status, stdout } = await captured(["--json", "--ensure", "-A", "-t", it.present, it.path]);
  assertEquals([status, JSON.parse(stdout)], [0, {
    path: it.path,
    dialect: "native",
    version: 1,
    outcome: "done",
    code: "none",
    message: "Nothing to change: the rules are as they are to be",
    revision: 2,
    changes: [],
  }]);
});

Deno.test("pesto --ensure does what is left to do", async () => {
  await using it = await served();
  assertEquals(await captured(["--ensure", "-A", "-t", it.present, "-t", it.absent, it.path]), QUIET);
  assertEquals((await it.server.rules()).length, 2);
  assertEquals(await captured(["--ensure", "-D", "-t", it.present, "-t", it.other, it.path]), QUIET);
  assertEquals((await it.server.rules()).length, 1);
});

Deno.test("pesto --ensure still refuses a rule that another one is in the way of", async () => {
  await using it = await served();
  const { status } = await captured(["--ensure", "-A", "-t", `${it.present}2`, it.path]);
  assertEquals([status, it.server.server.revision], [1, 2n]);
});

Deno.test("pesto takes --ensure and --confirm only where they mean something", async () => {
  const cases: [string[], string][] = [
    [["--ensure", "-t", "80"], `Can't take "--ensure": it goes with "-A" or "-D"`],
    [["--confirm", "9"], `Can't take "--confirm": there is no change to confirm`],
    [["--confirm", "9", "--check", "-t", "80"], `Can't take "--confirm" with "--check": the tables stay as they are`],
    [["--confirm", "0", "-t", "80"], `Can't take "--confirm 0": it must be a whole number from 1 to 86400`],
  ];
  for (const [args, complaint] of cases) {
    assertEquals(await captured([...args, "/nonexistent"]), {
      status: 1,
      stdout: "",
      complaints: [complaint, 'Try "pesto --help"'],
    });
  }
  await using server = await TestServer.start();
  assertEquals((await captured(["--confirm", "3601", "-C", "HOST", server.path])).complaints, [
    `Can't take "--confirm 3601": this server holds a table for at most 3600 s`,
  ]);
});

Deno.test("pesto --check shows like a diff what would change", async () => {
  await using it = await served();
  const [present = "", absent = "", other = ""] = it.texts;
  const changed = await captured(["--check", "-t", `${it.present}2`, "-t", it.absent, it.path]);
  assertEquals([changed.status, changed.stdout], [
    0,
    `  HOST\n~ ${present}2 (was ${present})\n+ ${absent}\nWould keep 1 socket, open 1, retire 0; 0 would fail\n`,
  ]);
  const replaced = await captured(["--check", "--json", "-t", it.other, it.path]);
  const { outcome, changes } = JSON.parse(replaced.stdout);
  assertEquals([outcome, changes.length, changes[0].pif], ["done", 1, "HOST"]);
  assertEquals([changes[0].added.length, changes[0].deleted.length, changes[0].altered], [1, 1, []]);
  const { stdout } = await captured(["--check", "-t", it.other, it.path]);
  assertEquals(stdout, `  HOST\n- ${present}\n+ ${other}\nWould keep 0 sockets, open 1, retire 1; 0 would fail\n`);
});

Deno.test("pesto --check has no counts of a table that isn't valid", async () => {
  await using it = await served();
  const toItself = it.other.replace(":1", "");
  const { status, stdout } = await captured(["--check", "-A", "-t", toItself, it.path]);
  const text = (it.texts[2] ?? "").replace("=>  1", `=>  ${toItself.split("/")[1]}`);
  assertEquals([status, stdout], [1, `  HOST\n+ ${text}\n`]);
});
