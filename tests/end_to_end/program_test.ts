import { COMPLETIONS_HELP, HELP, PROGRAM_VERSION, SERVE_HELP, SETTLE_HELP } from "../../cli/help.ts";
import { connect } from "../../client.ts";
import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { freeRow } from "../free_port.ts";
import { EchoTarget, firstWords, freePorts, isRefused } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { pesto, pestoInShell, Serving } from "./program.ts";

/** A folder, a target, free ports, and a server with one rule. */
async function forwarding(ports: number, ...options: string[]) {
  const stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const path = `${folder}/control`;
  const target = stack.use(new EchoTarget("A"));
  const [port = 0, ...free] = freePorts(ports + 1);
  const specifier = `127.0.0.1/${port}:${target.port}`;
  const serving = stack.use(await Serving.start(...options, "-t", specifier, path));
  return { folder, path, target, port, free, serving, specifier, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("pesto shows, adds and deletes rules, and the ports open and close with them", async () => {
  await using it = await forwarding(1);
  const [port] = it.free;
  assertEquals(await firstWords(it.port), "A");
  const line = (port: number | undefined) => `    TCP [127.0.0.1]:${port}  =>  ${it.target.port} \n`;
  assertEquals(await pesto(it.path), {
    status: 0,
    stdout: `pesto configuration (${it.path})\n  HOST\n${line(it.port)}`,
    stderr: "",
  });
  assertEquals(await pesto("-A", "-t", `127.0.0.1/${port}:${it.target.port}`, it.path), {
    status: 0,
    stdout: "",
    stderr: "",
  });
  assertEquals(await firstWords(port ?? 0), "A");
  const deleted = await pesto("-s", "-D", "-t", it.specifier, it.path);
  assertEquals(
    deleted.stdout,
    `Previous configuration (${it.path})\n  HOST\n${line(it.port)}${line(port)}` +
      `Updated configuration (${it.path})\n  HOST\n${line(port)}`,
  );
  assert(await isRefused(it.port));
  assertEquals((await pesto("-C", "HOST", it.path)).status, 0);
  assert(await isRefused(port ?? 0));
});

Deno.test("pesto replaces the table with the first specifier", async () => {
  await using it = await forwarding(2);
  const [first = 0, second = 0] = it.free;
  const { status } = await pesto(
    ...["-t", `127.0.0.1/${first}:${it.target.port}`, `-t127.0.0.1/${second}:${it.target.port}`, it.path],
  );
  assertEquals(status, 0);
  assertEquals([await firstWords(first), await firstWords(second), await isRefused(it.port)], ["A", "A", true]);
});

Deno.test("pesto --json prints listings and results for programs", async () => {
  await using it = await forwarding(1);
  const listing = JSON.parse((await pesto("--json", it.path)).stdout);
  assertEquals([listing.revision, listing.pifs[0].name, listing.pifs[0].rules[0].firstPort], [1, "HOST", it.port]);
  assert(listing.pifs[0].capabilities.includes("tcp"));
  const result = JSON.parse((await pesto("--json", "-A", "-t", `127.0.0.1/${it.free[0]}:1`, it.path)).stdout);
  assertEquals([result.outcome, result.revision, result.kept, result.opened], ["done", 2, 1, 1]);
});

Deno.test("pesto --check says what would happen and lets nothing happen", async () => {
  await using it = await forwarding(1);
  const [port = 0] = it.free;
  const rule = (port: number, target: number) => `TCP [127.0.0.1]:${port}  =>  ${target}`;
  assertEquals(await pesto("--check", "-t", `127.0.0.1/${port}:80`, it.path), {
    status: 0,
    stdout: `  HOST\n- ${rule(it.port, it.target.port)}\n+ ${rule(port, 80)}\n` +
      "Would keep 0 sockets, open 1, retire 1; 0 would fail\n",
    stderr: "",
  });
  using taken = new EchoTarget("taken");
  const bad = await pesto("--check", "-A", "-t", `127.0.0.1/${taken.port}:80`, it.path);
  assertEquals([bad.status, bad.stdout], [
    1,
    `  HOST\n+ ${rule(taken.port, 80)}\nWould keep 1 socket, open 0, retire 0; 1 would fail\n`,
  ]);
  assertStringIncludes(
    bad.stderr,
    `Can't listen on TCP [127.0.0.1]:${taken.port}: address in use (EADDRINUSE)`,
  );
  assert(await isRefused(port));
});

Deno.test("pesto exits with 2 when a port is taken, and the old table is in force", async () => {
  await using it = await forwarding(0);
  using taken = new EchoTarget("taken");
  const { status, stderr } = await pesto("-t", `127.0.0.1/${taken.port}:80`, it.path);
  assertEquals(status, 2);
  assertEquals(stderr.split("\n").slice(0, 2), [
    `Can't listen on TCP [127.0.0.1]:${taken.port}: address in use (EADDRINUSE)`,
    "Nothing changed: the old table is in force",
  ]);
  assertEquals(await firstWords(it.port), "A");
});

Deno.test("pesto lists which ports of a rule another process has, whenever it is asked, and what is no longer so", async () => {
  await using it = await forwarding(0);
  const first = freeRow(3);
  const [taken, last] = [first + 1, first + 2];
  const other = Deno.listen({ hostname: "127.0.0.1", port: taken });
  using session = await connect(it.path);
  const weak = tcpRule(first, it.target.port, { lastPort: last, weak: true });
  await session.update({ HOST: [...session.pifs[0]?.rules ?? [], weak] });
  // The process that holds the port is the one that runs this test.
  const holder = { pid: Deno.pid, command: (await Deno.readTextFile("/proc/self/comm")).trimEnd() };
  const held = `address in use (EADDRINUSE), held by ${holder.command} (${holder.pid})`;
  for (let times = 0; times < 2; times++) {
    const { status, stdout, stderr } = await pesto(it.path);
    assertEquals([status, stderr], [0, ""]);
    assertStringIncludes(stdout, ` (1 port without a socket: ${taken}: ${held})\n`);
  }
  const [host] = JSON.parse((await pesto("--json", it.path)).stdout).pifs;
  assertEquals([host.rules[1].status, host.rules[1].failedPorts], ["partial", 1]);
  const row = { first: taken, last: taken, errno: 98, error: "EADDRINUSE", holders: [holder] };
  assertEquals(host.failures, [{ pif: "HOST", rule: 1, ports: [row] }]);

  other.close();
  const again = await pesto("-s", "-A", "--json", "-t", `127.0.0.1/${freePorts(1)[0]}:${it.target.port}`, it.path);
  const { before, after } = JSON.parse(again.stdout);
  assertEquals(before[0].failures.map(({ rule }: { rule: number }) => rule), [1]);
  assertEquals([after[0].rules[1].status, after[0].failures], ["bound", []]);
  assert(!(await pesto(it.path)).stdout.includes("without a socket"));
});

Deno.test("pesto and pesto serve exit with 1 and a sentence when they are called wrongly", async (test) => {
  await using it = await forwarding(0);
  const cases: [string[], string][] = [
    [[], "Can't go on: the PATH of a control socket must be given"],
    [["--nope", it.path], `Can't take "--nope": there is no such option`],
    [["-t"], `Can't take "-t": SPEC must follow`],
    [[it.path, "extra"], `Can't take "extra": PATH is already "${it.path}"`],
    [["/nonexistent/control"], `Can't connect to the control socket "/nonexistent/control": there is no such file`],
    [["-t", "70000", it.path], `Can't read specifier "70000"`],
    [["-C", "NOPE", it.path], `Can't edit pif "NOPE": the server has "HOST"`],
    [["-D", "-t", "127.0.0.1/9:9", it.path], "Can't delete TCP [127.0.0.1]:9  =>  9: there is no such rule"],
    [["-A", "-t", it.specifier, it.path], "conflict"],
    [["--check", "-s", "-t", "1", it.path], `Can't take "--show" with "--check": the tables stay as they are`],
    [["--check", it.path], `Can't take "--check": there is no change to check`],
    [[""], "Can't go on: the PATH of a control socket must be given"],
    [["confirm"], 'Can\'t go on: the PATH of a control socket must be given\nTry "pesto confirm --help"\n'],
    [["rollback", "--nope", it.path], `Can't take "--nope": there is no such option`],
    [["serve"], 'Can\'t serve: the PATH of a control socket must be given\nTry "pesto serve --help"\n'],
    [["serve", "--target", "nonsense", `${it.folder}/x`], `Can't read address "nonsense"`],
    [["serve", "--pif", "X", `${it.folder}/x`], `Can't take "--pif X": it must be NAME=ADDRESS`],
    [["serve", "--ready-fd", "2", `${it.folder}/x`], 'Can\'t take "--ready-fd 2": it must be a whole number from 3 to'],
    [
      ["serve", "--allow-uid", "x", `${it.folder}/x`],
      'Can\'t take "--allow-uid x": it must be a whole number from 0 to',
    ],
    [
      ["serve", "--allow-uid", "1000", "--backend", "portable", `${it.folder}/x`],
      `Can't tell the users of clients apart: it takes the backend "linux"`,
    ],
    [["serve", "--passt", "x", "x"], `Can't take "--passt x": PATH is already "x", they must be two`],
    [["serve", it.path], `Can't make the control socket "${it.path}": another server listens there`],
    [["serve", "-t", it.specifier, `${it.folder}/x`], "address in use (EADDRINUSE)"],
    [["serve", "-t", "127.0.0.1/8080", `${it.folder}/x`], "itself"],
  ];
  for (const [args, words] of cases) {
    await test.step(`pesto ${args.join(" ")}`, async () => {
      const { status, stdout, stderr } = await pesto(...args);
      assertStringIncludes(stderr, words);
      assertEquals([status, stdout], [1, ""]);
      assert(!stderr.includes("    at "), `a stack trace: ${stderr}`);
    });
  }
  assertEquals(await firstWords(it.port), "A");
});

Deno.test("pesto says that its output can't be written, and an update that went well stays one", async () => {
  await using it = await forwarding(1);
  const complaint = "Can't write the output: no space left (ENOSPC)\n";
  assertEquals(await pestoInShell('"$0" "$@" > /dev/full', it.path), { status: 1, stdout: "", stderr: complaint });
  const update = ["-s", "-A", "-t", `127.0.0.1/${it.free[0]}:${it.target.port}`, it.path];
  assertEquals(await pestoInShell('"$0" "$@" > /dev/full', ...update), { status: 0, stdout: "", stderr: complaint });
  assertEquals(await firstWords(it.free[0] ?? 0), "A");
});

Deno.test("pesto ends quietly when its output is no longer read", async () => {
  await using it = await forwarding(0);
  // The reader is gone long before the program has started.
  const { stdout, stderr } = await pestoInShell(`{ "$0" "$@"; echo "status $?" >&2; } | :`, it.path);
  assertEquals([stdout, stderr], ["", "status 0\n"]);
});

Deno.test("pesto serve --passt makes one more control socket, where passt's protocol is spoken", async () => {
  await using other = await forwarding(0);
  const passt = `${other.folder}/passt`;
  await using it = await forwarding(1, "--passt", passt);
  assertEquals(await pesto("-A", "-t", `127.0.0.1/${it.free[0]}:${it.target.port}`, passt), {
    status: 0,
    stdout: "",
    stderr: "",
  });
  assertEquals(await firstWords(it.free[0] ?? 0), "A");
  assertStringIncludes((await pesto(passt)).stdout, `passt/pasta configuration (${passt})\n  HOST\n`);
  it.serving.signal("SIGTERM");
  assertEquals(await it.serving.ended(), 0);
  assertEquals([...Deno.readDirSync(other.folder)].map(({ name }) => name), ["control"]);
});

Deno.test("pesto --help and --version print and do nothing", async () => {
  assertEquals(await pesto("--help"), { status: 0, stdout: HELP, stderr: "" });
  assertEquals(await pesto("serve", "-h"), { status: 0, stdout: SERVE_HELP, stderr: "" });
  for (const command of ["confirm", "rollback"]) {
    assertEquals(await pesto(command, "--help"), { status: 0, stdout: SETTLE_HELP, stderr: "" });
  }
  assertEquals(await pesto("completions", "--help"), { status: 0, stdout: COMPLETIONS_HELP, stderr: "" });
  assertEquals(await pesto("--version"), { status: 0, stdout: `pesto ${PROGRAM_VERSION}\n`, stderr: "" });
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`pesto serve ends cleanly on ${signal}`, async () => {
    await using it = await forwarding(0);
    using _flow = await Deno.connect({ port: it.port, hostname: "127.0.0.1" });
    it.serving.signal(signal);
    assertEquals(await it.serving.ended(), 0);
    assertEquals([...Deno.readDirSync(it.folder)].length, 0);
    assert(await isRefused(it.port));
  });
}

Deno.test("pesto serve goes on when its terminal goes away", async () => {
  await using it = await forwarding(0);
  it.serving.signal("SIGHUP");
  assertEquals((await pesto(it.path)).status, 0);
  assertEquals(await firstWords(it.port), "A");
});

Deno.test("pesto serve replaces the control socket of a server that was killed", async () => {
  await using it = await forwarding(1);
  it.serving.signal("SIGKILL");
  await it.serving.ended();
  assertEquals([...Deno.readDirSync(it.folder)].length, 1);
  await using _next = await Serving.start(it.path);
  assertEquals((await pesto(it.path)).stdout, `pesto configuration (${it.path})\n  HOST\n`);
});
