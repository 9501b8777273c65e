/**
 * How much else a machine has to do, so that a test of times can tell its own slowness from the machine's.
 *
 * @module
 */

import process from "node:process";

/** Ticks in a second, as the kernel counts processor time in `/proc/stat`. */
const TICKS = 100;
/** Fields of its first line that aren't work: idle, and waiting for a disk. */
const IDLE: readonly number[] = [3, 4];
/** Fields from here on are contained in others. */
const FIRST_GUEST = 8;

/** Begins to look; the function returned says which share of all processors other programs have had since. */
export function otherWork(): () => number {
  const start = counted();
  return () => {
    const end = counted();
    return Math.max(0, end.busy - start.busy - (end.own - start.own)) / (end.all - start.all);
  };
}

/** Seconds of processor time since the beginning: of all processors, those with work, and this process's own. */
function counted(): { all: number; busy: number; own: number } {
  const [line = ""] = Deno.readTextFileSync("/proc/stat").split("\n");
  const fields = line.trim().split(/\s+/).slice(1, 1 + FIRST_GUEST).map((ticks) => Number(ticks) / TICKS);
  const sum = (of: readonly number[]) => of.reduce((total, seconds) => total + seconds, 0);
  const { user, system } = process.cpuUsage();
  return {
    all: sum(fields),
    busy: sum(fields.filter((_, field) => !IDLE.includes(field))),
    own: (user + system) / 1e6,
  };
}
