/**
 * What every backend must do with TCP connections.
 *
 * @module
 */

import { CAPABILITY } from "../../codec/constants.ts";
import { assertEquals, assertGreater, assertLess } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import {
  canReset,
  encode,
  ending,
  endingAt,
  endpointAt,
  freePort,
  listeningInode,
  namedTarget,
  readAll,
  readSome,
  resettingTarget,
  routeTo,
  settled,
  talk,
  TcpTarget,
  until,
  within,
  writeAll,
} from "./harness.ts";

const LOOPBACK = "127.0.0.1";

/** Registers the tests. */
export function tcpConformance({ make, capabilities, test }: Subject): void {
  test("open() relays bytes both ways", async () => {
    await using target = namedTarget("a");
    await using backend = make();
    const port = await freePort("tcp");
    const listener = await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    assertEquals(listener.endpoint, endpointAt("tcp", LOOPBACK, port));
    assertEquals(await talk(LOOPBACK, port, "one"), "a:one");
    assertEquals(await talk(LOOPBACK, port, "two"), "a:two");
    assertEquals(backend.counts.listeners, 1);
  });

  test("open() passes the client's half-close on and still relays the answer", async () => {
    await using target = new TcpTarget(async (connection) => {
      const question = await readAll(connection);
      await writeAll(connection, encode(`got ${question}`));
      await connection.closeWrite();
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(client, encode("question"));
    await client.closeWrite();
    assertEquals(await readAll(client), "got question");
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
  });

  test("open() passes the target's half-close on and still relays what the client sends", async () => {
    const received = Promise.withResolvers<string>();
    await using target = new TcpTarget(async (connection) => {
      await writeAll(connection, encode("bye"));
      await connection.closeWrite();
      received.resolve(await readAll(connection));
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    assertEquals(await readAll(client), "bye");
    await writeAll(client, encode("a last word"));
    await client.closeWrite();
    assertEquals(await within("the last word", received.promise), "a last word");
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
  });

  const onReset = capabilities & CAPABILITY.RESET ? "reset" : "end";

  test(`open() answers with ${onReset} when the target refuses`, async () => {
    await using backend = make();
    const [port, nobody] = [await freePort("tcp"), await freePort("tcp")];
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, nobody));
    assertEquals(await endingAt(port), onReset);
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
  });

  test(
    `open() answers with ${onReset} when the target doesn't answer within the connect timeout, on Linux`,
    async () => {
      // A backlog of one holds two connections; to a third one Linux says nothing.
      using silent = Deno.listen({ hostname: LOOPBACK, port: 0, tcpBacklog: 1 });
      using _first = await Deno.connect({ hostname: LOOPBACK, port: silent.addr.port });
      using _second = await Deno.connect({ hostname: LOOPBACK, port: silent.addr.port });
      await using backend = make({ connectTimeout: 100 });
      const port = await freePort("tcp");
      await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, silent.addr.port));
      using client = await Deno.connect({ hostname: LOOPBACK, port });
      await until("the connection attempt", () => backend.counts.tcpFlows === 1);
      assertEquals(await ending(client), onReset);
      await until("the end of the flow", () => backend.counts.tcpFlows === 0);
    },
    { possible: Deno.build.os === "linux" },
  );

  test("open() stops reading from the client while the target doesn't read", async () => {
    const total = 256 * 1024 * 1024;
    const go = Promise.withResolvers<void>();
    const got = Promise.withResolvers<number>();
    await using target = new TcpTarget(async (connection) => {
      await go.promise;
      const buffer = new Uint8Array(262144);
      let sum = 0;
      for (let length; (length = await connection.read(buffer)) !== null;) sum += length;
      got.resolve(sum);
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    const block = new Uint8Array(262144);
    let written = 0;
    const before = Deno.memoryUsage().rss;
    const writing = (async () => {
      while (written < total) written += await client.write(block);
      await client.closeWrite();
    })();
    await until("the first write", () => written > 0);
    // The kernel's buffers of both connections hold some 10 to 40 MB.
    assertLess(await settled(() => written), total / 2);
    assertLess(Deno.memoryUsage().rss - before, 16 * 1024 * 1024);
    go.resolve();
    await within("the rest", writing);
    assertGreater(await within("the rest at the target", got.promise), total - 1);
  });

  test("open() ends the client's connection when the target breaks it in mid-stream", async () => {
    await using target = new TcpTarget(async (connection) => {
      // Closed with bytes unread: an end of stream, and then a reset for whoever writes on.
      await connection.read(new Uint8Array(1));
      await writeAll(connection, encode("!"));
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    {
      using client = await Deno.connect({ hostname: LOOPBACK, port });
      await writeAll(client, new Uint8Array(100_000));
      await assertBroken(client);
    }
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
    assertEquals(target.accepted, 1);
  });

  test(`open() passes a reset of the target on as ${onReset}, where the runtime can send one`, async () => {
    await using target = await resettingTarget();
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(client, encode("reset me"));
    assertEquals(await ending(client), onReset);
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
  }, { possible: canReset });

  test("open() ends the target's connection when the client breaks it in mid-stream", async () => {
    const broken = Promise.withResolvers<void>();
    await using target = new TcpTarget(async (connection) => {
      await writeAll(connection, new Uint8Array(100_000));
      await assertBroken(connection);
      broken.resolve();
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    {
      using client = await Deno.connect({ hostname: LOOPBACK, port });
      await client.read(new Uint8Array(1));
    }
    await within("the end of the target's connection", broken.promise);
    await until("the end of the flow", () => backend.counts.tcpFlows === 0);
  });

  test("open() lets connections wait at the limit and says so once", async () => {
    const messages: string[] = [];
    await using target = namedTarget("a");
    await using backend = make({ maxConnections: 2, log: (message) => messages.push(message) });
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using first = await Deno.connect({ hostname: LOOPBACK, port });
    using second = await Deno.connect({ hostname: LOOPBACK, port });
    using third = await Deno.connect({ hostname: LOOPBACK, port });
    using fourth = await Deno.connect({ hostname: LOOPBACK, port });
    for (const client of [third, fourth]) await writeAll(client, encode("waited"));
    for (const client of [first, second, first, second]) {
      await writeAll(client, encode("go"));
      assertEquals(await readSome(client), "a:go");
    }
    assertEquals([backend.counts.tcpFlows, target.accepted], [2, 2]);
    await until("the message", () => messages.length > 0);
    first.close();
    assertEquals(await readSome(third), "a:waited");
    assertEquals([backend.counts.tcpFlows, messages.length], [2, 1]);
    second.close();
    assertEquals(await readSome(fourth), "a:waited");
  });

  test("Listener.parked refuses new connections, keeps the port and the established ones", async () => {
    await using target = namedTarget("a");
    await using backend = make();
    const port = await freePort("tcp");
    const listener = await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    const { socketId } = listener;
    using before = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(before, encode("1"));
    assertEquals(await readSome(before), "a:1");
    listener.parked = true;
    assertEquals(await talk(LOOPBACK, port), undefined);
    assertEquals(target.accepted, 1);
    assertEquals(portTaken(port), true);
    await writeAll(before, encode("2"));
    assertEquals(await readSome(before), "a:2");
    listener.parked = false;
    assertEquals(await talk(LOOPBACK, port), "a:hello");
    assertEquals(listener.socketId, socketId);
  });

  test("Listener.parked answers with a reset", async () => {
    await using backend = make();
    const port = await freePort("tcp");
    const listener = await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, port));
    listener.parked = true;
    assertEquals(await endingAt(port), "reset");
  }, { needs: ["RESET"] });

  test("Listener.route sends new connections elsewhere on the same socket and leaves the established ones", async () => {
    await using oldTarget = namedTarget("old");
    await using newTarget = namedTarget("new");
    await using backend = make();
    const port = await freePort("tcp");
    const listener = await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, oldTarget.port));
    const { socketId } = listener;
    const inode = Deno.build.os === "linux" ? listeningInode(port) : undefined;
    using before = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(before, encode("1"));
    assertEquals(await readSome(before), "old:1");
    listener.route = routeTo(port, newTarget.port);
    assertEquals(await talk(LOOPBACK, port), "new:hello");
    await writeAll(before, encode("2"));
    assertEquals(await readSome(before), "old:2");
    assertEquals(listener.socketId, socketId);
    if (Deno.build.os === "linux") assertEquals(listeningInode(port), inode);
  });

  test("Listener.close() frees the port at once and leaves the established connections", async () => {
    await using oldTarget = namedTarget("old");
    await using newTarget = namedTarget("new");
    await using backend = make();
    const port = await freePort("tcp");
    const endpoint = endpointAt("tcp", LOOPBACK, port);
    const first = await backend.open(endpoint, routeTo(port, oldTarget.port));
    using before = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(before, encode("1"));
    assertEquals(await readSome(before), "old:1");
    first.close();
    assertEquals(backend.counts.listeners, 0);
    const second = await backend.open(endpoint, routeTo(port, newTarget.port));
    first.close();
    assertEquals(second.socketId === first.socketId, false);
    assertEquals(await talk(LOOPBACK, port), "new:hello");
    await writeAll(before, encode("2"));
    assertEquals(await readSome(before), "old:2");
    second.close();
    await until("the port being free", () => !portTaken(port));
    assertEquals(await talk(LOOPBACK, port), undefined);
  });

  test("dispose ends flows, also those still being connected", async () => {
    await using target = namedTarget("a");
    using silent = Deno.listen({ hostname: LOOPBACK, port: 0, tcpBacklog: 1 });
    using _first = await Deno.connect({ hostname: LOOPBACK, port: silent.addr.port });
    using _second = await Deno.connect({ hostname: LOOPBACK, port: silent.addr.port });
    const backend = make();
    const port = await freePort("tcp");
    const listener = await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using relayed = await Deno.connect({ hostname: LOOPBACK, port });
    await writeAll(relayed, encode("1"));
    assertEquals(await readSome(relayed), "a:1");
    listener.route = routeTo(port, silent.addr.port);
    using connecting = await Deno.connect({ hostname: LOOPBACK, port });
    await until("both flows", () => backend.counts.tcpFlows === 2);
    await within("the disposal", Promise.resolve(backend[Symbol.asyncDispose]()));
    assertEquals(backend.counts, { listeners: 0, tcpFlows: 0, udpFlows: 0 });
    await assertBroken(relayed);
    await assertBroken(connecting);
  });
}

async function assertBroken(connection: Deno.TcpConn): Promise<void> {
  let how = await ending(connection);
  while (how === "data") how = await ending(connection);
}

function portTaken(port: number): boolean {
  try {
    Deno.listen({ hostname: LOOPBACK, port }).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return true;
    throw error;
  }
}
