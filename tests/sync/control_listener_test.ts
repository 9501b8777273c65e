import { setImmediate } from "node:timers";
import type { ControlConnection } from "../../sync/control_listener.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../assert.ts";
import { type ListenerKind, listeners } from "./control_listeners.ts";
import { openFiles, within } from "./harness.ts";
import { outputOf } from "./script.ts";

/** A listener in a folder of its own, with what a test needs of its clients. */
async function listening({ listen }: ListenerKind) {
  const stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "pesto-test-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const path = `${folder}/control`;
  const listener = stack.use(listen(path));
  const connections = listener[Symbol.asyncIterator]();
  return {
    path,
    listener,
    connect: () => Deno.connect({ transport: "unix", path }),
    /** The next client as the listener has it. */
    async next(): Promise<ControlConnection> {
      const { value } = await within("a client", connections.next());
      if (value === undefined) throw new Error("The listener has ended");
      return value;
    },
    /** A client, and the same as the listener has it. */
    async pair(): Promise<[Deno.Conn, ControlConnection]> {
      const client = stack.use(await this.connect());
      const connection = await this.next();
      stack.defer(() => closeAgain(connection));
      return [client, connection];
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Closes what may be closed already, which the runtime's own connections mind. */
function closeAgain(connection: ControlConnection): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** A test for listeners of each kind. */
function test(name: string, run: (kind: ListenerKind) => Promise<void>): void {
  for (const kind of listeners) Deno.test({ name: `${name} (${kind.name})`, ignore: kind.ignore, fn: () => run(kind) });
}

/** The listener that knows its clients; its tests are skipped where it doesn't work. */
const knowing = listeners.find(({ name }) => name.startsWith("linux"));
if (knowing === undefined) throw new Error("There is no such listener");

/** A test of it only. */
function testKnowing(name: string, run: (kind: ListenerKind) => Promise<void>): void {
  const { ignore } = knowing ?? { ignore: true };
  Deno.test({ name, ignore, fn: () => knowing === undefined ? undefined : run(knowing) });
}

/** Reads until the end. */
async function readAll(connection: Pick<ControlConnection, "read">): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(65536);
    const size = await connection.read(piece);
    if (size === null) break;
    pieces.push(piece.subarray(0, size));
  }
  return new Uint8Array(await new Blob(pieces.map((piece) => piece.slice())).arrayBuffer());
}

async function writeAll(connection: Pick<ControlConnection, "write">, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Bytes that differ from place to place; not a power of two, so that pieces don't look alike. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251);
}

/** More than the kernel takes in for a reader who doesn't read. */
const MUCH = 4 * 1024 * 1024;

test("ControlListener gives clients whose bytes go both ways, and end", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  await writeAll(client, pattern(1000));
  client.closeWrite();
  assertEquals(await readAll(connection), pattern(1000));
  await writeAll(connection, pattern(77));
  connection.close();
  assertEquals(await readAll(client), pattern(77));
});

test("ControlConnection.read() waits for bytes", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  const piece = new Uint8Array(10);
  const reading = connection.read(piece);
  assertEquals(await Promise.race([reading, Promise.resolve("waits")]), "waits");
  await client.write(pattern(3));
  assertEquals(await within("the read", reading), 3);
  assertEquals(piece.subarray(0, 3), pattern(3));
});

test("ControlConnection.write() waits for the reader, and what was written before close() arrives", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  const sending = writeAll(connection, pattern(MUCH)).then(() => connection.close());
  assertEquals((await within("the bytes", readAll(client))).length, MUCH);
  await sending;

  const [other, next] = await at.pair();
  await writeAll(next, pattern(50_000));
  next.close();
  assertEquals(await readAll(other), pattern(50_000));
});

test("ControlConnection.write() keeps the order of writes that wait", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  const reading = readAll(client);
  const chunk = (fill: number) => new Uint8Array(300_000).fill(fill);
  const sizes = await Promise.all([1, 2, 3, 4].map((fill) => connection.write(chunk(fill))));
  connection.close();
  const expected = sizes.flatMap((size, index) => Array<number>(size).fill(index + 1));
  assertEquals(await within("the bytes", reading), Uint8Array.from(expected));
});

test("ControlConnection fails like the runtime's own when the client has gone", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  client.close();
  assertEquals(await within("the end", connection.read(new Uint8Array(10))), null);
  await assertRejects(() => within("a failure", connection.write(pattern(3))), Deno.errors.BrokenPipe);

  const [rude, other] = await at.pair();
  await other.write(pattern(3));
  // It hangs up on bytes that it hasn't read.
  rude.close();
  await assertRejects(() => within("a failure", other.read(new Uint8Array(10))), Deno.errors.ConnectionReset);

  const [slow, blocked] = await at.pair();
  const sending = writeAll(blocked, pattern(MUCH));
  await slow.read(new Uint8Array(1000));
  slow.close();
  await assertRejects(() => within("a failure", sending), Deno.errors.BrokenPipe);
});

