/**
 * The far side of `traffic.ts`, in a thread of its own: clients and targets, so that what is measured isn't the test.
 *
 * @module
 */

import { parentPort } from "node:worker_threads";
import { EchoTarget } from "../harness.ts";
import type { TrafficCommand, TrafficCounts, TrafficNews } from "./traffic_messages.ts";

/** Bytes of one message of an established flow. */
const MESSAGE_SIZE = 16;

const a = new EchoTarget("A");
const b = new EchoTarget("B");
const faults: string[] = [];
let roundTrips: number[] = [];
let allRoundTrips = 0;
let connections = 0;
let longestPause = 0;
let stopping = false;
const running: Promise<void>[] = [];

/** Talks through one connection until it is told to stop; resolves at the end, after having called `flowing` once. */
async function flow(port: number, flowing: () => void): Promise<void> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const buffer = new Uint8Array(MESSAGE_SIZE);
  await connection.read(buffer);
  let last = performance.now();
  for (let number = 0; !stopping; number++) {
    const message = new Uint8Array(MESSAGE_SIZE).fill(number & 0xff);
    const start = performance.now();
    await connection.write(message);
    for (let got = 0; got < MESSAGE_SIZE;) {
      const size = await connection.read(buffer);
      if (size === null) throw new Error("the flow ended");
      if (buffer.subarray(0, size).some((byte) => byte !== (number & 0xff))) throw new Error("another answer came");
      got += size;
    }
    const now = performance.now();
    roundTrips.push(now - start);
    allRoundTrips++;
    longestPause = Math.max(longestPause, now - last);
    last = now;
    if (number === 0) flowing();
  }
}

/** Connects once and waits for a target's name. */
async function connectOnce(port: number): Promise<void> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const buffer = new Uint8Array(8);
  const size = await connection.read(buffer);
  const name = new TextDecoder().decode(buffer.subarray(0, size ?? 0));
  if (name !== "A" && name !== "B") throw new Error(`the first words were "${name}"`);
  connections++;
}

async function connectOn(port: number): Promise<void> {
  while (!stopping) await connectOnce(port).catch((error) => note(`A new connection to ${port}`, error));
}

function note(what: string, error: unknown): void {
  faults.push(`${what}: ${error}`);
}

function tell(news: TrafficNews): void {
  parentPort?.postMessage(news);
}

async function obey(command: TrafficCommand): Promise<void> {
  switch (command.kind) {
    case "begin": {
      const flowing = command.flows.map((port) => {
        const first = Promise.withResolvers<void>();
        running.push(flow(port, first.resolve).catch((error) => note(`A flow through ${port}`, error)));
        return first.promise;
      });
      await Promise.all(flowing);
      for (const port of command.fresh) for (let n = 0; n < command.atOnce; n++) running.push(connectOn(port));
      return tell({ kind: "flowing" });
    }
    case "take":
      tell({ kind: "taken", roundTrips });
      roundTrips = [];
      return;
    case "stop": {
      stopping = true;
      await Promise.all(running);
      a[Symbol.dispose]();
      b[Symbol.dispose]();
      const counts: TrafficCounts = { roundTrips: allRoundTrips, connections, faults, longestPause };
      return tell({ kind: "stopped", counts });
    }
    default:
      return command satisfies never;
  }
}

parentPort?.on("message", (command: TrafficCommand) => void obey(command));
tell({ kind: "targets", a: a.port, b: b.port });
