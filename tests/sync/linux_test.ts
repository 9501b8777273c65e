import { CAPABILITY } from "../../codec/constants.ts";
import { PestoError } from "../../codec/errors.ts";
import { BindError } from "../../sync/backend.ts";
import { C, openLibc } from "../../sync/linux/libc.ts";
import { socketAddress } from "../../sync/linux/socket_address.ts";
import { Slices } from "../../sync/slices.ts";
import { linuxAvailable, linuxBackend } from "../../sync/linux.ts";
import { assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "../assert.ts";
import { backendConformance } from "./backend_conformance.ts";
import {
  canReset,
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
  TcpTarget,
  until,
  within,
  writeAll,
} from "./harness.ts";
import { outputOf } from "./script.ts";

const LOOPBACK = "127.0.0.1";
const available = linuxAvailable();
const MIB = 1024 * 1024;

if (available.kind === "available") await backendConformance(linuxBackend);

/** A test of what only this backend has. */
function test(name: string, fn: () => void | Promise<void>): void {
  const ignore = available.kind === "unavailable";
  Deno.test({ name: ignore ? `${name} (${available.reason})` : name, ignore, fn });
}

test("linuxBackend() can do all that backends can, but for scanning", async () => {
  await using backend = linuxBackend();
  const all = Object.values(CAPABILITY).reduce((sum: number, bit) => sum | bit, 0);
  const without = CAPABILITY.SCAN | CAPABILITY.IPV6;
  assertEquals(backend.capabilities & ~CAPABILITY.IPV6, all & ~without);
  assertEquals(backend.name, "linux");
});

test("linuxBackend() refuses bounds that aren't positive", () => {
  for (const name of ["maxConnections", "maxUdpFlows", "udpIdle", "connectTimeout"] as const) {
    for (const value of [0, -1, NaN]) {
      assertThrows(
        () => linuxBackend({ [name]: value }),
        RangeError,
        `Can't take "${value}" as ${name}: it must be a positive number`,
      );
    }
  }
});

test("linuxBackend() relays between the steps of long work, before the event loop has a turn", async () => {
  await using target = namedTarget("a");
  await using backend = linuxBackend();
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
  using libc = openLibc();
  const client = libc.call.socket(C.AF_INET, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0);
  const { bytes } = socketAddress(LOOPBACK, port);
  assertEquals(libc.call.connect(client, bytes, bytes.length), 0);
  const slices = new Slices();
  while (!slices.over());
  assertEquals(backend.counts, { listeners: 1, tcpFlows: 1, udpFlows: 0 });
  libc.call.close(client);
});

test("linuxBackend() refuses to listen when disposed of", async () => {
  const backend = linuxBackend();
  await backend[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
  await assertRejects(
    async () => await backend.open(endpointAt("tcp", LOOPBACK, 8080), routeTo(8080, 80)),
    PestoError,
    "Can't listen on TCP [127.0.0.1]:8080: the backend is disposed of",
  );
});

test("linuxBackend() listens on an interface, and says that one isn't there", async () => {
  await using tcpTarget = namedTarget("a");
  await using udpTarget = namedDatagrams("a");
  await using peer = namedDatagrams("peer");
  await using backend = linuxBackend();
  for (
    const { protocol, target } of [{ protocol: "tcp", target: tcpTarget }, {
      protocol: "udp",
      target: udpTarget,
    }] as const
  ) {
    const port = await freePort(protocol);
    const endpoint = { ...endpointAt(protocol, "0.0.0.0", port), interface: "lo" };
    const listener = await backend.open(endpoint, routeTo(port, target.port));
    assertEquals(listener.endpoint, endpoint);
    const missing = { ...endpoint, interface: "pesto-none" };
    for (const attempt of [() => backend.probe(missing), async () => await backend.open(missing, routeTo(port, 1))]) {
      const { code, message } = await assertRejects(attempt, BindError);
      const expected =
        `Can't listen on ${protocol.toUpperCase()} [0.0.0.0]%pesto-none:${port}: no such device (ENODEV)`;
      assertEquals([code, message], ["ENODEV", expected]);
    }
    if (protocol === "tcp") {
      using client = await Deno.connect({ hostname: LOOPBACK, port });
      await writeAll(client, encode("hello"));
      assertEquals(await readSome(client), "a:hello");
    } else {
      const answer = Promise.withResolvers<string>();
      peer.onDatagram = ({ data }) => answer.resolve(new TextDecoder().decode(data));
      peer.send("hello", port);
      assertEquals(await within("the answer", answer.promise), "a:hello");
    }
  }
});

test("linuxBackend() keeps no pipe of bulk flows that break off while the target doesn't read", async () => {
  const stop = Promise.withResolvers<void>();
  await using target = new TcpTarget(() => stop.promise);
  await using backend = linuxBackend();
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
  const before = openFiles();
  const clients = await Promise.all(Array.from({ length: 8 }, () => Deno.connect({ hostname: LOOPBACK, port })));
  let written = 0;
  const writings = clients.map(async (client) => {
    const block = new Uint8Array(MIB);
    try {
      for (;;) written += await client.write(block);
    } catch (error) {
      const { BadResource, BrokenPipe, ConnectionReset, Interrupted } = Deno.errors;
      if (![BadResource, BrokenPipe, ConnectionReset, Interrupted].some((type) => error instanceof type)) throw error;
    }
  });
  await settled(() => written);
  // Two descriptors at each end of a flow, two of its pipe.
  assertGreater(openFiles(), before + 8 * 4);
  for (const client of clients) client.close();
  stop.resolve();
  await Promise.all(writings);
  await until("the end of the flows", () => backend.counts.tcpFlows === 0);
  await until("the files being closed", () => openFiles() <= before + 8 * 2);
  await backend[Symbol.asyncDispose]();
  await until("the kept pipes being closed", () => openFiles() < before);
});

test("linuxBackend() gives small flows their share beside a bulk flow", async () => {
  await using bulk = new TcpTarget(async (connection) => {
    const buffer = new Uint8Array(MIB);
    while (await connection.read(buffer) !== null);
    await connection.closeWrite();
  });
  await using small = namedTarget("a");
  await using backend = linuxBackend();
  const [bulkPort, smallPort] = [await freePort("tcp"), await freePort("tcp")];
  await backend.open(endpointAt("tcp", LOOPBACK, bulkPort), routeTo(bulkPort, bulk.port));
  await backend.open(endpointAt("tcp", LOOPBACK, smallPort), routeTo(smallPort, small.port));
  using sender = await Deno.connect({ hostname: LOOPBACK, port: bulkPort });
  using asker = await Deno.connect({ hostname: LOOPBACK, port: smallPort });
  let sending = true;
  const writing = (async () => {
    const block = new Uint8Array(MIB);
    for (let sent = 0; sent < 512; sent++) await writeAll(sender, block);
    await sender.closeWrite();
    sending = false;
  })();
  let rounds = 0;
  for (; sending; rounds++) {
    await writeAll(asker, encode("1"));
    assertEquals(await readSome(asker), "a:1");
  }
  await writing;
  assertGreater(rounds, 50);
});

test("linuxBackend() passes on what came before a reset, and then the reset", async () => {
  if (!canReset) return;
  const { createServer } = await import("node:net");
  let connections = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    const reset = () => socket.resetAndDestroy();
    // Every other time it announces the end of the stream before.
    if (connections++ % 2 === 0) socket.write("last words", reset);
    else socket.end("last words", reset);
  });
  await new Promise<void>((listening) => server.listen(0, LOOPBACK, listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Can't find the port of the target");
  await using backend = linuxBackend();
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, address.port));
  // Both are told of in one event only now and then.
  for (let round = 0; round < 100; round++) {
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    assertEquals(await readSome(client), "last words");
    const how = await ending(client);
    if (round % 2 === 0) assertEquals(how, "reset");
  }
  await new Promise((closed) => server.close(closed));
});

