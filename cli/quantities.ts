/**
 * Counts and ports as text.
 *
 * @module
 */

import type { PortRange } from "../codec/specifier.ts";

/** As `1 rule` and `2 rules`. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** Ports in a row, as `80` or `80-81`. */
export function portsRow({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}
