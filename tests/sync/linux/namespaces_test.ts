import { cpuUsage } from "node:process";
import { PestoError } from "../../../codec/errors.ts";
import type { Protocol } from "../../../codec/types.ts";
import { linuxAvailable, linuxBackend } from "../../../sync/linux.ts";
import { assertEquals, assertLess, assertThrows } from "../../assert.ts";
import {
  Datagrams,
  encode,
  endingAt,
  endpointAt,
  freePort,
  namedDatagrams,
  namedTarget,
  openFiles,
  readSome,
  routeTo,
  settled,
  talk,
  until,
  writeAll,
} from "../harness.ts";
import { noNamespaces, TestNamespace } from "./test_namespace.ts";

const LOOPBACK = "127.0.0.1";
const reason = await noNamespaces();

/** A test in a network namespace of its own, by path. */
function test(name: string, body: (namespace: TestNamespace) => Promise<void>): void {
  Deno.test({
    name: `${name}${reason === undefined ? "" : ` (${reason})`}`,
    ignore: reason !== undefined,
    async fn() {
      await using namespace = await TestNamespace.make();
      await body(namespace);
    },
  });
}

test("linuxBackend() listens in one namespace and connects from another", async ({ path }) => {
  await using target = namedTarget("a");
  await using udpTarget = namedDatagrams("a");
  const before = openFiles();
  {
    await using inwards = linuxBackend({ connectNamespace: path });
    await using outwards = linuxBackend({ listenNamespace: path });
    const [tcp, udp, tcpInside, udpInside] = [
      await freePort("tcp"),
      await freePort("udp"),
      await freePort("tcp"),
      await freePort("udp"),
    ];
    await outwards.open(endpointAt("tcp", LOOPBACK, tcpInside), routeTo(tcpInside, target.port));
    await outwards.open(endpointAt("udp", "0.0.0.0", udpInside), routeTo(udpInside, udpTarget.port));
    await inwards.open(endpointAt("tcp", LOOPBACK, tcp), routeTo(tcp, tcpInside));
    await inwards.open(endpointAt("udp", LOOPBACK, udp), routeTo(udp, udpInside));
    for (let count = 0; count < 40; count++) assertEquals(await talk(LOOPBACK, tcp), "a:hello");
    assertEquals(await talk(LOOPBACK, tcpInside), undefined);
    await using peer = new Datagrams();
    peer.send("hello", udp);
    assertEquals(await peer.receiveText(), "a:hello");
    // The program itself has stayed where it was.
    assertEquals(await talk(LOOPBACK, target.port), "a:hello");
    await until("the end of the flows", () => inwards.counts.tcpFlows + outwards.counts.tcpFlows === 0);
  }
  await until("all files being closed", () => openFiles() <= before);
});

test("linuxBackend() takes connections only through an endpoint's interface", async (namespace) => {
  await namespace.ip("link", "add", "silent", "type", "veth", "peer", "name", "silent-peer");
  await namespace.ip("link", "set", "silent", "up");
  await using lo = namedTarget("lo");
  await using silent = namedTarget("silent");
  await using outwards = linuxBackend({ listenNamespace: namespace.path });
  await using inwards = linuxBackend({ connectNamespace: namespace.path });
  const [port, inside] = [await freePort("tcp"), await freePort("tcp")];
  await inwards.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, inside));
  const through = (name: string) => ({ ...endpointAt("tcp", "0.0.0.0", inside), interface: name });
  const onSilent = await outwards.open(through("silent"), routeTo(inside, silent.port));
  assertEquals(await endingAt(port), "reset");
  await outwards.open(through("lo"), routeTo(inside, lo.port));
  assertEquals(await talk(LOOPBACK, port), "lo:hello");

  await namespace.ip("link", "delete", "silent");
  assertEquals(await talk(LOOPBACK, port), "lo:hello");
  onSilent.close();
  assertEquals(outwards.counts.listeners, 1);
});

test("linuxBackend() outlasts a device that vanishes under its listeners and flows, and doesn't spin", async (namespace) => {
  await using peers = await TestNamespace.make();
  await namespace.ip("link", "add", "gone", "type", "veth", "peer", "name", "far", "netns", peers.name);
  await namespace.ip("address", "add", "10.9.0.1/24", "dev", "gone");
  await peers.ip("address", "add", "10.9.0.2/24", "dev", "far");
  await namespace.ip("link", "set", "gone", "up");
  await peers.ip("link", "set", "far", "up");
  await using target = namedTarget("a");
  await using udpTarget = namedDatagrams("a");
  const before = openFiles();
  {
    await using outwards = linuxBackend({ listenNamespace: namespace.path });
    await using inwards = linuxBackend({ connectNamespace: peers.path });
    const through = (protocol: Protocol, port: number) => ({
      ...endpointAt(protocol, "0.0.0.0", port),
      interface: "gone",
    });
    const [tcp, udp] = [await freePort("tcp"), await freePort("udp")];
    const listeners = [
      await outwards.open(through("tcp", tcp), routeTo(tcp, target.port)),
      await outwards.open(through("udp", udp), routeTo(udp, udpTarget.port)),
    ];
    await inwards.open(endpointAt("tcp", LOOPBACK, tcp), routeTo(tcp, tcp, "10.9.0.1"));
    await inwards.open(endpointAt("udp", LOOPBACK, udp), routeTo(udp, udp, "10.9.0.1"));
    using client = await Deno.connect({ hostname: LOOPBACK, port: tcp });
    await writeAll(client, encode("hello"));
    assertEquals(await readSome(client), "a:hello");
    await using peer = new Datagrams();
    peer.send("hello", udp);
    assertEquals(await peer.receiveText(), "a:hello");

    await namespace.ip("link", "delete", "gone");
    await writeAll(client, encode("lost"));
    for (let count = 0; count < 3; count++) peer.send("lost", udp);
    const [start, used] = [performance.now(), cpuUsage()];
    await settled(() => outwards.counts.tcpFlows);
    const { user, system } = cpuUsage(used);
    assertLess((user + system) / 1000 / (performance.now() - start), 0.2);

    for (const listener of listeners) listener.close();
    assertEquals(outwards.counts.listeners, 0);
    // Nothing but TCP's own time-outs ends these, or the backend's end.
    assertEquals([inwards.counts.tcpFlows, outwards.counts.tcpFlows], [1, 1]);
  }
  await until("all files being closed", () => openFiles() <= before);
});

