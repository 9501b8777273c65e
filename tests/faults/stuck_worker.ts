/**
 * The stuck and hostile clients of `stuck_test.ts`, in a thread of their own: some say nothing, some a byte at a time,
 * and some send mutated transactions, at a pace or without one.
 *
 * @module
 */

import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { RawClient, updateBytes } from "../harness.ts";
import { Random } from "../random.ts";
import { tcpRule } from "../rules.ts";
import { mutatedTransaction } from "./mutations.ts";
import type { StuckCommand, StuckNews } from "./stuck_messages.ts";

const SILENT = 200;
const SLOW = 50;
/** Milliseconds between two bytes of a slow client. */
const BYTE_INTERVAL = 1000;
/** Hostile connections at a time, and the milliseconds that each holds back before a transaction; and those of a flood. */
const PACED = { lanes: 4, interval: 50 } as const;
const FLOOD = { lanes: 64, interval: 0 } as const;
/** Milliseconds between two looks of a busy processor at its messages. */
const SPIN = 5;
const SEED = 5;

const path = String(workerData);
const random = new Random(SEED);
const update = updateBytes([tcpRule(19_000, 1)]);

let stopped = new AbortController();
let running: Promise<unknown>[] = [];
let clients: RawClient[] = [];
let verdicts: Promise<string>[] = [];
const outcomes = new Set<string>();
let ended = 0;
let hostile = 0;

/** What the server says of a client in the end; one that has left doesn't hear it. */
async function outcomeOf(client: RawClient): Promise<string> {
  try {
    return (await client.verdict()).outcome;
  } catch (error) {
    if (stopped.signal.aborted) return "left";
    throw error;
  }
}

/** Says a byte at a time until the server has had enough. */
async function slow(client: RawClient): Promise<string> {
  const outcome = outcomeOf(client);
  const over = new AbortController();
  outcome.finally(() => over.abort()).catch(() => {});
  for (let at = 0; at < update.length && !over.signal.aborted && !stopped.signal.aborted; at++) {
    await client.send(update.subarray(at, at + 1)).catch(ignoreHangUp);
    await delay(BYTE_INTERVAL, undefined, { signal: AbortSignal.any([over.signal, stopped.signal]) }).catch(() => {});
  }
  return await outcome;
}

/** Sends mutated transactions, each as soon as the server has hung up on the one before. */
async function hostileLane(interval: number): Promise<void> {
  const buffer = new Uint8Array(65536);
  while (!stopped.signal.aborted) {
    if (interval > 0) await delay(interval);
    using connection = await Deno.connect({ transport: "unix", path });
    hostile++;
    try {
      await connection.write(mutatedTransaction(random));
      await connection.closeWrite();
      while (await connection.read(buffer) !== null);
    } catch (error) {
      ignoreHangUp(error);
    }
  }
}

function ignoreHangUp(error: unknown): void {
  const { BadResource, BrokenPipe, ConnectionReset, NotConnected } = Deno.errors;
  if (![BadResource, BrokenPipe, ConnectionReset, NotConnected].some((hangUp) => error instanceof hangUp)) throw error;
}

async function spin(): Promise<void> {
  while (!stopped.signal.aborted) {
    for (const end = performance.now() + SPIN; performance.now() < end;);
    await setImmediate();
  }
}

const lanes = ({ lanes, interval }: { lanes: number; interval: number }) =>
  Array.from({ length: lanes }, () => hostileLane(interval));

async function obey(command: StuckCommand): Promise<void> {
  switch (command) {
    case "stick":
      stopped = new AbortController();
      for (let count = 0; count < SILENT + SLOW; count++) clients.push(await RawClient.connect(path));
      verdicts = [...clients.slice(0, SILENT).map(outcomeOf), ...clients.slice(SILENT).map(slow)];
      running = lanes(PACED);
      return;
    case "flood":
      stopped = new AbortController();
      running = lanes(FLOOD);
      return;
    case "spin":
      stopped = new AbortController();
      running = [spin()];
      return;
    case "stay":
      for (const outcome of await Promise.all(verdicts)) {
        ended++;
        outcomes.add(outcome);
      }
      return;
    case "leave":
      stopped.abort();
      await Promise.all(running);
      for (const client of clients) client[Symbol.dispose]();
      await Promise.all(verdicts);
      [clients, verdicts, running] = [[], [], []];
      return;
    default:
      command satisfies never;
  }
}

parentPort?.on("message", async (command: StuckCommand) => {
  await obey(command);
  const news: StuckNews = { done: command, counts: { outcomes: [...outcomes], ended, hostile } };
  parentPort?.postMessage(news);
});
