/** The recordings of released servers, played against ours: the recorded clients' bytes must give the recorded listings. */

import { CAPABILITY } from "../codec/constants.ts";
import { passtServer } from "../codec/passt.ts";
import { RuleTable } from "../codec/table.ts";
import { Server } from "../server.ts";
import { ControlSocket } from "../sync/control_socket.ts";
import { Forwarder, type Pif } from "../sync/forwarder.ts";
import { assert, assertEquals } from "./assert.ts";
import { fromHex, toHex } from "./hex.ts";
import { listedPifs, type Recording, recordings } from "./recordings.ts";
import { FakeBackend } from "./sync/fake_backend.ts";

/** A server of ours with the pifs and rules that the recorded one began with, and sockets that are only written down. */
async function like({ exchanges: [first] }: Recording, path: string): Promise<Server> {
  assert(first !== undefined);
  const { version, pifs } = listedPifs(first.server_sent);
  assert(version === 1 || version === 2);
  const forwarder = new Forwarder(pifs.map(({ id, name, capabilities }): Pif => {
    const backend = new FakeBackend(capabilities & ~CAPABILITY.SCAN);
    const pif = { id, name, backend, defaultTarget: "127.0.0.1", sameNamespace: false };
    if ((capabilities & CAPABILITY.SCAN) === 0) return pif;
    return { ...pif, listening: () => ({ tcp: new Set<number>(), udp: new Set<number>() }) };
  }));
  const change = await forwarder.apply(new Map(pifs.map(({ id, rules }) => [id, RuleTable.of(rules)])));
  await change.commit();
  const control = { dialect: passtServer(version), socket: await ControlSocket.claim(path) };
  return new Server(forwarder, [control], { path }, undefined);
}

/** Connects, reads as much as the recorded listing has, sends, and hangs up. What was read, as hexadecimal text. */
async function exchange(path: string, expected: number, bytes: Uint8Array): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  const received = new Uint8Array(expected + 1024);
  let size = 0;
  while (size < expected) {
    const read = await connection.read(received.subarray(size));
    if (read === null) break;
    size += read;
  }
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  return toHex(received.subarray(0, size));
}

for (const recording of recordings()) {
  Deno.test(`serve() lists what ${recording.peer} listed, after what its clients sent`, async (test) => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/control`;
    await using _server = await like(recording, path);
    for (const { args, server_sent, client_sent, listed_after } of recording.exchanges) {
      await test.step(`pesto ${args.join(" ")}`, async () => {
        assertEquals(await exchange(path, server_sent.length / 2, fromHex(client_sent)), server_sent);
        assertEquals(await exchange(path, listed_after.length / 2, new Uint8Array(0)), listed_after);
      });
    }
    await Deno.remove(folder, { recursive: true });
  });
}
