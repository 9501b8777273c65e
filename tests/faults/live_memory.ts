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

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Bytes that are in use when all garbage is collected, the core's memory included. */
export async function liveMemory(): Promise<number> {
  for (let round = 0; round < ROUNDS; round++) {
    collect();
    await setImmediate();
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external + core().bytes.length;
}

/** Bytes as people read them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