testKnowing("LinuxControlConnection gives others their turn, however much there is to read and write", async (kind) => {
  await using at = await listening(kind);
  const [client, connection] = await at.pair();
  await writeAll(client, pattern(1000));
  let turns = 0;
  setImmediate(() => turns++);
  for (let count = 0; count < 500; count++) await connection.read(new Uint8Array(1));
  assertEquals(turns, 1);
  setImmediate(() => turns++);
  for (let count = 0; count < 100; count++) await connection.write(new Uint8Array(1));
  assertEquals(turns, 2);
});

test("ControlConnection.close() ends what waits", async (kind) => {
  await using at = await listening(kind);
  const [, connection] = await at.pair();
  const reading = connection.read(new Uint8Array(10));
  connection.close();
  await assertRejects(() => within("an end", reading));
});

test("ControlListener lets the next client in after a flood of others", async (kind) => {
  await using at = await listening(kind);
  const [count, batch] = [1000, 100];
  for (let sent = 0; sent < count; sent += batch) {
    const clients = await Promise.all(Array.from({ length: batch }, at.connect));
    for (const client of clients) client.close();
    for (const _ of clients) (await at.next()).close();
  }
  const [client, connection] = await at.pair();
  await connection.write(pattern(5));
  assertEquals(await client.read(new Uint8Array(10)), 5);
});

test("ControlListener ends its iteration when it is closed, and hangs up on whom nobody has taken", async (kind) => {
  await using at = await listening(kind);
  const [, connection] = await at.pair();
  const waiting = at.listener[Symbol.asyncIterator]().next();
  at.listener.close();
  at.listener.close();
  assertEquals((await within("the end", waiting)).done, true);
  await connection.write(pattern(1));
  await at.listener[Symbol.asyncDispose]();
});

Deno.test(
  { name: "ControlListener holds nothing when disposed of", ignore: Deno.build.os !== "linux" },
  async (test) => {
    for (const kind of listeners) {
      await test.step({
        name: kind.name,
        ignore: kind.ignore,
        async fn() {
          const before = openFiles();
          {
            await using at = await listening(kind);
            const [client] = await at.pair();
            using _waiting = await at.connect();
            client.close();
          }
          assertEquals(openFiles(), before);
        },
      });
    }
  },
);

test("ControlListener outlasts a lack of file descriptors, says so once and doesn't spin", async ({ name }) => {
  const output = await outputOf("control_few_files.ts", { before: "ulimit -n 100" }, name);
  const { messages, busyPart, answer } = JSON.parse(output);
  assertEquals(messages, ['Can\'t let more clients in at "PATH": too many open files (EMFILE)']);
  assertLess(busyPart, 0.5);
  assertEquals(answer, "served");
});

testKnowing("listenOnLinux() says whose a connection is", async (kind) => {
  await using at = await listening(kind);
  const [, { peer }] = await at.pair();
  assertEquals(peer, { uid: Deno.uid() ?? -1, gid: Deno.gid() ?? -1, pid: Deno.pid });
  assertEquals(at.listener.ownUid, Deno.uid() ?? -1);
});

testKnowing("listenOnLinux() hangs up on clients that have come before it is closed", async (kind) => {
  await using at = await listening(kind);
  // More than are accepted at once: the rest is in the kernel's backlog.
  const clients = await Promise.all(Array.from({ length: 100 }, at.connect));
  const [first] = clients;
  (await at.next()).close();
  assertEquals(await first?.read(new Uint8Array(1)), null);
  await at.listener[Symbol.asyncDispose]();
  const ended = await Promise.allSettled(clients.slice(1).map((client) => client.read(new Uint8Array(1))));
  assert(ended.every((end) => end.status === "rejected" || end.value === null));
  for (const client of clients) client.close();
});

testKnowing("listenOnLinux() says what is wrong with a path", (kind) => {
  const listenError = (path: string) => {
    try {
      void kind.listen(path)[Symbol.asyncDispose]();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : undefined;
    }
  };
  assertEquals(listenError("/nowhere/control"), "no such file (ENOENT)");
  const long = `/tmp/${"x".repeat(103)}`;
  assertEquals(
    listenError(long),
    `Can't name a socket "${long}": it is longer than the 107 bytes that a socket's path may have`,
  );
  return Promise.resolve();
});
