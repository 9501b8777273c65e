/**
 * How much memory the program really needs. What the system says it has, garbage included, depends on when the collector
 * last ran.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { core } from "../../codec/core.ts";

/** Collections until what is held weakly, and by what is finalized, is gone as well. */
const ROUNDS = 4;
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
  for (let round = 0; round < (collect === undefined ? PRESSURES : ROUNDS); round++) {
    if (collect === undefined) new Uint8Array(PRESSURE);
    else collect();
    await setImmediate();
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + (collect === undefined ? 0 : external) + core().bytes.length;
}

/** Bytes as people read them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