test("linuxBackend() answers UDP peers of both families from the address that they wrote to, on each wildcard", async (namespace) => {
  const four = ["10.9.0.1", "10.9.0.2", "10.9.0.3"];
  const six = ["fd09::1", "fd09::2", "fd09::3"];
  for (const address of four) await namespace.ip("address", "add", `${address}/32`, "dev", "lo");
  for (const address of six) await namespace.ip("address", "add", `${address}/128`, "dev", "lo", "nodad");
  const script = new URL("reply_source.ts", import.meta.url).pathname;
  const output = await namespace.run(Deno.execPath(), "run", "-A", "--no-check", script, ...four, ...six);
  const expected = [["0.0.0.0", four], ["::", six], ["*", four], ["*", six]] as const;
  assertEquals(
    JSON.parse(output),
    expected.flatMap(([wildcard, [, second, third]]) =>
      [second, third, second, third].map((address) => `${wildcard} ${address} true`)
    ),
  );
});

test("linuxBackend() leaves ephemeral ports of the targets' namespace to others", async (namespace) => {
  await namespace.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40031");
  await using inside = linuxBackend({ listenNamespace: namespace.path });
  await using target = namedDatagrams("a");
  const messages: string[] = [];
  await using backend = linuxBackend({ connectNamespace: namespace.path, log: (message) => messages.push(message) });
  const [port, insidePort] = [await freePort("udp"), await freePort("udp")];
  await inside.open(endpointAt("udp", LOOPBACK, insidePort), routeTo(insidePort, target.port));
  await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, insidePort));
  await using peers = new AsyncDisposableStack();
  for (let count = 0; count < 28; count++) {
    const peer = peers.use(new Datagrams());
    peer.send(`${count}`, port);
    assertEquals(await peer.receiveText(), `a:${count}`);
  }
  const ignored = peers.use(new Datagrams());
  ignored.send("ignored", port);
  await until("the message", () => messages.length > 0);
  assertEquals(messages, ["Can't serve more UDP peers: 28 are served, the most allowed; new ones are ignored"]);
  assertEquals(backend.counts.udpFlows, 28);
});

test("linuxBackend() says that no ephemeral port is free", async (namespace) => {
  await namespace.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40001");
  const messages: string[] = [];
  await using backend = linuxBackend({
    connectNamespace: namespace.path,
    maxUdpFlows: 100,
    log: (message) => messages.push(message),
  });
  const port = await freePort("udp");
  await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, 9));
  await using peers = new AsyncDisposableStack();
  for (let count = 0; count < 3; count++) peers.use(new Datagrams()).send("hello", port);
  await until("the message", () => messages.length > 0);
  assertEquals(messages, ["Can't serve more UDP peers: no local port is free (EAGAIN)"]);
  assertEquals(backend.counts.udpFlows, 2);
});

const existing = linuxAvailable().kind === "available";

Deno.test({
  name: "linuxBackend() says that a namespace isn't there",
  ignore: !existing,
  fn() {
    const before = openFiles();
    for (const option of ["listenNamespace", "connectNamespace"]) {
      const error = assertThrows(() => linuxBackend({ [option]: "/run/netns/pesto-none" }), PestoError);
      assertEquals(error.code, "ENOENT");
      assertEquals(
        error.message,
        `Can't enter network namespace "/run/netns/pesto-none": no such file (ENOENT); ` +
          "a namespace is named by a file, as /run/netns/NAME or /proc/PID/ns/net",
      );
    }
    assertEquals(openFiles(), before);
  },
});

Deno.test({
  name: `linuxBackend() says that a file isn't a namespace${reason === undefined ? "" : ` (${reason})`}`,
  ignore: reason !== undefined,
  fn() {
    const before = openFiles();
    const error = assertThrows(() => linuxBackend({ connectNamespace: "/dev/null" }), PestoError);
    assertEquals(error.code, "EINVAL");
    assertEquals(openFiles(), before);
  },
});
