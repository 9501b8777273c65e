/**
 * This machine's own addresses.
 *
 * @module
 */

/** Numeric addresses of this machine's interfaces; none where the program may not ask. */
export function localAddresses(): string[] {
  try {
    return Deno.networkInterfaces().map(({ address }) => address);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}
