/**
 * How many listeners this backend may have, so that the rest of the program, the control sockets above all, always finds
 * file descriptors, and that there are some for flows.
 *
 * @module
 */

/** Descriptors that are left to the rest of the program, and the largest part that is, where there are few. */
const KEPT = 64;
const KEPT_PART = 0.5;
/** The part of the others that listeners may have: ports without flows are of no use. */
const LISTENERS_PART = 0.75;
/** Where Linux says it. Source: proc(5). */
const LIMITS = "/proc/self/limits";

/** The most listeners; Infinity where the system doesn't say how many files may be open, or may not be asked. */
export function maxListeners(): number {
  const limit = openFilesLimit();
  return Math.floor((limit - Math.min(KEPT, Math.floor(limit * KEPT_PART))) * LISTENERS_PART);
}

function openFilesLimit(): number {
  // Deno wants all permissions for what is in /proc, and must not ask anybody for them.
  if (Deno.permissions.querySync({ name: "read", path: LIMITS }).state !== "granted") return Infinity;
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync(LIMITS)) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
