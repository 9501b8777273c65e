/**
 * Run with `--v8-flags=--expose-gc`: lets the backend that the argument names go through bad days, again and again, and
 * prints what was left over each time, how much its memory grew, and how busy it was while stuck flows stood and nothing
 * happened.
 */

import process from "node:process";
import { linuxBackend } from "../../sync/linux.ts";
import { portableBackend } from "../../sync/portable.ts";
import {
  Datagrams,
  encode,
  ending,
  endpointAt,
  freePort,
  namedDatagrams,
  namedTarget,
  openFiles,
  readSome,
  routeTo,
  settled,
  talk,
  TcpTarget,
  until,
  writeAll,
} from "./harness.ts";

const LOOPBACK = "127.0.0.1";
/** Rounds before the first look at memory, and from there to the second. */
const WARM_UP = 2;
const ROUNDS = 3;
/** Milliseconds to look at the processor's use: time for thousands of rounds of a loop that spins. */
const LOOK = 300;
const MANY = 1000;
const SOME = 100;
const FEW = 10;

const make = Deno.args[0] === "linux" ? linuxBackend : portableBackend;
await using backend = make();
await using echo = namedTarget("a");
await using udpEcho = namedDatagrams("a");
/** Closes with bytes unread, which resets. */
await using breaking = new TcpTarget(async (connection) => {
  await connection.read(new Uint8Array(1));
});
await using talking = new TcpTarget(async (connection) => {
  await writeAll(connection, new Uint8Array(100_000));
  await ending(connection);
});
let release = Promise.withResolvers<void>();
await using deaf = new TcpTarget(() => release.promise);

async function portTo(target: number): Promise<number> {
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target));
  return port;
}

const ports = {
  down: await portTo(await freePort("tcp")),
  breaking: await portTo(breaking.port),
  talking: await portTo(talking.port),
  deaf: await portTo(deaf.port),
  echo: await portTo(echo.port),
};
const udpPort = await freePort("udp");

/** A client writes until nobody takes any more; resolves to it and to the end of its writing. */
async function stuck(): Promise<{ client: Deno.TcpConn; writing: Promise<void> }> {
  const client = await Deno.connect({ hostname: LOOPBACK, port: ports.deaf });
  let written = 0;
  const writing = (async () => {
    const block = new Uint8Array(1 << 20);
    for (;;) written += await client.write(block);
  })().catch(() => {});
  await settled(() => written);
  return { client, writing };
}

const days: Readonly<Record<string, () => Promise<void>>> = {
  async "nobody listens at the target"() {
    await times(SOME, () => talk(LOOPBACK, ports.down));
  },
  async "the target resets in mid-stream"() {
    await times(SOME, () => broken(ports.breaking, (client) => writeAll(client, new Uint8Array(100_000))));
  },
  async "the client resets in mid-stream"() {
    await times(SOME, async () => {
      using client = await Deno.connect({ hostname: LOOPBACK, port: ports.talking });
      await client.read(new Uint8Array(1));
    });
  },
  async "the target never reads"() {
    const all = await times(FEW, stuck);
    for (const { client } of all) client.close();
    release.resolve();
    await Promise.all(all.map(({ writing }) => writing));
    release = Promise.withResolvers<void>();
  },
  async "all connections are closed at once"() {
    const clients = await times(MANY, () => Deno.connect({ hostname: LOOPBACK, port: ports.echo }));
    for (const client of clients) await writeAll(client, encode("1"));
    for (const client of clients) await readSome(client);
    for (const client of clients) client.close();
  },
  async "UDP peers vanish with their listener"() {
    const listener = await backend.open(endpointAt("udp", LOOPBACK, udpPort), routeTo(udpPort, udpEcho.port));
    await using peers = new AsyncDisposableStack();
    await times(SOME, async () => {
      const peer = peers.use(new Datagrams());
      peer.send("1", udpPort);
      await peer.receive();
    });
    listener.close();
  },
};

async function times<Result>(count: number, act: () => Promise<Result>): Promise<Result[]> {
  return await Promise.all(Array.from({ length: count }, act));
}

/** Talks to a port until the connection breaks. */
async function broken(port: number, act: (client: Deno.TcpConn) => Promise<void>): Promise<void> {
  try {
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    await act(client);
    while (await ending(client) === "data");
  } catch {
    // That is one way of breaking.
  }
}

/** Bytes that are reachable. */
function heap(): number {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") throw new TypeError("Can't look at memory: run this with --v8-flags=--expose-gc");
  collect();
  return Deno.memoryUsage().heapUsed;
}

const left: string[] = [];
async function liveThrough(rounds: number, files?: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [day, happens] of Object.entries(days)) {
      await happens();
      const flows = () => backend.counts.tcpFlows + backend.counts.udpFlows;
      await until("the end of all flows", () => flows() === 0).catch(() => left.push(`${flows()} flows when ${day}`));
      if (files === undefined) continue;
      await until("all files being closed", () => openFiles() <= files)
        .catch(() => left.push(`${openFiles() - files} files when ${day}`));
      if (left.length > 0) return;
    }
  }
}

await liveThrough(WARM_UP);
const files = await settled(openFiles);
const before = heap();
await liveThrough(ROUNDS, files);
const growth = heap() - before;

// Flows in every state in which they wait for something.
const waiting = await times(FEW, stuck);
const halves = await times(FEW, async () => {
  const client = await Deno.connect({ hostname: LOOPBACK, port: ports.deaf });
  await client.closeWrite();
  return client;
});
const quiet = await times(FEW, () => Deno.connect({ hostname: LOOPBACK, port: ports.echo }));
await until("the flows", () => backend.counts.tcpFlows === 3 * FEW);
const used = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, LOOK));
const { user, system } = process.cpuUsage(used);
for (const client of [...waiting.map(({ client }) => client), ...halves, ...quiet]) client.close();
release.resolve();
await Promise.all(waiting.map(({ writing }) => writing));
console.log(JSON.stringify({ left, growth, busyPart: (user + system) / 1000 / LOOK }));