test("linuxBackend() outlasts a lack of file descriptors, says so once and doesn't spin", async () => {
  const { messages, busyPart, answers } = JSON.parse(
    await outputOf("few_files.ts", { before: "ulimit -n 100" }, "linux"),
  );
  assertEquals(answers, ["a:waited", "a:hello"]);
  assertEquals(messages, [
    "Can't relay more TCP connections: too many open files (EMFILE)",
    "Can't serve more UDP peers: too many open files (EMFILE)",
  ]);
  assertLess(busyPart, 0.5);
});

test("linuxBackend() leaves file descriptors to the rest of the program, and lets connections wait for theirs", async () => {
  const { messages, relayed, answer } = JSON.parse(
    await outputOf("linux/small_budget.ts", { before: "ulimit -n 120" }),
  );
  assertEquals(messages, ["Can't relay more TCP connections: 60 file descriptors are in use, the most allowed"]);
  // One is the listener's.
  assertEquals(relayed, 29);
  assertEquals(answer, "a:waited");
});

test("linuxBackend() is not woken while nothing happens, and ends with its program", async () => {
  const script = new URL("linux/idle.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", script];
  const program = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const reader = program.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "relayed\n");
  // 200 ms in which no thread of the program goes to sleep, because none has woken up.
  await within("rest", settled(() => switches(program.pid)));
  await program.stdin.close();
  await reader.cancel();
  assertEquals((await within("the end", program.status)).success, true);
});

Deno.test({
  name: "linuxAvailable() says that FFI is not permitted, without asking",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const module = new URL("../../sync/linux.ts", import.meta.url).href;
    const program = `import { linuxAvailable } from "${module}"; console.log(JSON.stringify(linuxAvailable()));`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", `data:application/typescript,${encodeURIComponent(program)}`],
    }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
      kind: "unavailable",
      reason: "using FFI is not permitted (--allow-ffi)",
    });
  },
});

/** How often the threads of a process have gone to sleep. */
function switches(pid: number): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
    sum += Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return sum;
}
