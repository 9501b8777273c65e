/**
 * How much memory the program really needs. What the system says it has, garbage included, depends on when the collector
 * last ran.
 *
 * @module
 */

import { setImmediate, setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { core } from "../../codec/core.ts";

/**
 * Collections until what is held weakly, and by what is finalized, is gone as well: at least so many, and until one of them
 * makes no difference of SETTLED bytes, but no more than MOST_ROUNDS.
 */
const ROUNDS = 4;
const MOST_ROUNDS = 40;
const SETTLED = 64 * 1024;
/** Bytes, and how often they are taken and dropped, that make the collector run where nobody can call it. */
const PRESSURE = 64 * 1024 * 1024;
const PRESSURES = 40;

/** The collector, where the runtime lets it be called: Deno 2.9 does, 2.7 doesn't. */
setFlagsFromString("--expose-gc");
const collect: (() => void) | undefined = runInNewContext('typeof gc === "function" ? gc : undefined');

/**
 * Bytes that are in use when all garbage is collected, the core's memory included. Where the collector can't be called,
 * buffers outside of the heap don't count, since those that make it run would, too.
 */
export async function liveMemory(): Promise<number> {
  if (collect === undefined) {
    for (let round = 0; round < PRESSURES; round++) {
      new Uint8Array(PRESSURE);
      await setImmediate();
    }
    return Deno.memoryUsage().heapUsed + core().bytes.length;
  }
  let [before, now] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS || (round < MOST_ROUNDS && before - now > SETTLED); round++) {
    collect();
    // Finalizers run in turns of their own.
    await setTimeout(1);
    await setImmediate();
    const { heapUsed, external } = Deno.memoryUsage();
    [before, now] = [now, heapUsed + external + core().bytes.length];
  }
  return now;
}

/** Bytes as people read them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
