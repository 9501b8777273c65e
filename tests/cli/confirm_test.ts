import type { Decision, Operator } from "../../cli/operator.ts";
import { connect } from "../../client.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { EchoTarget, firstWords, freePorts, isRefused, TestServer } from "../harness.ts";
import { type Captured, captured } from "./captured.ts";

/** A person whose decision a test takes, once the question has been asked. */
class TestOperator implements Operator {
  readonly atTerminal = true;
  /** Resolves when the person is asked, which is when the table is in force. */
  readonly asked = Promise.withResolvers<void>();
  readonly #decision = Promise.withResolvers<Decision>();

  decision(): Promise<Decision> {
    this.asked.resolve();
    return this.#decision.promise;
  }

  decide(decision: Decision): void {
    this.#decision.resolve(decision);
  }

  [Symbol.dispose](): void {}
}

/** A server without rules, and `pesto --confirm` with one rule more, as far as the question. */
async function asked(seconds: number, ...more: string[]) {
  const [server, target] = [await TestServer.start(), new EchoTarget("new")];
  const operator = new TestOperator();
  const [port = 0] = freePorts(1);
  const finished = captured(
    ["--confirm", String(seconds), ...more, "-A", "-t", `127.0.0.1/${port}:${target.port}`, server.path],
    { operator: () => operator },
  );
  await Promise.race([operator.asked.promise, finished]);
  return {
    server,
    operator,
    port,
    finished,
    path: server.path,
    async [Symbol.asyncDispose]() {
      target[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** All complaints but the question. */
function afterQuestion({ complaints }: Captured): readonly string[] {
  return complaints.filter((text) => !text.startsWith("The new table is in force, for"));
}

const ROLLED_BACK = "Rolled back: the old table is in force again";
const CONFIRMED = "Confirmed: the new table is kept";

Deno.test("pesto --confirm keeps a table that is confirmed", async () => {
  await using it = await asked(60);
  assertEquals(await firstWords(it.port), "new");
  assertEquals(it.server.server.revision, 1n);
  it.operator.decide("keep");
  const finished = await it.finished;
  assertEquals([finished.status, finished.stdout, afterQuestion(finished)], [0, "", [CONFIRMED]]);
  assertStringIncludes(
    finished.complaints[0] ?? "",
    `in force, for 60 seconds unless it is confirmed: Enter keeps it, Ctrl-C undoes it\n(elsewhere: "pesto confirm ` +
      `${it.path}", "pesto rollback ${it.path}")`,
  );
  assertEquals([it.server.server.revision, await firstWords(it.port)], [2n, "new"]);
});

Deno.test("pesto --confirm exits with 2 when the table is undone, and the old one is in force", async () => {
  await using it = await asked(60);
  it.operator.decide("undo");
  const finished = await it.finished;
  assertEquals([finished.status, afterQuestion(finished)], [2, [ROLLED_BACK]]);
  assertEquals([it.server.server.revision, await isRefused(it.port)], [1n, true]);
});

Deno.test("pesto --confirm exits with 2 when nobody confirms in time", async () => {
  await using it = await asked(1);
  const finished = await it.finished;
  assertEquals([finished.status, afterQuestion(finished)], [2, [
    "Can't keep the table: nobody confirmed it for 1 s",
    ROLLED_BACK,
  ]]);
  assert(await isRefused(it.port));
});

Deno.test("pesto confirm keeps the table that another pesto holds", async () => {
  await using it = await asked(60);
  assertEquals(await captured(["confirm", it.path]), { status: 0, stdout: "", complaints: [] });
  const finished = await it.finished;
  assertEquals([finished.status, afterQuestion(finished)], [0, [CONFIRMED]]);
  assertEquals(await firstWords(it.port), "new");
});

Deno.test("pesto rollback undoes the table that another pesto holds", async () => {
  await using it = await asked(60);
  const { status, stdout } = await captured(["rollback", "--json", it.path]);
  assertEquals([status, JSON.parse(stdout).outcome], [0, "rolled-back"]);
  const finished = await it.finished;
  assertEquals([finished.status, afterQuestion(finished).at(-1)], [2, ROLLED_BACK]);
  assert(await isRefused(it.port));
});

Deno.test("pesto confirm and pesto rollback exit with 1 where no table waits", async () => {
  await using server = await TestServer.start();
  for (const command of ["confirm", "rollback"]) {
    const { status, stdout, complaints } = await captured([command, server.path]);
    assertEquals([status, stdout, complaints.length], [1, "", 1]);
    assertMatch(complaints[0] ?? "", /^Can't .*: no applied table waits/);
  }
});

Deno.test("pesto --confirm shows failed ports before it asks, and leaves the decision to people", async () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  await using it = await asked(60, "--json", "-A", "-t", `127.0.0.1/${taken.addr.port}:1`);
  it.operator.decide("keep");
  const { status, stdout, complaints } = await it.finished;
  assertEquals([status, complaints.length], [0, 4]);
  assertStringIncludes(complaints[1] ?? "", `${taken.addr.port}   address in use (EADDRINUSE)`.replace("   ", "  "));
  assertStringIncludes(complaints[2] ?? "", "The new table is in force");
  const { outcome, failures } = JSON.parse(stdout);
  assertEquals([outcome, failures[0].ports[0].error], ["done", "EADDRINUSE"]);
});

Deno.test("pesto --confirm says that a table is held already, and exits with 4", async () => {
  await using it = await asked(60);
  const { status, complaints } = await captured(["--confirm", "60", "-C", "HOST", it.path], {
    operator: () => new TestOperator(),
  });
  assertEquals([status, complaints.length], [4, 1]);
  it.operator.decide("keep");
  assertEquals((await it.finished).status, 0);
});

Deno.test("pesto --confirm exits with 2 when the server ends before there is a decision", async () => {
  await using it = await asked(60);
  await it.server.server[Symbol.asyncDispose]();
  const finished = await it.finished;
  assertEquals([finished.status, afterQuestion(finished)], [2, [
    "Can't go on with a transaction: the server is stopping",
    ROLLED_BACK,
  ]]);
});

Deno.test("pesto --confirm rewrites the countdown where there is a terminal", async () => {
  // The countdown begins at once; that it goes on is the clock's business.
  const { settled } = await import("../../cli/confirm.ts");
  await using server = await TestServer.start();
  using session = await connect(server.path);
  await using update = await session.stage({ HOST: [] }, { holdSeconds: 60 });
  await update.apply();
  const operator = new TestOperator();
  const lines: string[] = [];
  const output = { print: () => {}, complain: () => {}, rewrite: (line: string) => lines.push(line) };
  const result = settled({ update, seconds: 60, path: server.path }, operator, output);
  await operator.asked.promise;
  operator.decide("undo");
  assertEquals([(await result).outcome, lines[0]], ["rolled-back", "60 seconds left"]);
});
