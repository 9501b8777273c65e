/**
 * What every backend must outlast without keeping anything of it: targets that are down, or never read, resets, and a
 * thousand ends at once. `bad_days.ts` lives through them in a program of its own; what else goes wrong there, as with file
 * descriptors, has tests of its own in each backend's file.
 *
 * @module
 */

import { assertEquals, assertLess } from "../assert.ts";
import type { Subject } from "./backend_conformance.ts";
import { outputOf } from "./script.ts";

/** Bytes by which memory may have grown after some 4,000 flows: less than any object for each. */
const GROWTH = 128 * 1024;

/** The part of one processor's time that may go by while nothing happens: 0.004 was measured, and 0.4 of a loop that spins. */
const BUSY_PART = 0.1;

/** Registers the test. */
export function badDaysConformance({ name, test }: Subject): void {
  test(
    "open() keeps no flow, file or memory of bad days, and doesn't spin while flows are stuck, on Linux",
    async () => {
      const output = await outputOf("bad_days.ts", { flags: ["--v8-flags=--expose-gc"] }, name);
      const { left, growth, busyPart } = JSON.parse(output);
      assertEquals(left, []);
      assertLess(growth, GROWTH);
      assertLess(busyPart, BUSY_PART);
    },
    { possible: Deno.build.os === "linux" },
  );
}
