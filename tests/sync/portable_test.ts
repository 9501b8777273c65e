import { CAPABILITY } from "../../codec/constants.ts";
import { PestoError } from "../../codec/errors.ts";
import { BindError } from "../../sync/backend.ts";
import { portableBackend } from "../../sync/portable.ts";
import { Slices } from "../../sync/slices.ts";
import { assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "../assert.ts";
import { EchoTarget } from "../harness.ts";
import { backendConformance } from "./backend_conformance.ts";
import {
  encode,
  endpointAt,
  freePort,
  namedDatagrams,
  namedTarget,
  readSome,
  routeTo,
  until,
  writeAll,
} from "./harness.ts";
import { outputOf } from "./script.ts";

/** Slices of long work beside a flow. */
const PAUSES = 160;

await backendConformance(portableBackend);

Deno.test("portableBackend() has the capabilities that Deno's sockets give it", async () => {
  await using backend = portableBackend();
  const expected = CAPABILITY.IPV4 | CAPABILITY.TCP | CAPABILITY.UDP | CAPABILITY.ANY_TARGET;
  assertEquals(backend.capabilities & ~CAPABILITY.IPV6, expected);
  assertEquals(backend.name, "portable");
});

Deno.test("portableBackend() relays between the slices of long work", async () => {
  using target = new EchoTarget("a");
  await using backend = portableBackend();
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", "127.0.0.1", port), routeTo(port, target.port));
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals(await readSome(client), "a");
  let roundTrips = 0;
  let working = true;
  const talking = (async () => {
    while (working) {
      await writeAll(client, encode("x"));
      await readSome(client);
      roundTrips++;
    }
  })();
  const slices = new Slices();
  for (let pauses = 0; pauses < PAUSES;) {
    if (!slices.over()) continue;
    pauses++;
    await slices.next();
  }
  working = false;
  await talking;
  // Both ends of the flow are here as well: all in all four looks at sockets for each round trip.
  assertGreater(roundTrips, PAUSES / 8);
});

Deno.test("portableBackend() refuses bounds that aren't positive", () => {
  for (const name of ["maxConnections", "maxUdpFlows", "udpIdle", "connectTimeout"] as const) {
    for (const value of [0, -1, NaN]) {
      assertThrows(
        () => portableBackend({ [name]: value }),
        RangeError,
        `Can't take "${value}" as ${name}: it must be a positive number`,
      );
    }
  }
});

Deno.test("portableBackend() refuses to listen when disposed of", async () => {
  const backend = portableBackend();
  await backend[Symbol.asyncDispose]();
  await assertRejects(
    async () => await backend.open(endpointAt("tcp", "127.0.0.1", 8080), routeTo(8080, 80)),
    PestoError,
    "Can't listen on TCP [127.0.0.1]:8080: the backend is disposed of",
  );
});

Deno.test("portableBackend() names the limits that it reached", async () => {
  const messages: string[] = [];
  await using tcpTarget = namedTarget("a");
  await using udpTarget = namedDatagrams("a");
  await using backend = portableBackend({ maxConnections: 1, maxUdpFlows: 1, log: (text) => messages.push(text) });
  const [tcp, udp] = [await freePort("tcp"), await freePort("udp")];
  await backend.open(endpointAt("tcp", "127.0.0.1", tcp), routeTo(tcp, tcpTarget.port));
  await backend.open(endpointAt("udp", "127.0.0.1", udp), routeTo(udp, udpTarget.port));
  using _first = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
  using _second = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
  await until("the first message", () => messages.length === 1);
  await using one = namedDatagrams("peer");
  await using other = namedDatagrams("peer");
  for (const peer of [one, other]) peer.send("1", udp);
  await until("the second message", () => messages.length === 2);
  assertEquals(messages, [
    "Can't relay more TCP connections: 1 are open, the most allowed; new ones wait",
    "Can't serve more UDP peers: 1 are served, the most allowed; new ones are ignored",
  ]);
});

Deno.test("portableBackend() keeps the shared socket of TCP until its last endpoint is closed", async () => {
  await using target = namedTarget("a");
  await using backend = portableBackend();
  const port = await freePort("tcp");
  const four = await backend.open(endpointAt("tcp", "0.0.0.0", port), routeTo(port, target.port));
  const six = await backend.open(endpointAt("tcp", "::", port), routeTo(port, target.port));
  assertEquals(four.socketId, six.socketId);
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  six.close();
  await writeAll(client, encode("1"));
  assertEquals(await readSome(client), "a:1");
  const loopback = await backend.open(endpointAt("tcp", "::1", port), routeTo(port, target.port));
  assertEquals(loopback.socketId, four.socketId);
  loopback.close();
  four.close();
  const other = await backend.open(endpointAt("tcp", "127.0.0.1", port), routeTo(port, target.port));
  assertEquals(other.socketId === four.socketId, false);
});

Deno.test("portableBackend() refuses an address on the shared socket that isn't on this machine", async () => {
  await using backend = portableBackend();
  const port = await freePort("tcp");
  await backend.open(endpointAt("tcp", "::", port), routeTo(port, port));
  const endpoint = endpointAt("tcp", "192.0.2.1", port);
  for (
    const attempt of [() => backend.probe(endpoint), async () => await backend.open(endpoint, routeTo(port, port))]
  ) {
    assertEquals((await assertRejects(attempt, BindError)).code, "EADDRNOTAVAIL");
  }
});

Deno.test({
  name: "portableBackend() outlasts a lack of file descriptors, says so once and doesn't spin, on Linux",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const output = await outputOf("few_files.ts", { before: "ulimit -n 100" }, "portable");
    const { messages, busyPart, answers } = JSON.parse(output);
    assertEquals(answers, ["a:waited", "a:hello"]);
    assertEquals(messages, [
      "Can't accept connections on TCP [127.0.0.1]:PORT: too many open files (EMFILE)",
      "Can't serve more UDP peers: too many open files (EMFILE)",
    ]);
    assertLess(busyPart, 0.5);
  },
});
