/**
 * What every backend must stand: much data, many connections, and many that have gone.
 *
 * @module
 */

import { assertEquals, assertLessOrEqual } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import {
  encode,
  endpointAt,
  freePort,
  namedTarget,
  openFiles,
  readSome,
  routeTo,
  TcpTarget,
  until,
  within,
  writeAll,
} from "./harness.ts";

const LOOPBACK = "127.0.0.1";
const BLOCK = 256 * 1024;
const GIBIBYTE = 1024 ** 3;

/** Registers the tests. */
export function loadConformance({ make, test }: Subject): void {
  test("open() relays 1 GiB unchanged", async () => {
    const received = Promise.withResolvers<{ length: number; sum: number }>();
    await using target = new TcpTarget(async (connection) => {
      const block = new Uint8Array(BLOCK);
      let [length, filled, sum] = [0, 0, 0];
      for (let read; (read = await connection.read(block.subarray(filled))) !== null;) {
        length += read;
        filled += read;
        if (filled < BLOCK) continue;
        sum = addToSum(sum, block);
        filled = 0;
      }
      received.resolve({ length, sum });
    });
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    using client = await Deno.connect({ hostname: LOOPBACK, port });
    const block = pseudoRandomBlock();
    const words = new Uint32Array(block.buffer);
    let sum = 0;
    for (let sent = 0; sent < GIBIBYTE; sent += BLOCK) {
      // A different block each time, so that lost and exchanged ones are found, too.
      words[(sent / BLOCK) % words.length] = sent / BLOCK;
      sum = addToSum(sum, block);
      await writeAll(client, block);
    }
    await client.closeWrite();
    assertEquals(await within("all of it", received.promise), { length: GIBIBYTE, sum });
  });

  test("open() relays 1,000 connections at once", async () => {
    await using target = namedTarget("a");
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    const clients = await Promise.all(
      Array.from({ length: 1000 }, () => Deno.connect({ hostname: LOOPBACK, port })),
    );
    await until("all flows", () => backend.counts.tcpFlows === 1000);
    const answers = await Promise.all(clients.map(async (client, index) => {
      await writeAll(client, encode(`${index}`));
      return await readSome(client);
    }));
    assertEquals(answers, clients.map((_, index) => `a:${index}`));
    for (const client of clients) client.close();
    await until("the end of all flows", () => backend.counts.tcpFlows === 0);
  });

  test("open() keeps nothing of 1,000 connections that were closed, on Linux", async () => {
    await using target = namedTarget("a");
    await using backend = make();
    const port = await freePort("tcp");
    await backend.open(endpointAt("tcp", LOOPBACK, port), routeTo(port, target.port));
    const one = async () => {
      using client = await Deno.connect({ hostname: LOOPBACK, port });
      await writeAll(client, encode("1"));
      assertEquals(await readSome(client), "a:1");
    };
    await one();
    await until("the end of the first flow", () => backend.counts.tcpFlows === 0);
    const before = openFiles();
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, one));
    await until("the end of all flows", () => backend.counts.tcpFlows === 0);
    // The target closes its ends a little later than the flows end.
    await until("all files being closed", () => openFiles() <= before);
    assertLessOrEqual(openFiles(), before);
    assertEquals(backend.counts, { listeners: 1, tcpFlows: 0, udpFlows: 0 });
  }, { possible: Deno.build.os === "linux" });
}

/** A checksum of 32 bits that depends on the order of all words. */
function addToSum(sum: number, block: Uint8Array<ArrayBuffer>): number {
  const words = new Uint32Array(block.buffer, block.byteOffset, block.byteLength / 4);
  let value = sum;
  for (let at = 0; at < words.length; at++) value = (Math.imul(value, 31) + (words[at] ?? 0)) | 0;
  return value;
}

/** Always the same block: xorshift from a fixed seed. */
function pseudoRandomBlock(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(BLOCK / 4);
  let state = 0x9e3779b9;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer);
}
