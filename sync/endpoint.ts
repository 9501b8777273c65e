/**
 * Endpoints as text: for people as in printed tables, and as keys of maps.
 *
 * @module
 */

import type { Endpoint } from "./backend.ts";

/** `TCP [127.0.0.1]%lo:80`, as printed tables write it; dual stack is `TCP [*]:80`. */
export function endpointText({ protocol, address, interface: name, port }: Endpoint): string {
  return `${protocol.toUpperCase()} [${address}]${name === undefined ? "" : `%${name}`}:${port}`;
}

/** The same string for the same endpoint, and for no other: what {@linkcode endpointText} says already. */
export const endpointKey: (endpoint: Endpoint) => string = endpointText;
