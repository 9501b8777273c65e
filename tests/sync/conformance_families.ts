/**
 * What every backend must do with endpoints of both address families on one port: `0.0.0.0`, `::` (IPv6 only) and `*`.
 *
 * @module
 */

import type { Protocol } from "../../codec/types.ts";
import { BindError } from "../../sync/backend.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import {
  Datagrams,
  decode,
  encode,
  endpointAt,
  freePort,
  namedDatagrams,
  namedTarget,
  readSome,
  routeTo,
  talk,
  until,
  writeAll,
} from "./harness.ts";

const V4 = "127.0.0.1";
const V6 = "::1";
const PROTOCOLS: readonly Protocol[] = ["tcp", "udp"];
const needs = ["IPV4", "IPV6"] as const;

/** Registers the tests. */
export function familyConformance({ make, test }: Subject): void {
  for (const protocol of PROTOCOLS) {
    const PROTOCOL = protocol.toUpperCase();
    const target = (name: string) => protocol === "tcp" ? namedTarget(name) : namedDatagrams(name);
    /** What both families are answered, or undefined where nobody serves them. */
    const assertAnswers = async (port: number, four: string | undefined, six: string | undefined) => {
      const ask = (address: string, expected: string | undefined) =>
        protocol === "tcp" ? talk(address, port) : askDatagram(address, port, expected !== undefined);
      assertEquals([await ask(V4, four), await ask(V6, six)], [four, six]);
    };

    test(`open() serves ${PROTOCOL} dual stack over both families`, async () => {
      await using a = target("a");
      await using backend = make();
      const port = await freePort(protocol);
      await backend.open(endpointAt(protocol, "*", port), routeTo(port, a.port));
      await assertAnswers(port, "a:hello", "a:hello");
      for (const address of ["*", "::", "0.0.0.0", V4, V6]) {
        const endpoint = endpointAt(protocol, address, port);
        assertEquals((await assertRejects(() => backend.probe(endpoint), BindError)).code, "EADDRINUSE");
        assertEquals(
          (await assertRejects(async () => await backend.open(endpoint, routeTo(port, 1)), BindError)).code,
          "EADDRINUSE",
        );
      }
    }, { needs });

    test(`open() serves ${PROTOCOL} [::] over IPv6 only`, async () => {
      await using a = target("a");
      await using backend = make();
      const port = await freePort(protocol);
      await backend.open(endpointAt(protocol, "::", port), routeTo(port, a.port));
      await assertAnswers(port, undefined, "a:hello");
    }, { needs });

    for (const order of [["0.0.0.0", "::"], ["::", "0.0.0.0"], [V4, "::"], ["::", V4]] as const) {
      test(`open() and close() serve ${PROTOCOL} [${order[0]}] and then [${order[1]}] side by side`, async () => {
        await using four = target("4");
        await using six = target("6");
        await using backend = make();
        const port = await freePort(protocol);
        const open = async (address: string) => {
          const endpoint = endpointAt(protocol, address, port);
          await backend.probe(endpoint);
          const listener = await backend.open(endpoint, routeTo(port, address === "::" ? six.port : four.port));
          assertEquals((await assertRejects(() => backend.probe(endpoint), BindError)).code, "EADDRINUSE");
          return listener;
        };
        const isFirst6 = order[0] === "::";

        let first = await open(order[0]);
        let second = await open(order[1]);
        await assertAnswers(port, "4:hello", "6:hello");
        first.close();
        await (isFirst6 ? assertAnswers(port, "4:hello", undefined) : assertAnswers(port, undefined, "6:hello"));
        first = await open(order[0]);
        await assertAnswers(port, "4:hello", "6:hello");
        second.close();
        const withoutSecond = () =>
          isFirst6 ? assertAnswers(port, undefined, "6:hello") : assertAnswers(port, "4:hello", undefined);
        await withoutSecond();
        second = await open(order[1]);
        second.parked = true;
        await withoutSecond();
        second.close();
        first.close();
        await assertAnswers(port, undefined, undefined);
        await backend.probe(endpointAt(protocol, "*", port));
      }, { needs });
    }

    test(`open() refuses a ${PROTOCOL} wildcard beside an address of its family and serves on`, async () => {
      await using four = target("4");
      await using six = target("6");
      await using backend = make();
      const port = await freePort(protocol);
      await backend.open(endpointAt(protocol, V6, port), routeTo(port, six.port));
      await backend.open(endpointAt(protocol, "0.0.0.0", port), routeTo(port, four.port));
      for (const address of ["::", "*", V4]) {
        const endpoint = endpointAt(protocol, address, port);
        assertEquals((await assertRejects(() => backend.probe(endpoint), BindError)).code, "EADDRINUSE");
        assertEquals(
          (await assertRejects(async () => await backend.open(endpoint, routeTo(port, 1)), BindError)).code,
          "EADDRINUSE",
        );
      }
      await assertAnswers(port, "4:hello", "6:hello");
    }, { needs });
  }

  test("open() of TCP [::] that another program prevents leaves [0.0.0.0] served", async () => {
    await using four = namedTarget("4");
    await using foreign = namedTarget("foreign", V6);
    await using backend = make();
    const { port } = foreign;
    const listener = await backend.open(endpointAt("tcp", "0.0.0.0", port), routeTo(port, four.port));
    const error = await assertRejects(
      async () => await backend.open(endpointAt("tcp", "::", port), routeTo(port, 1)),
      BindError,
    );
    assertEquals(error.code, "EADDRINUSE");
    assertEquals(error.message, `Can't listen on TCP [::]:${port}: address in use (EADDRINUSE)`);
    assertEquals([await talk(V4, port), await talk(V6, port)], ["4:hello", "foreign:hello"]);
    listener.close();
    await until("IPv4 being refused", async () => await talk(V4, port) === undefined);
  }, { needs });

  test("open() of TCP [::] beside [0.0.0.0] leaves established connections", async () => {
    await using four = namedTarget("4");
    await using six = namedTarget("6");
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", "0.0.0.0", port), routeTo(port, four.port));
    using before = await Deno.connect({ hostname: V4, port });
    await writeAll(before, encode("1"));
    assertEquals(await readSome(before), "4:1");
    await backend.open(endpointAt("tcp", "::", port), routeTo(port, six.port));
    await writeAll(before, encode("2"));
    assertEquals(await readSome(before), "4:2");
  }, { needs });

  test("open() connects to a target of the other family", async () => {
    await using six = namedTarget("6", V6);
    await using sixUdp = namedDatagrams("6", V6);
    await using backend = make();
    const [tcp, udp] = [await freePort("tcp"), await freePort("udp")];
    await backend.open(endpointAt("tcp", V4, tcp), routeTo(tcp, six.port, V6));
    await backend.open(endpointAt("udp", V4, udp), routeTo(udp, sixUdp.port, V6));
    assertEquals([await talk(V4, tcp), await askDatagram(V4, udp, true)], ["6:hello", "6:hello"]);
  }, { needs: ["IPV4", "IPV6", "ANY_TARGET"] });
}

/** Milliseconds after which a datagram over loopback is taken for dropped. */
const UNSERVED = 100;

/** As `talk`, with a datagram. One that isn't served is dropped, which can only be told by waiting. */
async function askDatagram(address: string, port: number, isServed: boolean): Promise<string | undefined> {
  await using peer = new Datagrams(address);
  peer.send("hello", port, address);
  const answer = isServed ? await peer.receive() : await peer.receiveWithin(UNSERVED);
  return answer === undefined ? undefined : decode(answer.data);
}
