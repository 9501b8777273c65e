/**
 * What every backend must do with UDP datagrams.
 *
 * @module
 */

import { assertEquals } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import { type Datagram, Datagrams, decode, endpointAt, freePort, namedDatagrams, routeTo, until } from "./harness.ts";

const LOOPBACK = "127.0.0.1";

/** Registers the tests. */
export function udpConformance({ make, test }: Subject): void {
  test("open() answers 200 UDP peers each from the address and port it wrote to", async () => {
    await using target = namedDatagrams("a");
    await using backend = make();
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, target.port));
    await using peers = new AsyncDisposableStack();
    const answers = Array.from({ length: 200 }, async (_, index) => {
      const peer = peers.use(new Datagrams());
      peer.send(`${index}`, port);
      const { data, address, port: from } = await peer.receive();
      assertEquals([decode(data), address, from], [`a:${index}`, LOOPBACK, port]);
    });
    await Promise.all(answers);
    assertEquals(backend.counts.udpFlows, 200);
  });

  test("open() relays datagrams of 0 and of 65507 bytes both ways", async () => {
    await using target = new Datagrams();
    target.onDatagram = ({ data, port, address }) => target.send(data, port, address);
    await using backend = make();
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, target.port));
    await using peer = new Datagrams();
    const large = crypto.getRandomValues(new Uint8Array(65507 - 1024)).slice();
    const largest = new Uint8Array(65507);
    largest.set(large, 1024);
    for (const data of [new Uint8Array(0), largest, new Uint8Array(0)]) {
      peer.send(data, port);
      const { data: answer } = await peer.receive();
      assertEquals(answer.length, data.length);
      assertEquals(answer.every((byte, at) => byte === data[at]), true);
    }
  });

  test("open() drops datagrams to a flow that don't come from its target", async () => {
    await using target = new Datagrams();
    await using stranger = new Datagrams();
    await using backend = make();
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, target.port));
    await using peer = new Datagrams();
    peer.send("hello", port);
    const { port: flow } = await target.receive();
    stranger.send("from a stranger", flow);
    target.send("from the target", flow);
    assertEquals(await peer.receiveText(), "from the target");
  });

  test("open() goes on when nobody listens at the target yet", async () => {
    await using backend = make();
    const [port, targetPort] = [await freePort("udp"), await freePort("udp")];
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, targetPort));
    await using peer = new Datagrams();
    for (let count = 0; count < 3; count++) {
      peer.send("lost", port);
      await until("the flow", () => backend.counts.udpFlows === 1);
    }
    await using target = new Datagrams(LOOPBACK, targetPort);
    let found: Datagram | undefined;
    // An error about an earlier datagram may be reported in place of sending the next one.
    await until("a datagram", async () => {
      peer.send("found", port);
      return (found = await target.receiveWithin(20)) !== undefined;
    });
    target.send("answer", found?.port ?? 0);
    assertEquals(await peer.receiveText(), "answer");
  });

  test("open() ends a UDP flow that is idle, not one in use in either direction", async () => {
    await using target = new Datagrams();
    await using backend = make({ udpIdle: 200 });
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, target.port));
    await using idle = new Datagrams();
    await using asking = new Datagrams();
    await using listening = new Datagrams();
    const flows: number[] = [];
    for (const peer of [idle, asking, listening]) {
      peer.send("1", port);
      flows.push((await target.receive()).port);
    }
    assertEquals(backend.counts.udpFlows, 3);
    let idleSince = performance.now();
    await until("the end of the idle flow, and no other", async () => {
      asking.send("2", port);
      assertEquals((await target.receive()).port, flows[1]);
      target.send("3", flows[2] ?? 0);
      assertEquals(await listening.receiveText(), "3");
      if (backend.counts.udpFlows === 3) idleSince = performance.now();
      // Once more the idle time, in which the others would end if they were thought idle.
      return performance.now() - idleSince > 300;
    });
    assertEquals(backend.counts.udpFlows, 2);
    await until("the end of the others", () => backend.counts.udpFlows === 0);
    idle.send("4", port);
    assertEquals(decode((await target.receive()).data), "4");
  });

  test("open() ignores further UDP peers at the limit and says so once", async () => {
    const messages: string[] = [];
    await using target = namedDatagrams("a");
    await using backend = make({ maxUdpFlows: 2, log: (message) => messages.push(message) });
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, target.port));
    await using first = new Datagrams();
    await using second = new Datagrams();
    await using third = new Datagrams();
    for (const peer of [first, second]) {
      peer.send("1", port);
      assertEquals(await peer.receiveText(), "a:1");
    }
    const ignored: unknown[] = [];
    third.onDatagram = (datagram) => ignored.push(datagram);
    for (let count = 0; count < 3; count++) third.send("ignored", port);
    await until("the message", () => messages.length > 0);
    for (const peer of [first, second]) {
      peer.send("2", port);
      assertEquals(await peer.receiveText(), "a:2");
    }
    assertEquals([backend.counts.udpFlows, ignored.length, messages.length], [2, 0, 1]);
  });

  test("Listener.route and .parked leave the UDP flows that there are", async () => {
    await using oldTarget = namedDatagrams("old");
    await using newTarget = namedDatagrams("new");
    await using backend = make();
    const port = await freePort("udp");
    const listener = await backend.open(endpointAt("udp", LOOPBACK, port), routeTo(port, oldTarget.port));
    const { socketId } = listener;
    await using before = new Datagrams();
    await using after = new Datagrams();
    before.send("1", port);
    assertEquals(await before.receiveText(), "old:1");
    listener.route = routeTo(port, newTarget.port);
    listener.parked = true;
    after.send("dropped", port);
    before.send("2", port);
    assertEquals(await before.receiveText(), "old:2");
    assertEquals(backend.counts.udpFlows, 1);
    listener.parked = false;
    after.send("3", port);
    assertEquals(await after.receiveText(), "new:3");
    before.send("4", port);
    assertEquals(await before.receiveText(), "old:4");
    assertEquals(listener.socketId, socketId);
  });

  test("Listener.close() frees the UDP port at once", async () => {
    await using target = namedDatagrams("a");
    await using peer = new Datagrams();
    await using backend = make();
    const port = await freePort("udp");
    const endpoint = endpointAt("udp", LOOPBACK, port);
    for (let round = 0; round < 5; round++) {
      const listener = await backend.open(endpoint, routeTo(port, target.port));
      peer.send("1", port);
      assertEquals(await peer.receiveText(), "a:1");
      listener.close();
      listener.close();
      assertEquals(backend.counts.listeners, 0);
    }
  });

  test("Listener.close() ends the UDP flows, and those of the next listener go where that one says", async () => {
    await using oldTarget = new Datagrams();
    await using newTarget = namedDatagrams("new");
    await using peer = new Datagrams();
    await using backend = make();
    const port = await freePort("udp");
    const endpoint = endpointAt("udp", LOOPBACK, port);
    const first = await backend.open(endpoint, routeTo(port, oldTarget.port));
    peer.send("1", port);
    const { port: flow } = await oldTarget.receive();
    first.close();
    assertEquals(backend.counts.udpFlows, 0);
    await backend.open(endpoint, routeTo(port, newTarget.port));
    oldTarget.send("too late", flow);
    peer.send("2", port);
    assertEquals(await peer.receiveText(), "new:2");
    assertEquals(backend.counts.udpFlows, 1);
  });

  test("open() answers a UDP peer from the address that it wrote to, on a wildcard", async () => {
    await using target = namedDatagrams("a");
    await using backend = make();
    const port = await freePort("udp");
    await backend.open(endpointAt("udp", "0.0.0.0", port), routeTo(port, target.port));
    await using peer = new Datagrams();
    for (const address of ["127.0.0.1", "127.0.0.2", "127.0.0.1"]) {
      peer.send("1", port, address);
      const answer = await peer.receive();
      assertEquals([answer.address, answer.port], [address, port]);
    }
  }, { needs: ["REPLY_SOURCE"] });
}
